"""A model looked at once more: which images, what is lost in NMS, and that a failure is a warning."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from executor.contract.output.training_result import EVALUATE_CONFIG
from executor.contract.params import InferParams
from executor.detector import trial
from executor.detector.detector import DenseSteps
from executor.detector.model import load_model
from executor.evaluation.coco import evaluate
from executor.training import examination
from executor.training.examination import examine
from executor.training.metric import Validation
from tests.support.random_model import NANO, write_random_weights
from tests.unit.evaluation.cases import CLASSES, image

CPU = torch.device('cpu')


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    file = write_random_weights(tmp_path_factory.mktemp('model') / 'a.pth', NANO, CLASSES)
    params = InferParams(CLASSES, (), (file,), config_file=NANO, input_size=(64,), iou_threshold=0.1)
    return load_model(params, score_threshold=1e-4)


@pytest.fixture
def validation(tmp_path):
    """Of three images, one with a cat that is found and a cat that is not, the others without anything."""
    paths = [str(tmp_path / f'{n}.png') for n in range(3)]
    for path in paths:
        cv2.imwrite(path, np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8))
    first = image(0, [(0, 0, 0, 40, 40), (0, 0, 8, 40, 48)], [(0, 0.5, 0, 0, 40, 40)])
    found = evaluate([first, image(1), image(2)], CLASSES, EVALUATE_CONFIG)
    return Validation(found, 3, paths, ())


def all_boxes(self, raw, size):
    """Give the cat that is missed, and as a dog, too, in the network's pixels, 64 / 90 of the image's."""
    box = torch.tensor([[0.0, 8, 40, 48]]) * 64 / 90
    return box, torch.tensor([[0.9, 0.8]])


def test_what_is_lost(trained, validation, monkeypatch):
    head = trial.dense_steps(trained.model, CPU, trial.preparation_of(trained.pipeline), 'torch', False, False)[0].head
    monkeypatch.setattr(type(head), 'every_box', all_boxes)
    found = examine(trained, CPU, validation)
    assert (found.lost.images, found.lost.missed, found.lost.label.tolist()) == (1, 1, [0])
    assert found.lost.pair_iou.tolist() == pytest.approx([32 / 48])
    assert (found.speed['images'], found.speed['input'], found.speed['ran_on']) == (3, [64, 64], 'CPU')
    # As a class that the task has at another place, or does not have.
    assert examine(trained, CPU, validation, labels=[1, 0]).lost.label.tolist() == []
    assert examine(trained, CPU, validation, labels=[-1, 0]).lost.label.tolist() == []


def test_boxes_before_nms_hold_what_is_found(trained):
    """Every box that the detector finds is among them, with its score and class."""
    picture = np.random.default_rng(1).integers(0, 256, (80, 90, 3), np.uint8)
    (before,) = trial.try_model(trained, CPU, [picture], 1e-4).before
    prepare = trial.preparation_of(trained.pipeline)
    steps, _ = trial.dense_steps(trained.model, CPU, prepare, 'torch', False, False)
    assert isinstance(steps, DenseSteps)
    prepared = prepare(picture)
    found = steps.find(steps.forward([prepared]), [prepared])[0].detections
    assert len(before) > len(found) > 5
    for box, score, label in zip(found.boxes, found.scores, found.labels):
        same = (np.abs(before.boxes - box).max(axis=1) < 0.01) & (before.labels == label)
        assert np.abs(before.scores[same] - score).min(initial=1) < 1e-5


def test_a_dense_detector_is_fused_before_it_goes_to_its_device(trained, monkeypatch):
    class Seen(Exception):
        pass

    def dense_steps(model, device, *_):
        assert device.type == 'meta'
        assert {parameter.device.type for parameter in model.parameters()} == {'cpu'}
        raise Seen

    monkeypatch.setattr(trial, 'dense_steps', dense_steps)
    with pytest.raises(Seen):
        trial.try_model(trained, torch.device('meta'), [], 0.1)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
def test_a_dense_detector_is_tried_on_a_gpu(trained):
    for _ in range(2):  # the second time it is there already
        found = trial.try_model(trained, torch.device('cuda'), [np.zeros((80, 90, 3), np.uint8)], 1e-4)
        assert found.postprocessing is not None and found.before is not None


def test_flops_by_hand():
    """A convolution of 3 x 3 x 3 into 2 channels on 8 x 6: 27 multiplications and additions for each of 96 numbers."""

    class Model(torch.nn.Conv2d):
        def forward(self, images, samples, mode):
            assert mode == 'predict' and samples[0].img_shape == (6, 8)
            return super().forward(images)

    assert trial.count_flops(Model(3, 2, 3, padding=1), 8, 6) in (2 * 27 * 96, None)


def test_a_failure_is_a_warning(trained, validation, monkeypatch, caplog):
    def fail(*_):
        raise MemoryError('no more')

    monkeypatch.setattr(examination, 'try_model', fail)
    found = examine(trained, CPU, validation)
    assert found.speed is None and found.lost is None
    assert 'times and losses in NMS are not known: MemoryError: no more' in caplog.text
