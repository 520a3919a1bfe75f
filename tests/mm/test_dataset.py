"""The exported dataset as mmdet sees it."""

from __future__ import annotations

import logging

import cv2
import numpy as np
import pytest
from torch.utils.data import DataLoader

from executor import worker
from executor.contract.errors import DatasetError, ImageError
from executor.mm.dataset import YmirDataset
from tests.task_folder import add_annotation, add_image, write_index


@pytest.fixture
def dataset(tmp_path):
    """A dataset of one image of 30 x 20 for each annotation text."""

    def make(*annotations: str, data: bytes = cv2.imencode('.png', np.zeros((20, 30, 3), np.uint8))[1].tobytes()):
        rows = [
            (add_image(tmp_path, f'{n}.png', data), add_annotation(tmp_path, f'{n}.txt', text))
            for n, text in enumerate(annotations)
        ]
        index = write_index(tmp_path, 'train-index.tsv', rows)
        return YmirDataset(
            index_file=str(index),
            export_format='ark:raw',
            metainfo={'classes': ('cat', 'dog')},
            pipeline=[{'type': 'LoadImageFromFile'}],
        )

    return make


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


def test_an_image_that_cannot_be_decoded_is_named_when_the_dataset_is_read(dataset):
    with pytest.raises(ImageError, match='0.png'):
        dataset('', data=b'no image')


def test_an_image_whose_pixels_are_broken_is_named_when_it_is_used(dataset, tmp_path):
    made = dataset('')
    (tmp_path / 'in/assets/0.png').write_bytes(b'no image')  # its header was good when the dataset was read
    with pytest.raises(ImageError, match='0.png'):
        made[0]


def test_an_image_broken_for_a_loading_worker_is_told_in_one_sentence(dataset, tmp_path):
    made = dataset('')
    (tmp_path / 'in/assets/0.png').write_bytes(b'no image')
    with pytest.raises(ImageError) as caught:
        next(iter(DataLoader(made, num_workers=1, collate_fn=list)))
    told = worker._translated(caught.value)
    assert isinstance(told, ImageError)
    assert str(told).endswith('0.png is not an image that can be decoded: replace or remove it')
    assert '\n' not in str(told)


def test_a_bad_annotation_is_an_error(dataset):
    with pytest.raises(DatasetError, match='0.txt:1'):
        dataset('cat, 1, 2, 3, 4')
