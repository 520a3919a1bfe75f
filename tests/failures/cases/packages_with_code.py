"""Configs of model packages that would run code. A canary must not appear."""

from __future__ import annotations

from typing import Any, Tuple

from tests.failures.case import Case
from tests.failures.packages import (
    CALL,
    EVIL,
    EVIL_CONFIG,
    EVIL_WEIGHTS,
    NMS,
    SHELL,
    TOUCH,
    harmful_weights,
    plain_pickle,
    pretrained,
    set_in_config,
    shell,
    through_numpy,
    with_teacher,
)
from tests.failures.task import CONFIG, INFERENCE, MINING, PACKAGE, TRAINING, Change, changes, more_lines


def _file(id: str, what: str, breaks: Change, *words: str, task: str = INFERENCE, **more: Any) -> Case:
    return Case(f'code-{id}', what, task, breaks, 300004, words, heavy=True, **more)


def _own_config(*steps: Any, value: Any) -> Change:
    """The package's config with a value, in a training that starts from the package and uses its config."""
    return changes(set_in_config(CONFIG, *steps, value=value), pretrained(CONFIG))


def _loading(init_cfg: Any) -> Change:
    """Another way to begin the backbone's weights."""
    return _own_config('model', 'backbone', 'init_cfg', value=init_cfg)


CASES: Tuple[Case, ...] = (
    _file(
        'config-import',
        'the config of the model imports',
        more_lines(f'{PACKAGE}/{CONFIG}', 'import os', f'os.system("{TOUCH}")'),
        f'/{PACKAGE}/{CONFIG}:',
        'read as data',
        'found Import',
    ),
    _file(
        'config-call',
        'the config of the model calls a function',
        more_lines(f'{PACKAGE}/{CONFIG}', f'x = __import__("os").system("{TOUCH}")'),
        f'/{PACKAGE}/{CONFIG}:',
        'found Call',
        'use the config that the training wrote',
    ),
    _file(
        'config-call-training',
        'the config of the pretrained model calls a function',
        changes(more_lines(f'{PACKAGE}/{CONFIG}', f'x = __import__("os").system("{TOUCH}")'), pretrained(CONFIG)),
        f'/{PACKAGE}/{CONFIG}:',
        'found Call',
        task=TRAINING,
    ),
    _file(
        'config-type',
        'a type in the config of the model is a function outside mmdet',
        set_in_config(CONFIG, 'model', 'backbone', value=SHELL),
        'os.system',
    ),
    _file(
        'config-type-pipeline',
        'a transform in the config of the model is a function outside mmdet',
        set_in_config(CONFIG, 'test_dataloader', 'dataset', 'pipeline', 'append', value=SHELL),
        'os.system',
        task=MINING,
    ),
    _file(
        'config-type-training',
        'a type in the config of the pretrained model is a function outside mmdet',
        _own_config('model', 'backbone', value=SHELL),
        'os.system',
        task=TRAINING,
    ),
    _file(
        'config-hook',
        'a hook in the config of the pretrained model is a function outside mmdet',
        _own_config('custom_hooks', 'append', value=SHELL),
        'os.system',
        task=TRAINING,
    ),
    _file(
        'config-optimizer',
        'the optimizer in the config of the pretrained model is a function outside mmdet',
        _own_config('optim_wrapper', value=SHELL),
        'os.system',
        task=TRAINING,
    ),
    _file(
        'config-collate',
        'collate_fn in the config of the pretrained model is a function outside mmdet',
        _own_config(
            'train_dataloader', 'collate_fn', value={'type': 'subprocess.Popen', 'args': ['touch', '{root}/canary']}
        ),
        'subprocess.Popen',
        task=TRAINING,
    ),
    _file(
        'config-nms',
        'the NMS in the config of the model is an expression',
        set_in_config(CONFIG, 'model', 'test_cfg', 'nms', value={'type': NMS, 'iou_threshold': 0.5}),
        '__import__',
    ),
    _file(
        'config-nms-training',
        'the NMS in the config of the pretrained model is an expression',
        _own_config('model', 'test_cfg', 'nms', value={'type': NMS, 'iou_threshold': 0.5}),
        '__import__',
        task=TRAINING,
    ),
    _file(
        'config-init',
        'the config of the pretrained model loads further weights, which hold a call',
        changes(EVIL_WEIGHTS, _loading({'type': 'Pretrained', 'checkpoint': EVIL})),
        'evil.pth',
        task=TRAINING,
    ),
    _file(
        'config-init-numpy',
        'the same, the call being one of numpy’s',
        changes(
            harmful_weights(through_numpy, f'{PACKAGE}/evil.pth'),
            _loading({'type': 'Pretrained', 'checkpoint': EVIL}),
        ),
        'evil.pth',
        task=TRAINING,
    ),
    _file(
        'config-init-scope',
        'the same under another name of the loader',
        changes(EVIL_WEIGHTS, _loading({'type': 'mmengine.Pretrained', 'checkpoint': EVIL})),
        'evil.pth',
        task=TRAINING,
    ),
    _file(
        'config-init-list',
        'the same in a list',
        changes(EVIL_WEIGHTS, _loading([{'type': 'Pretrained', 'checkpoint': EVIL}])),
        'evil.pth',
        task=TRAINING,
    ),
    _file(
        'config-init-override',
        'the same for one layer',
        changes(
            EVIL_WEIGHTS,
            _loading(
                {
                    'type': 'Kaiming',
                    'layer': 'Conv2d',
                    'override': {'type': 'Pretrained', 'name': 'stem', 'checkpoint': EVIL},
                }
            ),
        ),
        'evil.pth',
        task=TRAINING,
    ),
    _file(
        'config-teacher',
        'the config of the model names a teacher whose weights hold a call',
        changes(EVIL_WEIGHTS, with_teacher(CONFIG, None, EVIL)),
        'evil.pth',
    ),
    _file(
        'config-teacher-config',
        'the config of the model names a teacher whose config calls a function',
        changes(EVIL_CONFIG, with_teacher(CONFIG, f'{{root}}/{PACKAGE}/evil.py', None)),
        'evil.py',
    ),
    _file(
        'config-mmengine',
        'a type in the config of the model is a function of mmengine’s that runs a program',
        set_in_config(CONFIG, 'model', 'backbone', value=CALL),
        'mmengine.call_command',
    ),
    _file(
        'config-mmengine-training',
        'a type in the config of the pretrained model is a function of mmengine’s that runs a program',
        _own_config('model', 'backbone', value=CALL),
        'mmengine.call_command',
        task=TRAINING,
    ),
    _file(
        'config-pickle',
        'a type in the config of the model is mmengine’s reader of pickles',
        changes(
            plain_pickle(shell, f'{PACKAGE}/evil.pkl'),
            set_in_config(
                CONFIG, 'model', 'backbone', value={'type': 'mmengine.load', 'file': f'{{root}}/{PACKAGE}/evil.pkl'}
            ),
        ),
        'mmengine.load',
    ),
    _file(
        'config-module',
        'a type in the config of the model is a module that can be imported',
        set_in_config(CONFIG, 'model', 'backbone', value={'type': 'importable_canary'}),
        'importable_canary',
    ),
    _file(
        'config-scope',
        'a scope in the config of the model is a module',
        set_in_config(CONFIG, 'model', 'backbone', '_scope_', value='antigravity'),
        'antigravity',
    ),
)
