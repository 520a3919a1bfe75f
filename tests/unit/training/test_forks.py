"""Loading processes begin when this one has threads: whatever these hold at that moment, none hangs.

They come from the fork server; one that makes a page, and those of a training where the user asks for it, are forks.
"""

from __future__ import annotations

import functools
import importlib
import io
import logging
import threading
from multiprocessing import forkserver

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import worker_init_fn
from PIL import Image
from torch.utils.data import DataLoader

from demo.task_folder import add_annotation, add_image
from desk.task_folder import write_index
from executor.contract.index import read_training_index
from executor.images import decode
from executor.images.loader import ImageLoader
from executor.images.prepare import Letterbox
from executor.machine import fork_server
from executor.machine.apart import run_apart
from executor.training import entries
from executor.training.dataset import YmirDataset
from executor.training.loading import set_beginning

FORKS = 50

pytestmark = pytest.mark.timeout(120)  # one that hangs is a failure like any other


def compute():
    """Use the threads of torch."""
    values = torch.ones(100, 100)
    values.mm(values).sum(dim=0)


def resize():
    """Use the threads of OpenCV."""
    cv2.resize(np.zeros((400, 400, 3), np.uint8), (600, 600))


def take_memory():
    bytearray(2**16)
    np.zeros(2**16)


def write_log():
    logging.getLogger('executor.busy').warning('written')


def import_anew():
    importlib.reload(importlib.import_module('colorsys'))


def read_size_of(path):
    def read():
        decode.image_size(path)

    return read


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('forks')


@pytest.fixture(scope='module')
def images(folder):
    """The last one's size is known only when it is decoded."""
    data = cv2.imencode('.png', np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    found = [add_image(folder, f'{number}.png', data) for number in range(3)]
    turned = io.BytesIO()
    Image.new('RGB', (20, 30)).save(turned, 'TIFF', tiffinfo={0x0112: 6})
    return [*found, add_image(folder, '3.tif', turned.getvalue())]


@pytest.fixture
def index(folder, images):
    rows = [(one, add_annotation(folder, f'{one.stem}.txt', '0, 1, 1, 9, 9')) for one in images]
    return write_index(folder, 'train-index.tsv', rows)


@pytest.fixture(scope='module')
def server():
    """The fork server of a training."""
    forkserver._forkserver._stop()  # one of other tests
    fork_server.begin('executor.training.loading')


@pytest.fixture
def busy(images):
    """Threads that go on for as long as the test does; and one that has the lock of those who decode one by one."""
    over = threading.Event()

    def go_on(function):
        while not over.wait(0.005):  # else they would have the interpreter for themselves
            function()

    def hold():
        with decode._one_decodes:
            over.wait()

    handler = logging.StreamHandler(io.StringIO())
    logging.getLogger('executor.busy').addHandler(handler)
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    jobs = (compute, resize, take_memory, write_log, import_anew, read_size_of(images[0]))
    threads = [threading.Thread(target=go_on, args=(job,), daemon=True) for job in jobs]
    threads.append(threading.Thread(target=hold, daemon=True))
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()
    logging.getLogger('executor.busy').removeHandler(handler)
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])


def load_candidates(images, index):
    """As inference and mining do."""
    prepare = Letterbox((32, 32), keep_ratio=True, pad_to_square=True)

    def load():
        loader = ImageLoader([str(path) for path in images], range(4), prepare, 4, workers=1, held=1)
        assert [one.error for batch in loader for one in batch.images] == [None] * 4

    return load


def load_pictures(images, index, method='forkserver'):
    """As a training does."""
    dataset = YmirDataset(
        index_file=str(index),
        export_format='ark:raw',
        metainfo={'classes': ('cat',)},
        pipeline=[{'type': 'LoadImageFromFile'}, {'type': 'RandomFlip', 'prob': 0.5}],
    )
    seed = functools.partial(worker_init_fn, num_workers=1, rank=0, seed=1)

    def load():
        options = {'worker_init_fn': seed, 'multiprocessing_context': method}
        loader = DataLoader(dataset, 4, num_workers=1, collate_fn=len, **options)
        set_beginning(loader, threads=1)
        assert list(loader) == [4]

    return load


def load_pictures_in_forks(images, index):
    """As a training does with `env_cfg.mp_cfg.mp_start_method=fork`."""
    return load_pictures(images, index, 'fork')


def read_sizes(images, index):
    """As the start of a training does."""
    lines = read_training_index(index)

    def load():
        found = entries.read_entries(lines, 'ark:raw', ('cat',))
        assert (len(found.pickled), found.broken) == (4, [])

    return load


def make_a_page(images, index):
    """As the page of a dataset is made."""

    def load():
        assert run_apart(lambda: [decode.read_image(path).shape for path in images], 20) == [(20, 30, 3)] * 4

    return load


@pytest.mark.parametrize('kind', [load_candidates, load_pictures, load_pictures_in_forks, read_sizes, make_a_page])
def test_no_process_hangs_for_what_a_thread_held(monkeypatch, images, index, server, busy, kind):
    monkeypatch.setattr(entries, '_TASK', 2)
    load = kind(images, index)
    for _ in range(FORKS):
        load()
