"""Model packages as mmdet 2 wrote them, and names that it had."""

from __future__ import annotations

from typing import Any, Tuple

from demo import shapes
from tests.failures.case import Case, rows
from tests.failures.packages import TOUCH, cut_off, harmful_weights, pretrained, saved, shell
from tests.failures.task import (
    CONFIG,
    INFERENCE,
    MINING,
    PACKAGE,
    TRAINING,
    WEIGHTS,
    Task,
    change,
    changes,
    config,
    more_lines,
    placed,
    replaced,
)

_CONFIG = f'{PACKAGE}/{CONFIG}'
_BEST = f'{PACKAGE}/best_bbox_mAP_epoch_1.pth'

_case = rows(300001)
_heavy = rows(300004, task=INFERENCE, heavy=True)


@change
def of_mmdet_2(task: Task, classes: int = len(shapes.CLASS_NAMES), held: str = '', **meta: Any) -> None:
    """Make the sound package one of mmdet 2, for so many classes; `held` is added to the config in the weights."""
    import torch

    from tests.support.mmdet2 import checkpoint, nano_config, text_of

    text = text_of(nano_config(classes))
    task.write(_CONFIG, text)
    parameters = torch.load(str(task.path(WEIGHTS)))['state_dict']
    names = [*shapes.CLASS_NAMES, *map(str, range(classes))][:classes]
    content = checkpoint(parameters, names, text + placed(task, held), 1)
    content['meta'].update(meta)
    torch.save(content, str(task.path(WEIGHTS)))


@change
def renamed(task: Task, name: str) -> None:
    """The config of the package under another name."""
    task.path(_CONFIG).rename(task.path(f'{PACKAGE}/{name}'))
    config(model_params_path=[f'{{root}}/{file}' for file in (WEIGHTS, f'{PACKAGE}/{name}')])(task)


@change
def with_best(task: Task) -> None:
    """The weights a second time, as the best, and cut off."""
    data = task.path(WEIGHTS).read_bytes()
    task.write(_BEST, data[: len(data) // 2])
    config(model_params_path=[f'{{root}}/{file}' for file in (WEIGHTS, _BEST, _CONFIG)])(task)


CASES: Tuple[Case, ...] = (
    _case(
        'config_file is a name of mmdet 2 that nothing is called today',
        config(config_file='configs/solov2/solov2_light_r34_fpn_3x_coco.py'),
        '/in/config.yaml:',
        "config_file 'configs/solov2/solov2_light_r34_fpn_3x_coco.py' does not exist (the nearest are configs/solov2/",
        'use a config of this image such as configs/yolox/yolox_s_8x8_300e_coco.py',
    ),
    _heavy('the weights of mmdet 2 are cut off', changes(of_mmdet_2(), cut_off()), f'/{WEIGHTS} is cut off'),
    _heavy(
        'of several weights of mmdet 2 the best are cut off',
        changes(of_mmdet_2(), with_best()),
        f'/{_BEST} is cut off or damaged',
        task=MINING,
    ),
    _heavy(
        'the weights of mmdet 2 hold a call',
        changes(of_mmdet_2(), harmful_weights(shell)),
        f'/{WEIGHTS}',
        'not loaded for safety',
    ),
    _heavy(
        'the GPUs in a config of mmdet 2 are a call',
        changes(of_mmdet_2(), more_lines(_CONFIG, f'gpu_ids = range(0, __import__("os").system("{TOUCH}"))')),
        f'/{_CONFIG}:',
        'found Call',
    ),
    _heavy(
        'weights of mmdet 2 come without a config, and hold one with a call',
        changes(
            of_mmdet_2(held=f'x = __import__("os").system("{TOUCH}")\n', exp_name='mine.py'),
            config(model_params_path=[f'{{root}}/{WEIGHTS}']),
        ),
        f'/{WEIGHTS} comes with no config',
        'set config_file',
    ),
    _heavy(
        'a type in the config that weights of mmdet 2 hold is a function',
        changes(
            of_mmdet_2(held="model = dict(type='YOLOX', neck=dict(type='os.system'))\n"),
            config(model_params_path=[f'{{root}}/{WEIGHTS}']),
        ),
        f'/{WEIGHTS}: model.neck.type',
        'os.system',
    ),
    _heavy(
        'the weights of mmdet 2 are for 80 classes, and the task has 3',
        of_mmdet_2(classes=80),
        f'/{WEIGHTS} detects 80 classes (circle, square, ',
        'but class_names has 3 (circle, square, triangle)',
        'give class_names of the model',
    ),
    _heavy(
        'the weights of mmdet 2 are of another layout',
        changes(of_mmdet_2(), saved({'state_dict': {}, 'meta': {'mmcv_version': '1.4.3'}})),
        f'/{WEIGHTS} holds no parameters',
        'choose a checkpoint of mmdet, Megvii YOLOX',
    ),
    _heavy(
        'the weights of mmdet 2 are of another architecture than their config',
        changes(of_mmdet_2(), replaced(_CONFIG, "'widen_factor': 0.25", "'widen_factor': 0.5")),
        f'/{WEIGHTS} does not fit the config',
        'set config_file',
    ),
    _heavy(
        'a config of mmdet 2 has a name that this image does not know',
        changes(of_mmdet_2(), renamed('mine.py')),
        f'/{PACKAGE}/mine.py is a config of mmdet 2',
        'YOLOX',
        'CSPDarknet',
        'set config_file to one of this image',
    ),
    _heavy(
        'a config of mmdet 2 is of a detector that mmdet 3 builds otherwise',
        changes(of_mmdet_2(), replaced(_CONFIG, "'type': 'YOLOXPAFPN'", "'type': 'CrowdDetNeck'"), pretrained(CONFIG)),
        f'/{_CONFIG}: model.neck.type must be a layer',
        'CrowdDetNeck',
        'or set config_file to one of this image',
        task=TRAINING,
    ),
    _heavy(
        'a config of mmdet 2 says nothing of its test',
        changes(of_mmdet_2(), replaced(_CONFIG, "'test'", "'none'")),
        f'/{_CONFIG}: this config of mmdet 2 cannot be used',
        'set config_file',
    ),
)
