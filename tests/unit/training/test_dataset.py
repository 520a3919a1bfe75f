"""The exported dataset as mmdet sees it."""

from __future__ import annotations

import io
import logging
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.registry import init_default_scope
from PIL import Image
from torch.utils.data import DataLoader

from demo.task_folder import add_annotation, add_image
from desk.task_folder import write_index
from executor.config.patches import patch
from executor.config.read import load_config
from executor.contract.errors import DatasetError, ImageError
from executor.models.families import register_parts
from executor.process.explain import explained
from executor.training.dataset import YmirDataset
from tests.conftest import REPOSITORY

PIPELINE = [{'type': 'LoadImageFromFile'}]
OPTIONS = {'export_format': 'ark:raw', 'metainfo': {'classes': ('cat', 'dog')}, 'pipeline': PIPELINE}


@pytest.fixture
def dataset(tmp_path):
    """A dataset of one image of 30 x 20 for each annotation text."""
    data = cv2.imencode('.png', np.zeros((20, 30, 3), np.uint8))[1].tobytes()

    def make(*annotations: str, **options):
        rows = [
            (add_image(tmp_path, f'{n}.png', data), add_annotation(tmp_path, f'{n}.txt', text))
            for n, text in enumerate(annotations)
        ]
        return YmirDataset(**OPTIONS, index_file=str(write_index(tmp_path, 'train-index.tsv', rows)), **options)

    return make


def break_image(tmp_path: Path, number: int) -> None:
    (tmp_path / f'in/assets/{number}.png').write_bytes(b'no image')


def test_images_without_objects_stay(dataset):
    made = dataset('', '1, 2, 3, 11, 12')
    assert len(made) == 2
    assert made.get_data_info(0)['instances'] == []
    info = made.get_data_info(1)
    assert (info['width'], info['height'], info['img_id']) == (30, 20, 1)
    assert info['instances'] == [{'bbox': [2, 3, 12, 13], 'bbox_label': 1, 'ignore_flag': 0}]


def test_boxes_are_clipped_and_counted(dataset, caplog):
    with caplog.at_level(logging.INFO, logger='executor'):
        made = dataset('0, -5, 2, 9, 30\n0, 40, 2, 50, 9\n1, 0, 0, 29, 19\n')
    assert [i['bbox'] for i in made.get_data_info(0)['instances']] == [[0, 2, 10, 20], [0, 0, 30, 20]]
    assert '1 images, 2 boxes (1 clipped to their image, 1 wholly outside skipped, first in' in caplog.text


UNUSABLE = {
    '': 'hold no box at all: choose another dataset',
    '1, 40, 2, 50, 9': 'hold class_id 1 (1); 1 outside of their image: choose class_names among these',
    '1, 9, 9, 8, 9': 'hold class_id 1 (1); 1 no area: choose class_names among these',
}


@pytest.mark.parametrize('text, told', UNUSABLE.items())
def test_without_a_box_there_is_no_training_and_no_map(dataset, text, told, caplog):
    with pytest.raises(DatasetError) as caught:
        dataset(text, text)
    assert 'train-index.tsv: its 2 images have no box of cat, dog to learn from; its annotation' in str(caught.value)
    assert told.replace('1)', '2)').replace('; 1', '; 2') in str(caught.value)
    assert len(dataset(text, test_mode=True)) == 1
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING][-1:]
    assert warning.endswith(f'to measure with; its annotation files {told.partition(": ")[0]}: mAP will be 0')


def test_a_class_without_boxes_is_told(dataset, caplog):
    dataset('', '1, 2, 3, 11, 12')
    assert 'train-index.tsv: no box of 1 classes: cat' in caplog.text


def test_an_image_broken_for_a_loading_worker_is_told_in_one_sentence(dataset, tmp_path, ymir_task):
    made = dataset('0, 0, 0, 9, 9')
    break_image(tmp_path, 0)  # its header was good when the dataset was read
    with pytest.raises(ImageError) as caught:
        next(iter(DataLoader(made, num_workers=1, collate_fn=list)))
    told = explained(caught.value, ymir_task.job())
    assert isinstance(told, ImageError)
    assert '1 of 1 images cannot be decoded' in str(told)
    assert '0.png is not an image that can be decoded: replace or remove it' in str(told)
    assert '\n' not in str(told)


