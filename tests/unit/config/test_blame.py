"""What failed inside mmdet is told as a mistake of whoever made it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from executor.config.blame import config_to_blame
from executor.config.find import OUR_CONFIGS, find_config, mmdet_configs
from executor.contract.errors import DatasetError, ModelError, ParameterError

OURS = OUR_CONFIGS / 'yolox/yolox_nano_8x8_300e_coco.py'
MMDETS = mmdet_configs() / 'configs/retinanet/retinanet_r50_fpn_1x_coco.py'
PACKAGED = Path('/in/models/stage/config.py')


def fail(file: Path, options: dict, error: Exception) -> None:
    with config_to_blame(SimpleNamespace(filename=str(file)), options):
        raise error


@pytest.mark.parametrize('file', [OURS, MMDETS, PACKAGED], ids=lambda file: file.parent.name)
def test_options_are_blamed_first(file):
    cause = TypeError('class `Norm` in mmdet/norm.py: class `Conv` in mmdet/conv.py:\nunexpected keyword "a"')
    with pytest.raises(ParameterError) as caught:
        fail(file, {'model.a': 1, 'b': [2, 3]}, cause)
    assert (caught.value.key, caught.value.code, caught.value.__cause__) == ('cfg_options', 300001, cause)
    assert str(caught.value) == (
        'cfg_options do not fit the detector (TypeError: unexpected keyword "a"): correct them, or leave them out: '
        'model.a=1 b=[2, 3]'
    )


def test_a_config_of_mmdet_is_the_users_choice():
    with pytest.raises(ParameterError) as caught:
        fail(MMDETS, {}, KeyError('neck'))
    assert caught.value.key == 'config_file'
    assert str(caught.value) == (
        "config_file retinanet_r50_fpn_1x_coco.py: the detector cannot be built or run here (KeyError: 'neck'): choose "
        'another'
    )


@pytest.mark.parametrize('error', [AssertionError(), RuntimeError('size mismatch'), ZeroDivisionError()])
def test_a_config_of_a_package_is_part_of_the_model(error):
    with pytest.raises(ModelError) as caught:
        fail(PACKAGED, {}, error)
    kind = type(error).__name__
    assert str(caught.value) == (
        f'{PACKAGED}: the detector cannot be built or run from this config ({kind}: {str(error) or kind}): use the '
        'config that the training wrote, or set config_file to one of this image'
    )
    assert caught.value.code == 300004


@pytest.mark.parametrize('name', ['configs/yolox/yolox_s_8x8_300e_coco.py', 'configs/ssd/ssd300_coco.py'])
def test_configs_are_known_by_the_place_where_they_are_found(name):
    """As `load_config` gives them: with links followed. What fails with one of ours is our own mistake."""
    error = KeyError('a')
    with pytest.raises(KeyError if 'yolox' in name else ParameterError) as caught:
        fail(find_config(name, []), {}, error)
    assert (caught.value is error) == ('yolox' in name)


@pytest.mark.parametrize(
    'error',
    [
        RuntimeError('CUDA error: an illegal memory access was encountered'),
        MemoryError(),
        OSError(28, 'No space left on device'),
        DatasetError('a.txt:1: told already'),
        ParameterError('iou_threshold', 'told already'),
        KeyboardInterrupt(),
        SystemExit(1),
    ],
    ids=repr,
)
@pytest.mark.parametrize('options', [{}, {'model.a': 1}])
@pytest.mark.parametrize('file', [MMDETS, PACKAGED], ids=lambda file: file.parent.name)
def test_failures_of_the_machine_and_those_told_already_pass(error, options, file):
    with pytest.raises(type(error)) as caught:
        fail(file, options, error)
    assert caught.value is error


def test_a_long_failure_is_shortened():
    with pytest.raises(ParameterError) as caught:
        fail(OURS, {f'model.key{n}': 'x' * 100 for n in range(100)}, ValueError('y' * 100_000))
    assert len(str(caught.value)) < 1500


def test_nothing_is_told_where_nothing_fails():
    with config_to_blame(SimpleNamespace(filename=str(PACKAGED)), {'a': 1}):
        pass
