"""Weights that would run code. A canary must not appear."""

from __future__ import annotations

from typing import Tuple

from tests.failures.case import Case, rows
from tests.failures.packages import (
    ULTRALYTICS,
    copies_without_end,
    harmful_weights,
    plain_pickle,
    pretrained,
    program_in_state,
    shell,
    through_numpy,
    ultralytics_weights,
)
from tests.failures.task import INFERENCE, MINING, TRAINING, WEIGHTS, changes, config

_file = rows(300004, task=INFERENCE, heavy=True)

CASES: Tuple[Case, ...] = (
    _file(
        'the weights hold a call',
        harmful_weights(shell),
        f'/{WEIGHTS}',
        'not loaded for safety',
        'save its state_dict alone',
    ),
    _file(
        'the weights are a pickle that holds a call',
        plain_pickle(shell),
        f'/{WEIGHTS}',
        'not loaded for safety',
        task=MINING,
    ),
    _file(
        'the weights ask for copies without end',
        copies_without_end(),
        f'/{WEIGHTS}',
        'not loaded for safety (it has more than 5000000 steps)',
    ),
    _file(
        'a network that ultralytics saved whole has a call beside it',
        ultralytics_weights(opt=shell),
        f'/{ULTRALYTICS}',
        'not loaded for safety',
        'save its state_dict alone',
    ),
    _file(
        'the pretrained weights hold a call',
        changes(harmful_weights(shell), pretrained()),
        f'/{WEIGHTS}',
        'not loaded for safety',
        task=TRAINING,
    ),
    _file(
        '--resume names a file that holds a call',
        changes(harmful_weights(shell, optimizer={}), config(args_options=f'--resume {{root}}/{WEIGHTS}')),
        f'/{WEIGHTS}',
        'not loaded for safety',
        task=TRAINING,
    ),
    _file(
        '--resume names a file that holds a call of numpy’s',
        changes(harmful_weights(through_numpy, optimizer={}), config(args_options=f'--resume {{root}}/{WEIGHTS}')),
        f'/{WEIGHTS}',
        task=TRAINING,
    ),
    _file(
        '--resume names a state whose config is a program',
        changes(program_in_state(), config(args_options=f'--resume {{root}}/{WEIGHTS}')),
        f'args_options --resume /{WEIGHTS}',
        'or the state of another program',
        task=TRAINING,
    ),
)