@pytest.mark.parametrize('count, broken, tolerated', [(101, 1, True), (100, 1, False), (250, 2, True), (250, 3, False)])
def test_fewer_than_one_in_a_hundred_broken_images_are_left_out(dataset, tmp_path, caplog, count, broken, tolerated):
    """When the dataset is read, and when only the pixels prove to be broken."""
    sound = dataset(*(f'0, 0, 0, {n % 20}, 9' for n in range(count)))
    for n in range(broken):
        break_image(tmp_path, n)
    index, told = str(tmp_path / 'in/train-index.tsv'), f'{broken} of {count} images cannot be decoded'
    caplog.set_level(logging.WARNING, logger='executor')
    if tolerated:
        made = YmirDataset(**OPTIONS, index_file=index)
        assert len(made) == count - broken
        assert made.get_data_info(0)['img_path'].endswith(f'/{broken}.png')
        assert [sound[n]['img_path'].endswith(f'/{n}.png') for n in range(broken + 1)] == [False] * broken + [True]
        assert caplog.text.count('0.png is not an image that can be decoded') >= 1
        assert told in caplog.text
    else:
        with pytest.raises(ImageError, match=f'{told}: .*/0.png.*fewer than 1%'):
            YmirDataset(**OPTIONS, index_file=index)
        with pytest.raises(ImageError, match=f'{told}: .*/0.png'):
            for n in range(broken):
                sound[n]


def test_a_header_that_promises_too_much_is_told_when_the_dataset_is_read(dataset, tmp_path):
    data = (tmp_path / 'in/assets/0.png').read_bytes() if dataset('0, 1, 1, 9, 9') else b''
    ihdr = b'IHDR' + struct.pack('>II', 30000, 30001) + data[24:29]
    (tmp_path / 'in/assets/0.png').write_bytes(data[:12] + ihdr + struct.pack('>I', zlib.crc32(ihdr)) + data[33:])
    with pytest.raises(ImageError, match='1 of 1 images cannot be decoded: .*/0.png .* promises 30000 x 30001 pixels'):
        YmirDataset(**OPTIONS, index_file=str(tmp_path / 'in/train-index.tsv'))


def test_memory_that_ends_while_decoding_is_told_with_the_name(dataset, monkeypatch):
    made = dataset('', test_mode=True)
    monkeypatch.setattr('cv2.imdecode', lambda data, flags: (_ for _ in ()).throw(MemoryError))
    with pytest.raises(ImageError, match='/0.png cannot be read as an image .MemoryError'):
        made[0]


@pytest.mark.parametrize('name', ['LoadImageFromFile', 'mmengine.LoadImageFromFile'])
def test_images_are_read_as_in_inference_whatever_the_config_says(tmp_path, name):
    """Turned as their EXIF data says, in colours, from local files."""
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6
    Image.new('RGB', (30, 20), (255, 0, 0)).save(stream, 'JPEG', exif=exif)
    row = add_image(tmp_path, '0.jpg', stream.getvalue()), add_annotation(tmp_path, '0.txt', '0, 1, 1, 9, 9')
    load = {'type': name, 'color_type': 'grayscale', 'imdecode_backend': 'pillow', 'to_float32': True}
    load['backend_args'] = {'backend': 'petrel'}
    index = str(write_index(tmp_path, 'train-index.tsv', [row]))
    info = YmirDataset(**{**OPTIONS, 'pipeline': [load]}, index_file=index)[0]
    assert (info['img'].shape, info['img'].dtype) == ((30, 20, 3), np.float32)
    assert (info['img_shape'], info['ori_shape'], info['width'], info['height']) == ((30, 20), (30, 20), 20, 30)
    assert np.abs(info['img'] - (0, 0, 255)).max() < 5


