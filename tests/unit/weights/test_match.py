"""Which parameters of a file fit a model, and what becomes of the others."""

from __future__ import annotations

import logging

import pytest
import torch

from executor.contract.errors import ModelError
from executor.weights.checkpoint import save_weights
from executor.weights.match import load_weights, match


class Detector(torch.nn.Module):
    """A backbone and a head of one class layer."""

    def __init__(self, classes: int = 2, width: int = 4) -> None:
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, width, 3)
        self.neck = torch.nn.Conv2d(4, 4, 3)
        self.bbox_head = torch.nn.Conv2d(4, classes, 1)


def test_each_parameter_is_in_one_list():
    own = {'a': torch.zeros(2), 'b': torch.zeros(2), 'c': torch.zeros(2), 'bn.num_batches_tracked': torch.tensor(0)}
    file = {'b': torch.ones(3), 'd': torch.ones(2), 'a': torch.ones(2)}
    fitting, other_shape, missing, left_over = match(file, own)
    assert (list(fitting), other_shape, missing, left_over) == (['a'], ['b'], ['c'], ['d'])
    assert fitting['a'] is file['a']


def test_a_head_of_other_classes_is_left_out_and_the_rest_loaded(tmp_path, caplog):
    file = tmp_path / 'w.pth'
    source, model = Detector(classes=80), Detector(classes=3)
    head = model.bbox_head.weight.clone()
    save_weights(file, source.state_dict(), {})
    with caplog.at_level(logging.INFO):
        load_weights(model, file)
    assert torch.equal(model.backbone.weight, source.backbone.weight)
    assert torch.equal(model.bbox_head.weight, head)
    assert 'left out, made for other classes: bbox_head.weight, bbox_head.bias' in caplog.text


class Anchored(torch.nn.Module):
    """A backbone, and YOLOv3's last layer for three anchors."""

    def __init__(self, classes: int, width: int = 4, anchors: int = 3) -> None:
        super().__init__()
        self.backbone = torch.nn.Conv2d(3, 4, 3)
        self.neck = torch.nn.Conv2d(4, 4, 3)
        self.bbox_head = torch.nn.Module()
        self.bbox_head.num_classes = classes
        self.bbox_head.convs_pred = torch.nn.ModuleList([torch.nn.Conv2d(width, anchors * (5 + classes), 1)])


@pytest.mark.parametrize('classes', [80, 1])
def test_what_a_head_has_for_boxes_is_loaded_whatever_its_classes(tmp_path, caplog, classes):
    source, model = Anchored(classes), Anchored(3)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    save_weights(tmp_path / 'w.pth', source.state_dict(), {})
    with caplog.at_level(logging.INFO):
        load_weights(model, tmp_path / 'w.pth')
    for name in ('bbox_head.convs_pred.0.weight', 'bbox_head.convs_pred.0.bias'):
        ours, theirs = model.state_dict()[name], source.state_dict()[name]
        for anchor in range(3):
            start = anchor * (5 + classes)
            assert torch.equal(ours[anchor * 8 : anchor * 8 + 5], theirs[start : start + 5])
            assert torch.equal(ours[anchor * 8 + 5 : anchor * 8 + 8], before[name][anchor * 8 + 5 : anchor * 8 + 8])
    assert 'loaded but for the classes, which are others: bbox_head.convs_pred.0.weight, bbox_head' in caplog.text


@pytest.mark.parametrize('source', [Anchored(80, width=5), Anchored(0), Anchored(6, anchors=2)])
def test_a_head_that_is_built_otherwise_stays_as_it_is(tmp_path, source):
    model = Anchored(3)
    head = model.bbox_head.convs_pred[0].weight.clone()
    save_weights(tmp_path / 'w.pth', source.state_dict(), {})
    load_weights(model, tmp_path / 'w.pth')
    assert torch.equal(model.bbox_head.convs_pred[0].weight, head)


@pytest.mark.parametrize(
    'parameters, words',
    [
        (Detector(width=5).state_dict(), 'does not fit the model of config_file: 4 of 6 parameters fit'),
        ({'backbone.weight': torch.ones(4, 3, 3, 3)}, 'does not fit the model of config_file: 1 of 6 parameters fit'),
        ({'other': torch.ones(1)}, 'names its parameters otherwise than mmdet, Megvii YOLOX, .* \\(other\\)'),
    ],
    ids=['other width', 'a layer alone', 'other names'],
)
def test_another_architecture_is_an_error_not_a_start_from_scratch(tmp_path, parameters, words):
    save_weights(tmp_path / 'w.pth', parameters, {})
    with pytest.raises(ModelError, match=words):
        load_weights(Detector(), tmp_path / 'w.pth')
