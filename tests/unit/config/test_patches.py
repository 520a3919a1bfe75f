"""Nothing that a config or a file names is imported, run or fetched."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import mmcv
import mmdet.datasets.transforms.transforms
import mmengine.registry.registry
import mmengine.runner.runner
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import MODELS, TRANSFORMS
from mmengine.runner import load_checkpoint
from mmengine.runner.checkpoint import CheckpointLoader

from executor.config.patches import patch
from executor.contract.errors import ModelError
from executor.models.families import register_parts
from tests.unit.weights.test_checkpoint import Touch


@pytest.fixture(autouse=True)
def patched():
    """mmengine patched, and afterwards as it was."""
    schemes = dict(CheckpointLoader._schemes)
    with pytest.MonkeyPatch.context() as undo:
        for name in ('get_object_from_string', 'import_module'):
            undo.setattr(mmengine.registry.registry, name, getattr(mmengine.registry.registry, name))
        undo.setattr(mmengine.runner.runner, 'collect_env', mmengine.runner.runner.collect_env)
        for module in (mmcv, mmcv.image, mmcv.image.geometric, mmdet.datasets.transforms.transforms):
            for name in ('imresize', 'imflip'):
                undo.setattr(module, name, getattr(module, name, None), raising=False)
        register_parts()
        patch()
        yield
    CheckpointLoader._schemes.clear()
    CheckpointLoader._schemes.update(schemes)


@pytest.fixture
def canary(tmp_path, monkeypatch) -> Path:
    """What a module named `canary` leaves when it is imported."""
    trace = tmp_path / 'trace'
    (tmp_path / 'canary.py').write_text(f'open({str(trace)!r}, "w").close()\n\n\nclass Bird:\n    pass\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    yield trace
    sys.modules.pop('canary', None)


@pytest.mark.parametrize('name', ['canary.Bird', 'mmdet.canary.Bird', 'os.system', 'subprocess.Popen', 'builtins.open'])
def test_a_type_with_a_dot_is_not_imported(canary, name):
    assert MODELS.get(name) is None
    with pytest.raises(KeyError):
        MODELS.build({'type': name})
    assert not canary.exists() and 'canary' not in sys.modules


def test_the_canary_sings_where_nothing_is_patched(canary):
    mmengine.registry.registry.get_object_from_string = mmengine.utils.get_object_from_string
    assert MODELS.get('canary.Bird').__name__ == 'Bird'
    assert canary.exists()


@pytest.mark.parametrize('name', ['YOLOX', 'mmdet.YOLOX'])
def test_registered_types_are_found(name):
    assert MODELS.get(name).__name__ == 'YOLOX'


@pytest.mark.parametrize(
    'name',
    [
        *('http://example.com/a.pth', 'https://example.com/a.pth', 'torchvision://resnet50', 'modelzoo://resnet50'),
        *('open-mmlab://detectron2/resnet50_caffe', 'openmmlab://resnet50', 'mmcls://mobilenet_v2', 'pavi://a.pth'),
        *('s3://a/b.pth', 'cluster:s3://a/b.pth', 'petrel://a/b.pth'),
    ],
)
def test_weights_from_elsewhere_are_refused(name, monkeypatch):
    monkeypatch.setattr('torch.hub.load_state_dict_from_url', lambda *args, **kwargs: pytest.fail('fetched'))
    with pytest.raises(ModelError) as caught:
        load_checkpoint(torch.nn.Linear(1, 1), name)
    assert str(caught.value) == f'{name}: the image works without a network: name a file that the container sees'


def test_no_scheme_of_mmengine_is_left_open():
    loaders = {scheme: loader.__module__ for scheme, loader in CheckpointLoader._schemes.items()}
    assert set(loaders.values()) == {'executor.config.patches'}
    assert {'', 'http://', 'https://'} <= set(loaders)


def test_a_local_file_is_read_as_data_and_not_run(tmp_path):
    torch.save({'state_dict': {'weight': torch.full((1, 1), 7.0), 'bias': torch.zeros(1)}}, str(tmp_path / 'w.pth'))
    layer = torch.nn.Linear(1, 1)
    load_checkpoint(layer, str(tmp_path / 'w.pth'))
    assert layer.weight.item() == 7
    (tmp_path / 'w.pth').write_bytes(pickle.dumps({'state_dict': {}, 'extra': Touch(tmp_path / 'trace')}))
    with pytest.raises(ModelError, match='w.pth'):
        load_checkpoint(layer, str(tmp_path / 'w.pth'))
    assert not (tmp_path / 'trace').exists()


def test_once_more_changes_nothing():
    schemes, imports = dict(CheckpointLoader._schemes), mmengine.registry.registry.import_module
    patch()
    assert schemes == CheckpointLoader._schemes
    assert mmengine.registry.registry.import_module is imports
    assert mmengine.runner.runner.collect_env() == {}  # no compiler is asked for its version


PACK = {'type': 'PackDetInputs', 'meta_keys': ('img_shape',)}
SHRINKING = {
    'Resize': [{'type': 'Resize', 'scale': (1333, 800), 'keep_ratio': True}],
    'RandomResize': [{'type': 'RandomResize', 'scale': (64, 64), 'ratio_range': (0.1, 0.1), 'keep_ratio': True}],
    'FixScaleResize': [{'type': 'FixScaleResize', 'scale': (80, 60), 'keep_ratio': True}],
    'FixShapeResize': [{'type': 'FixShapeResize', 'width': 64, 'height': 64, 'keep_ratio': True}],
    'RandomFlip': [
        {'type': 'RandomFlip', 'prob': 1.0, 'direction': direction} for direction in ('horizontal', 'vertical')
    ],
}


@pytest.mark.parametrize('size', [(1, 5000), (5000, 1), (1, 1), (20000, 30), (30, 20000)], ids=str)
@pytest.mark.parametrize('name', SHRINKING)
def test_of_an_image_of_any_shape_a_pixel_stays(name, size):
    run = Compose([TRANSFORMS.build(dict(transform)) for transform in [*SHRINKING[name], PACK]])
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    inputs = run({'img': image, 'img_shape': size, 'ori_shape': size})['inputs']
    assert inputs.shape[0] == 3 and min(inputs.shape) >= 1
    if name == 'RandomFlip':
        np.testing.assert_array_equal(inputs.permute(1, 2, 0).numpy(), image[::-1, ::-1])