@pytest.mark.parametrize('name', ['nano', 's'])
def test_images_of_any_shape_train_and_validate(tmp_path, name):
    sizes = [(1, 5000), (5000, 1), (1, 1), (20000, 30), (30, 20000), (64, 48)]
    rows = []
    for n, (width, height) in enumerate(sizes):
        data = cv2.imencode('.png', np.zeros((height, width, 3), np.uint8))[1].tobytes()
        box = f'0, 0, 0, {width - 1}, {height - 1}'
        rows.append((add_image(tmp_path, f'{n}.png', data), add_annotation(tmp_path, f'{n}.txt', box)))
    config = load_config(f'configs/yolox/yolox_{name}_8x8_300e_coco.py', ())
    data = {**OPTIONS, 'type': 'YmirDataset', 'index_file': str(write_index(tmp_path, 'train-index.tsv', rows))}
    train = config['train_dataloader']['dataset']
    loading = {**data, 'pipeline': train['dataset']['pipeline']}
    register_parts()
    patch()
    init_default_scope('mmdet')
    for dataset in (
        DATASETS.build({**train, 'dataset': loading}),
        DATASETS.build({**data, 'pipeline': config['val_dataloader']['dataset']['pipeline'], 'test_mode': True}),
    ):
        for n in range(4 * len(sizes)):
            np.random.seed(n)
            sample = dataset[n % len(sizes)]
            assert min(sample['inputs'].shape[1:]) == max(sample['inputs'].shape[1:]) > 300
            assert np.isfinite(sample['data_samples'].gt_instances.bboxes.numpy()).all()


def test_a_broken_validation_image_is_an_error(dataset, tmp_path):
    made = dataset(*[''] * 200, test_mode=True)
    break_image(tmp_path, 7)
    with pytest.raises(ImageError, match='7.png'):
        made[7]


BEGIN = """
import gc, sys
from mmengine.fileio.backends.registry_utils import backends

def look(batch):
    return sorted(backends)

def collect(worker):
    gc.collect()
"""


def test_a_loading_process_is_patched_before_it_reads(tmp_path, dataset):
    """It imports what the dataset and its transforms are made of, and nothing else."""
    made = dataset('0, 1, 1, 9, 9')
    code = f"""{BEGIN}
if __name__ == '__main__':
    from torch.utils.data import DataLoader
    from executor.training.dataset import YmirDataset
    dataset = YmirDataset(index_file=sys.argv[1], export_format='ark:raw', metainfo={{'classes': ('cat',)}})
    print(*DataLoader(dataset, num_workers=1, collate_fn=look, multiprocessing_context=sys.argv[2]))
"""
    for method in ('spawn', 'forkserver'):
        assert printed(tmp_path, code, str(made._index_file), method) == "['local']"


def test_a_loading_process_has_little_for_itself_whatever_the_dataset(tmp_path):
    """It looks at every image, and once through all that Python keeps, which copies what is not shared."""
    data = cv2.imencode('.png', np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    row = add_image(tmp_path, '0.png', data), add_annotation(tmp_path, '0.txt', '0, 1, 1, 9, 9\n' * 200)
    index = write_index(tmp_path, 'train-index.tsv', [row] * 2000)
    code = f"""{BEGIN}
if __name__ == '__main__':
    import functools
    from pathlib import Path
    from executor.machine import fork_server
    fork_server.begin('executor.training.loading')
    from torch.utils.data import DataLoader
    from executor.training.dataset import YmirDataset
    from executor.training.loading import begin_loading
    dataset = YmirDataset(index_file=sys.argv[1], export_format='ark:raw', metainfo={{'classes': ('cat',)}})
    begin = functools.partial(begin_loading, 20, 1, collect)
    options = {{'persistent_workers': True, 'worker_init_fn': begin, 'multiprocessing_context': 'forkserver'}}
    loader = DataLoader(dataset, batch_size=20, num_workers=1, collate_fn=len, **options)
    assert sum(loader) == 2000
    (process,) = loader._iterator._workers
    lines = Path(f'/proc/{{process.pid}}/smaps_rollup').read_text().splitlines()
    private = sum(int(line.split()[1]) for line in lines if line.startswith('Private_'))
    print(dataset.data_bytes.nbytes // 10**6, private // 1000)
"""
    pickled, private = map(int, printed(tmp_path, code, str(index)).split())
    assert pickled > 10  # of which objects would be 200 MB
    assert private < 50


def printed(folder, code, *arguments):
    """The last line that a program prints."""
    (folder / 'program.py').write_text(code)
    paths = {**os.environ, 'PYTHONPATH': str(REPOSITORY)}
    command = [sys.executable, str(folder / 'program.py'), *arguments]
    run = subprocess.run(command, stdout=subprocess.PIPE, env=paths, check=True, text=True)
    return run.stdout.splitlines()[-1]
