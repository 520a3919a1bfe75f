"""What lies in /out already: another task, results of an earlier one, the state to resume from."""

from __future__ import annotations

import fcntl
import os
from typing import Any, Callable, Dict, Tuple

from demo import shapes
from tests.failures.case import Case, rows
from tests.failures.packages import cut_off, harmful_weights, saved, shell
from tests.failures.task import INFERENCE, PACKAGE, WEIGHTS, Change, Task, changes, config, content, removed

_STATE = 'out/training/resume.pth'
_PACKED = f'{PACKAGE}/resume.pth'

_in_use = rows(160004, told=False)
_state = rows(300004, heavy=True)


def another_task(task: Task) -> None:
    """A lock on /out as a task that runs has it, for as long as this process lives."""
    fcntl.flock(os.open(str(task.path('out')), os.O_RDONLY), fcntl.LOCK_SH)


def state_of_one_epoch(spoil: Callable[[Dict[str, Any]], object]) -> Dict[str, Any]:
    """A state of one epoch, spoilt."""
    numbers = {'mAP': 0.5, 'mAR': 0.5, 'tp': 1, 'fp': 1, 'fn': 1, 'timestamp': 1663934682}
    stage = {'name': 'epoch_1', 'epoch': 1, 'files': ['epoch_1.pth'], 'validated': True, **numbers}
    found = {
        'meta': {'epoch': 1, 'iter': 2, 'seed': 1},
        'state_dict': {},
        'optimizer': {'state': {}, 'param_groups': []},
        'param_schedulers': [],
        'ymir_stages': [{'stage': stage, 'classes': [], 'written': ['epoch_1.pth']}],
        'ymir_schedule': {},
        'ymir_classes': shapes.CLASS_NAMES,
    }
    spoil(found)
    return found


def packed(spoil: Callable[[Dict[str, Any]], object], **more: object) -> Change:
    """The same in the pretrained model."""
    model = [f'{{root}}/{WEIGHTS}', f'{{root}}/{_PACKED}']
    return changes(
        saved(lambda task: state_of_one_epoch(spoil), _PACKED),
        config(args_options='--resume', pretrained_model_params=model, **more),
    )


def resumed(spoil: Callable[[Dict[str, Any]], object], **more: object) -> Change:
    """The state in /out, and a task that goes on with it."""
    state = saved(lambda task: state_of_one_epoch(spoil), _STATE)
    return changes(content(_STATE, ''), state, config(args_options='--resume', **more))


CASES: Tuple[Case, ...] = (
    _in_use('another task works in /out', another_task, '/out is in use by another task', 'a folder of its own'),
    _in_use(
        'a training works in the /out of an inference', another_task, '/out is in use by another task', task=INFERENCE
    ),
    _in_use(
        'another task works in /out, and env.yaml is not there',
        changes(another_task, removed('in/env.yaml')),
        '/in/env.yaml cannot be read',
        code=300001,
    ),
    _in_use(
        'another task works in /out, and an argument is none', another_task, '--gpu', code=300001, arguments=('--gpu',)
    ),
    _state(
        'a state to resume from has a stage called ..',
        resumed(lambda state: state['ymir_stages'][0]['stage'].update(name='..')),
        f"/{_STATE}: ymir_stages[0].stage.name must be epoch_1, found '..'",
        'start anew',
    ),
    _state(
        'a state to resume from has a file in another folder',
        resumed(lambda state: state['ymir_stages'][0].update(written=['../../monitor.txt'])),
        f'/{_STATE}: ymir_stages[0].written[0] must be the name of a file without a folder',
    ),
    _state(
        'a state to resume from is of no epoch',
        resumed(lambda state: state['meta'].update(epoch=-1)),
        f'/{_STATE}: meta.epoch must be a whole number from 1',
    ),
    _state(
        'a state to resume from holds numbers that are none',
        resumed(lambda state: state['ymir_stages'][0]['stage'].update(mAP=float('nan'))),
        'stage.mAP must be a number from 0 to 1, found nan',
    ),
    _state(
        'a state to resume from has a history that no training writes',
        resumed(lambda state: state.update(ymir_history=[{'epoch': 1, 'numbers': {'loss': 'low'}}])),
        f"/{_STATE}: ymir_history[0].numbers.loss must be a finite number, found 'low'",
    ),
    _state(
        'a state to resume from is of another detector',
        resumed(lambda state: None),
        f'/{_STATE} does not fit this training: state_dict lacks',
        'set config_file, cfg_options and args_options to what it began with',
    ),
    _state(
        '--resume goes on with other class_names',
        resumed(lambda state: None, class_names=shapes.CLASS_NAMES[::-1]),
        'class_names are triangle, square, circle',
        'goes on with circle, square, triangle, in this order',
        code=300001,
    ),
    _state(
        '--resume with a stage as pretrained model that holds no state',
        config(args_options='--resume', pretrained_model_params=[f'{{root}}/{WEIGHTS}']),
        f'args_options --resume: beside /{WEIGHTS} the pretrained model has no resume.pth to go on with',
        'choose the latest stage of a training that had save_resume_state: true',
    ),
    _state(
        'the pretrained model’s state to resume from is of other class_names',
        packed(lambda state: None, class_names=shapes.CLASS_NAMES[::-1]),
        f'/{_PACKED} goes on with circle, square, triangle, in this order',
        code=300001,
    ),
    _state(
        'the pretrained model’s state to resume from is of another schedule',
        packed(lambda state: state['ymir_schedule'].update(max_epochs=2)),
        f'/{_PACKED} began with, but max_epochs was 2, is 1: set it back',
        code=300001,
    ),
    _state(
        'the pretrained model’s state to resume from is of another detector',
        packed(lambda state: None, max_epochs=2),
        f'/{_PACKED} does not fit this training: state_dict lacks',
    ),
    _state(
        'the pretrained model’s state to resume from is of a training that has ended',
        packed(lambda state: None),
        f'args_options --resume: all 1 epochs of /{_PACKED} are done',
        'leave out --resume to begin anew',
        code=300001,
    ),
    _state(
        'the pretrained model’s state to resume from holds a call',
        changes(packed(lambda state: None), harmful_weights(shell, _PACKED, optimizer={})),
        f'/{_PACKED}',
        'not loaded for safety',
    ),
    _state(
        'the pretrained model’s state to resume from is cut off',
        changes(packed(lambda state: None), cut_off(_PACKED)),
        f'/{_PACKED} is cut off or damaged',
    ),
    _state(
        '--resume without a state, but over models',
        changes(config(args_options='--resume'), content('out/models/result.yaml', 'model_stages: {}\n')),
        f'/{_STATE} does not exist, but /out/models/result.yaml lists models',
    ),
)
