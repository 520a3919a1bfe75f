"""The order in which batches go to a GPU, which stands in the notes of a GPU that there is not."""

from __future__ import annotations

from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from mmdet.engine.hooks import YOLOXModeSwitchHook
from torch.utils.data import DataLoader, Dataset

from executor.training import copy_ahead
from executor.training.copy_ahead import CopyAheadHook, copied_ahead


class Gpu:
    """What copying ahead uses of torch.cuda; notes what is asked of it in which order."""

    def __init__(self):
        self.notes = []
        self.streams = 0
        self.computing = self.current = Stream(self, 'computing')

    def Stream(self):
        self.streams += 1
        return Stream(self, 'copying')

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream
        yield
        self.current = before

    def current_stream(self):
        return self.current


class Stream:
    device = 'gpu'

    def __init__(self, gpu, name):
        self.gpu, self.name, self.last = gpu, name, None

    def record_event(self):
        return f'copy of {self.last}'

    def wait_event(self, event):
        self.gpu.notes.append(f'{self.name} waits for {event}')


class Image:
    """An image that knows its number and where it is."""

    gpu = None  # of the test; none in a worker

    def __init__(self, number, device='cpu'):
        self.number, self.device = number, device

    def to(self, device, non_blocking):
        assert non_blocking
        self.gpu.notes.append(f'{self.gpu.current.name} copies {self.number}')
        self.gpu.current.last = self.number
        return Image(self.number, device)

    def record_stream(self, stream):
        assert self.device == 'gpu'
        self.gpu.notes.append(f'{stream.name} keeps {self.number}')


@pytest.fixture
def gpu(monkeypatch):
    gpu = Gpu()
    monkeypatch.setattr(copy_ahead, 'torch', SimpleNamespace(cuda=gpu))
    monkeypatch.setattr(Image, 'gpu', gpu)
    return gpu


def train(gpu, batches):
    """Note each batch as trained on; return the numbers of its images, and its boxes."""
    trained = []
    for batch in batches:
        assert all(image.device == 'gpu' for image in batch['inputs'])
        gpu.notes.append(f'train on {batch["inputs"][-1].number}')
        trained.append(([image.number for image in batch['inputs']], batch['data_samples']))
    return trained


def batches_of(*numbers):
    return [{'inputs': [Image(number)], 'data_samples': [f'boxes {number}']} for number in numbers]


def test_a_batch_is_trained_on_once_the_next_is_under_way(gpu):
    trained = train(gpu, copied_ahead(batches_of(1, 2, 3), gpu.Stream()))
    assert trained == [([number], [f'boxes {number}']) for number in (1, 2, 3)]
    assert gpu.notes == [
        *('copying copies 1', 'copying copies 2', 'computing waits for copy of 1', 'computing keeps 1', 'train on 1'),
        *('copying copies 3', 'computing waits for copy of 2', 'computing keeps 2', 'train on 2'),
        *('computing waits for copy of 3', 'computing keeps 3', 'train on 3'),
    ]


@pytest.mark.parametrize('numbers', [(), (1,)])
def test_few_batches(gpu, numbers):
    assert len(train(gpu, copied_ahead(batches_of(*numbers), gpu.Stream()))) == len(numbers)


def test_a_failure_to_load_comes_through(gpu):
    def broken():
        yield from batches_of(1, 2)
        raise ValueError('broken.jpg')

    with pytest.raises(ValueError, match=r'broken\.jpg'):
        train(gpu, copied_ahead(broken(), gpu.Stream()))


class Numbers(Dataset):
    """Gives images 0 to 5, after the pipeline has been switched 100 to 105."""

    first = 0

    def __len__(self):
        return 6

    def __getitem__(self, index):
        return Image(self.first + index)

    def update_skip_type_keys(self, keys):
        self.first = 100


def collate(images):
    return {'inputs': images, 'data_samples': [image.number for image in images]}


@pytest.mark.parametrize('workers', [0, 2])
def test_a_loader_copies_ahead_and_is_still_the_one_that_hooks_restart(gpu, workers):
    """The last epochs train without mosaic: the hook of mmdet restarts the workers by the loader's private fields."""
    loader = DataLoader(Numbers(), 2, num_workers=workers, persistent_workers=workers > 0, collate_fn=collate)
    model = SimpleNamespace(bbox_head=SimpleNamespace(use_l1=False))
    logger = SimpleNamespace(info=lambda text: None)
    runner = SimpleNamespace(train_dataloader=loader, model=model, logger=logger, max_epochs=5)
    switch = YOLOXModeSwitchHook(num_last_epochs=2)
    CopyAheadHook().before_train(runner)
    assert runner.train_dataloader is loader
    iterators = []
    for epoch in range(5):
        runner.epoch = epoch
        switch.before_train_epoch(runner)
        first = 100 if epoch >= 2 else 0  # mmdet counts so
        numbers = [[first + n, first + n + 1] for n in (0, 2, 4)]
        assert train(gpu, loader) == [(batch, batch) for batch in numbers]
        iterators.append(loader._iterator)
    assert gpu.notes.count('computing waits for copy of 101') == 3
    assert gpu.streams == 1  # each would keep memory of its own
    if workers:
        assert [a is b for a, b in zip(iterators, iterators[1:])] == [True, False, True, True]  # the same workers
