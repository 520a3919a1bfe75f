"""A family is a row: its adapter, its parts and the names of its weights are found by what the table says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from mmdet.models.dense_heads import RetinaHead, YOLOXHead
from mmdet.registry import DATASETS, METRICS, MODELS, OPTIMIZERS, TRANSFORMS

from executor.config.find import OUR_CONFIGS
from executor.config.plain import config_text
from executor.config.read import load_config
from executor.contract.errors import ModelError
from executor.contract.params import InferParams
from executor.detector.load import TORCH, load_detector
from executor.models import families
from executor.models.families import FAMILIES, Family, WeightLayout, family_of, model_part_names, register_parts
from executor.models.yolox.head import YoloxHead
from executor.weights.checkpoint import model_parameters, read_checkpoint, save_weights
from tests.support.random_model import NANO, write_random_weights

# The name that a config gives the head is that of a module, too, so that it is refused where nothing registers it.
REGISTERING = f"""
from mmdet.registry import MODELS
from {__name__} import ToyHead
MODELS.register_module('toy_parts', module=ToyHead)
"""


class ToyHead(YOLOXHead):
    """A head of our own."""


class ToyAdapter(YoloxHead):
    """Notes for which heads it was made."""

    made: list[torch.nn.Module] = []

    def __init__(self, head: torch.nn.Module, class_scores: bool) -> None:
        super().__init__(head, class_scores)
        self.made.append(head)


TOYS = WeightLayout(
    'Toys',
    fits=lambda names: any(name.startswith('toy.') for name in names),
    to_mmdet=lambda parameters: {name[len('toy.') :]: value for name, value in parameters.items()},
)
TOY = Family('toy', ToyHead, ToyAdapter, layouts=(TOYS,), modules=('toy_parts',))


@pytest.fixture
def toy_package(tmp_path, monkeypatch) -> list[Path]:
    """A model package of a family that is in no row, whose module is importable."""
    (tmp_path / 'toy_parts.py').write_text(REGISTERING)
    monkeypatch.syspath_prepend(str(tmp_path))
    config, weights = tmp_path / 'config.py', tmp_path / 'toy.pth'
    config.write_text(config_text(load_config(NANO)).replace("'YOLOXHead'", "'toy_parts'"))
    parameters = read_checkpoint(write_random_weights(weights))['state_dict']
    save_weights(weights, {f'toy.{name}': value for name, value in parameters.items()}, {})
    yield [config, weights]
    sys.modules.pop('toy_parts', None)
    MODELS.module_dict.pop('toy_parts', None)


@pytest.fixture
def row(monkeypatch) -> Family:
    monkeypatch.setattr(families, 'FAMILIES', (*FAMILIES, TOY))
    return TOY


def test_a_row_is_all_that_a_family_of_our_own_needs(toy_package, row):
    """Its name is allowed in the config of a package, its weights are read, and its adapter makes the boxes."""
    ToyAdapter.made.clear()
    params = InferParams(('cat', 'dog'), (), tuple(toy_package))
    load_detector(params, cores=1, backend=TORCH)
    assert [type(head) for head in ToyAdapter.made] == [ToyHead]
    assert 'toy_parts' in model_part_names()


def test_without_the_row_there_is_no_such_family(toy_package):
    config, weights = toy_package
    with pytest.raises(ModelError, match="model.bbox_head.type must be a layer.*, found 'toy_parts'"):
        load_config('config.py', [config])
    assert all(name.startswith('toy.') for name in model_parameters(read_checkpoint(weights), weights))
    assert 'toy_parts' not in model_part_names()


def test_the_layouts_of_every_row_are_told(row):
    with pytest.raises(ModelError, match='choose a checkpoint of mmdet, Megvii YOLOX, .* or Toys$'):
        model_parameters({}, Path('x.pth'))


def test_a_family_is_known_by_the_class_of_its_head(row):
    model = torch.nn.Module()
    assert family_of(model) is None
    for head, expected in ((YOLOXHead, FAMILIES[0]), (ToyHead, row), (RetinaHead, None)):
        model.bbox_head = head(num_classes=2, in_channels=4, feat_channels=4)
        assert family_of(model) is expected


def test_what_training_needs_is_registered():
    register_parts()
    parts = ((DATASETS, 'YmirDataset'), (METRICS, 'DetectionMetric'), (TRANSFORMS, 'Resize'), (OPTIMIZERS, 'AdamW'))
    assert [name for registry, name in parts if registry.get(name) is None] == []


def test_a_model_is_made_of_layers_losses_and_helpers():
    names = model_part_names()
    assert {'YOLOX', 'CSPDarknet', 'SyncBN', 'SiLU', 'nearest', 'SimOTAAssigner', 'Kaiming', 'IoULoss', 'DCN'} <= names
    assert not names & {'YmirDataset', 'Resize', 'AdamW', 'BertModel', 'BaseReID', 'DetTTAModel', 'KalmanFilter'}


@pytest.mark.parametrize('family', FAMILIES, ids=lambda family: family.name)
def test_every_family_has_a_folder_of_configs(family):
    assert list((OUR_CONFIGS / family.name).glob('*.py'))
