"""Configs of model packages that would run code. A canary must not appear."""

from __future__ import annotations

from typing import Any, Tuple

from tests.failures.case import Case, rows
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

_EVIL_FILE = f'{PACKAGE}/evil.pth'
_LOADER = {'type': 'Pretrained', 'checkpoint': EVIL}
_file = rows(300004, task=INFERENCE, heavy=True)


def _pretrained(what: str, *steps: Any, value: Any, word: str, before: Tuple[Change, ...] = ()) -> Case:
    """A value in the package's config, in a training that starts from the package and uses its config."""
    breaks = changes(*before, set_in_config(CONFIG, *steps, value=value), pretrained(CONFIG))
    return _file(what, breaks, word, task=TRAINING)


def _in_both(what: str, *steps: Any, value: Any, word: str) -> Tuple[Case, Case]:
    """The same in the config of a model to infer with and of one to start a training from."""
    inference = _file(what, set_in_config(CONFIG, *steps, value=value), word)
    what = what.replace('of the model', 'of the pretrained model')
    return inference, _pretrained(what, *steps, value=value, word=word)


def _loading(what: str, init_cfg: Any, evil: Change = EVIL_WEIGHTS) -> Case:
    """Another way to begin the backbone's weights."""
    steps = ('model', 'backbone', 'init_cfg')
    return _pretrained(what, *steps, value=init_cfg, word='evil.pth', before=(evil,))


CASES: Tuple[Case, ...] = (
    _file(
        'the config of the model imports',
        more_lines(f'{PACKAGE}/{CONFIG}', 'import os', f'os.system("{TOUCH}")'),
        f'/{PACKAGE}/{CONFIG}:',
        'read as data',
        'found Import',
    ),
    _file(
        'the config of the model calls a function',
        more_lines(f'{PACKAGE}/{CONFIG}', f'x = __import__("os").system("{TOUCH}")'),
        f'/{PACKAGE}/{CONFIG}:',
        'found Call',
        'use the config that the training wrote',
    ),
    _file(
        'the config of the pretrained model calls a function',
        changes(more_lines(f'{PACKAGE}/{CONFIG}', f'x = __import__("os").system("{TOUCH}")'), pretrained(CONFIG)),
        f'/{PACKAGE}/{CONFIG}:',
        'found Call',
        task=TRAINING,
    ),
    *_in_both(
        'a type in the config of the model is a function outside mmdet',
        'model',
        'backbone',
        value=SHELL,
        word='os.system',
    ),
    _file(
        'a transform in the config of the model is a function outside mmdet',
        set_in_config(CONFIG, 'test_dataloader', 'dataset', 'pipeline', 'append', value=SHELL),
        'os.system',
        task=MINING,
    ),
    _pretrained(
        'a hook in the config of the pretrained model is a function outside mmdet',
        'custom_hooks',
        'append',
        value=SHELL,
        word='os.system',
    ),
    _pretrained(
        'the optimizer in the config of the pretrained model is a function outside mmdet',
        'optim_wrapper',
        value=SHELL,
        word='os.system',
    ),
    _pretrained(
        'collate_fn in the config of the pretrained model is a function outside mmdet',
        'train_dataloader',
        'collate_fn',
        value={'type': 'subprocess.Popen', 'args': ['touch', '{root}/canary']},
        word='subprocess.Popen',
    ),
    *_in_both(
        'the NMS in the config of the model is an expression',
        'model',
        'test_cfg',
        'nms',
        value={'type': NMS, 'iou_threshold': 0.5},
        word='__import__',
    ),
    _loading('the config of the pretrained model loads further weights, which hold a call', _LOADER),
    _loading('the same, the call being one of numpy’s', _LOADER, harmful_weights(through_numpy, _EVIL_FILE)),
    _loading('the same under another name of the loader', {**_LOADER, 'type': 'mmengine.Pretrained'}),
    _loading('the same in a list', [_LOADER]),
    _loading('the same for one layer', {'type': 'Kaiming', 'layer': 'Conv2d', 'override': {'name': 'stem', **_LOADER}}),
    _file(
        'the config of the model names a teacher whose weights hold a call',
        changes(EVIL_WEIGHTS, with_teacher(CONFIG, None, EVIL)),
        'evil.pth',
    ),
    _file(
        'the config of the model names a teacher whose config calls a function',
        changes(EVIL_CONFIG, with_teacher(CONFIG, f'{{root}}/{PACKAGE}/evil.py', None)),
        'evil.py',
    ),
    *_in_both(
        'a type in the config of the model is a function of mmengine’s that runs a program',
        'model',
        'backbone',
        value=CALL,
        word='mmengine.call_command',
    ),
    _file(
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
        'a type in the config of the model is a module that can be imported',
        set_in_config(CONFIG, 'model', 'backbone', value={'type': 'importable_canary'}),
        'importable_canary',
    ),
    _file(
        'a scope in the config of the model is a module',
        set_in_config(CONFIG, 'model', 'backbone', '_scope_', value='antigravity'),
        'antigravity',
    ),
)
