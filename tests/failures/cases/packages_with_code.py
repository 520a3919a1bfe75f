"""Configs of model packages that would run code. A canary must not appear."""

from __future__ import annotations

from typing import Any, Tuple

from tests.failures.case import Case, rows
from tests.failures.packages import (
    CALL,
    EVIL,
    EVIL_CONFIG,
    EVIL_WEIGHTS,
    MEMCACHED,
    NMS,
    SHELL,
    TOUCH,
    plain_pickle,
    pretrained,
    set_in_config,
    shell,
    with_teacher,
)
from tests.failures.task import CONFIG, INFERENCE, MINING, PACKAGE, TRAINING, Change, changes, more_lines

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
    *_in_both(
        'a part of the model is told to learn from a file',
        'model',
        'bbox_head',
        'proposal_file',
        value=EVIL,
        word='a number, true, false, None or a word',
    ),
    _file(
        'a transform within another is a way to read files',
        set_in_config(
            CONFIG,
            *('val_dataloader', 'dataset', 'pipeline', 'append'),
            value={'type': 'RandomChoice', 'transforms': [[{'type': 'InferencerLoader', 'backend_args': MEMCACHED}]]},
        ),
        'InferencerLoader',
    ),
    _pretrained(
        'a hook that runs its settings, in the schedule that a training kept',
        *('published_schedule', 'custom_hooks', 'append'),
        value={'type': 'RFSearchHook', 'mode': 'search', 'config': {}},
        word='RFSearchHook',
    ),
    _file(
        'a scope in the config of the model is a module',
        set_in_config(CONFIG, 'model', 'backbone', '_scope_', value='antigravity'),
        'antigravity',
    ),
)
