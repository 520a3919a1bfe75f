"""The state to resume from: saved whole, found again, and refused where it does not fit."""

from __future__ import annotations

import copy
import errno
import os
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import EMAHook
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS

from executor.contract.errors import ModelError, ParameterError
from executor.contract.output.training_result import RESUME_FILE
from executor.training.resume import ResumeHook, find_resumed, save_resume_state
from executor.training.resume_state import fitting_state, plain_schedulers, sound_state
from executor.weights.checkpoint import read_checkpoint, save_weights
from tests.support.refusal import refusal
from tests.support.task_folder import names_in

CONFIG = 'yolox.py'


@dataclass
class Runner:
    """Saves a state of a few bytes, or fails after the first ones."""

    failure: OSError | None = None
    iter: int = 7

    def save_checkpoint(self, folder: str, name: str, meta: dict) -> None:
        (Path(folder) / name).write_text(f'{meta}')
        if self.failure is not None:
            raise self.failure


def test_the_state_to_resume_from_is_replaced_whole(tmp_path):
    save_resume_state(Runner(), 1, tmp_path / 'training')
    (tmp_path / 'training' / f'.{RESUME_FILE}.77').write_text('left by a kill')
    (tmp_path / 'training' / f'.{RESUME_FILE}.swp').write_text('not by us')
    save_resume_state(Runner(), 2, tmp_path / 'training')
    assert names_in(tmp_path / 'training') == [f'.{RESUME_FILE}.swp', RESUME_FILE]
    assert (tmp_path / 'training' / RESUME_FILE).read_text() == "{'epoch': 2, 'iter': 7}"


def test_a_state_that_is_whole_is_handed_on(tmp_path):
    told = []
    save_resume_state(Runner(), 1, tmp_path, lambda file: told.append((file, file.read_text())))
    assert told == [(tmp_path / RESUME_FILE, "{'epoch': 1, 'iter': 7}")]
    save_resume_state(Runner(OSError(errno.ENOSPC, 'full')), 2, tmp_path, told.append)
    assert len(told) == 1


@pytest.mark.parametrize('number, goes_on', [(errno.ENOSPC, True), (errno.EDQUOT, True), (errno.EACCES, False)])
def test_a_disk_without_room_for_the_state_does_not_end_the_training(tmp_path, caplog, number, goes_on):
    save_resume_state(Runner(), 1, tmp_path)
    with nullcontext() if goes_on else pytest.raises(OSError):
        save_resume_state(Runner(OSError(number, os.strerror(number))), 2, tmp_path)
    assert (f'{tmp_path} is full: the state of epoch 2, to resume from, is not saved' in caplog.text) is goes_on
    assert names_in(tmp_path) == [RESUME_FILE]
    assert (tmp_path / RESUME_FILE).read_text() == "{'epoch': 1, 'iter': 7}"


# --- what a file may hold -------------------------------------------------------------------------------------------


class Training(SimpleNamespace):
    """What a runner is to the state: a detector of one layer with its average, its optimizer, its schedule."""

    def __init__(
        self, outputs: int = 2, averaged: bool = True, epochs: int = 9, schedule: str = 'LinearLR', **curve: object
    ) -> None:
        model = torch.nn.Linear(3, outputs)
        groups = [{'params': [parameter], 'weight_decay': 0.0} for parameter in model.parameters()]
        optimizer = OptimWrapper(torch.optim.SGD(groups, lr=0.1, momentum=0.9))
        hook = EMAHook()
        if averaged:
            hook.before_run(SimpleNamespace(model=model))
        curve = curve or {'start_factor': 0.5, 'end': 20}
        curve = PARAM_SCHEDULERS.build({'type': schedule, 'optimizer': optimizer, **curve})
        super().__init__(
            model=model,
            hooks=[hook] if averaged else [],
            optim_wrapper=optimizer,
            param_schedulers=[curve],
            max_epochs=epochs,
            train_dataloader=range(7),
        )

    def step(self) -> Training:
        self.model(torch.ones(1, 3)).sum().backward()
        self.optim_wrapper.step()
        self.param_schedulers[0].step()
        return self

    def state(self) -> dict:
        """As it lies in a file after four epochs, of which three left a stage."""
        state = {
            'meta': {'epoch': 4, 'iter': 28, 'seed': 1, 'cfg': 'x = 1', 'dataset_meta': {'classes': ('cat', 'dog')}},
            'message_hub': {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}},
            'state_dict': self.model.state_dict(),
            'optimizer': self.optim_wrapper.state_dict(),
            'param_schedulers': plain_schedulers([schedule.state_dict() for schedule in self.param_schedulers]),
            'ymir_stages': [stage(epoch) for epoch in (1, 2, 4)],
            'ymir_schedule': {'max_epochs': 9, 'batch_size': 4, 'ranks': 1},
            'ymir_classes': ['cat', 'dog'],
        }
        if self.hooks:
            state['ema_state_dict'] = self.hooks[0].ema_model.state_dict()
        return copy.deepcopy(state)


def stage(epoch: int) -> dict:
    name = f'epoch_{epoch}'
    numbers = {'mAP': 0.5, 'mAR': 1, 'tp': 1, 'fp': 0, 'fn': 2, 'timestamp': 1663934682}
    classes = {'name': 'cat', 'true_boxes': 3, 'ap': 0.5, 'ap_50': 0.5, 'tp': 1, 'fp': 0, 'fn': 2}
    return {
        'stage': {'name': name, 'epoch': epoch, 'files': (f'{name}.pth',), 'validated': True, **numbers},
        'classes': (classes,),
        'written': (f'{name}.pth', CONFIG),
    }


def changed(state: dict, path: str, value: object) -> dict:
    """A state with another value at a path of keys and numbers; ABSENT for none."""
    *way, last = [int(key) if key.isdigit() else key for key in path.split('/')]
    place = state
    for key in way:
        place[key] = place = list(place[key]) if isinstance(place[key], tuple) else place[key]
    if value is ABSENT:
        del place[last]
    else:
        place[last] = value
    return state


ABSENT = object()
NAME, FILES, WRITTEN = 'ymir_stages/0/stage/name', 'ymir_stages/0/stage/files', 'ymir_stages/0/written'
NO_NAMES = [
    '',
    '.',
    '..',
    '/',
    'a/b',
    '../a.pth',
    '/a.pth',
    '.hidden',
    'a\0',
    'a\n',
    'a' * 256,
    '\ud800',
    7,
    None,
    b'a',
]


UNWRITTEN = [
    *((NAME, name, r'ymir_stages\[0\].stage.name must be') for name in (*NO_NAMES, 'epoch_2', 'epoch_01', 'epoch_1 ')),
    *((FILES, [name], r'stage.files\[0\] must be the name of a file without a folder') for name in NO_NAMES),
    *((WRITTEN, ['a', name], r'written\[1\] must be the name of a file without a folder') for name in NO_NAMES),
    (FILES, 'epoch_1.pth', "stage.files must be a list, found 'epoch_1.pth'"),
    (FILES, None, 'stage.files must be a list'),
    (WRITTEN, None, 'written must be a list'),
    ('ymir_stages', {}, 'ymir_stages must be a list'),
    ('ymir_stages', None, 'ymir_stages must be a list'),
    ('ymir_stages/1', 7, r'ymir_stages\[1\] must be a dict'),
    ('ymir_stages/1', stage(1), r'ymir_stages must be in the order of their epochs, each once, found \[1, 1, 4\]'),
    ('ymir_stages/2', stage(5), 'ymir_stages must be of epochs up to 4, found .epoch_5'),
    ('ymir_stages/2', {7: 8}, 'must be a dict with text as keys'),
    *(('ymir_stages/0/stage/epoch', n, 'stage.epoch must be') for n in (0, -1, True, 1.0, '1', None, 10**5000)),
    *(
        (f'ymir_stages/0/stage/{key}', value, f'stage.{key} must be a number from 0 to 1')
        for key in ('mAP', 'mAR')
        for value in (float('nan'), float('inf'), -0.1, 1.1, True, '1', None, ABSENT)
        if value is not ABSENT
    ),
    *(
        (f'ymir_stages/0/{key}', value, 'must be a whole number')
        for key in ('stage/tp', 'stage/fp', 'stage/fn', 'stage/timestamp', 'classes/0/tp', 'classes/0/true_boxes')
        for value in (-1, 1.0, True, 2**60, None)
    ),
    ('ymir_stages/0/stage/validated', 1, 'stage.validated must be True or False'),
    ('ymir_stages/0/classes/0/name', 7, r'classes\[0\].name must be text'),
    ('ymir_stages/0/classes/0/ap', 2, r'classes\[0\].ap must be a number from 0 to 1'),
    ('ymir_stages/0/classes/0/at_best', 7, r'classes\[0\].at_best must be a dict'),
    ('ymir_stages/0/classes/0/at_best', {'threshold': 2}, 'at_best.threshold must be a number from 0 to 1'),
    ('ymir_stages/0/classes/0', [], r'classes\[0\] must be a dict'),
    ('ymir_stages/0/classes', ABSENT, 'classes must be a list'),
    *(('meta/epoch', n, 'meta.epoch must be a whole number from 1') for n in (0, -3, True, 1.5, '4', None, 10**5000)),
    *(('meta/iter', n, 'meta.iter must be a whole number') for n in (-1, True, 1.5, 10**30)),
    *(('meta/seed', n, 'meta.seed must be a whole number') for n in (-1, True, 2**32, 'x')),
    ('meta', ABSENT, 'meta must be a dict'),
    ('meta', [1], 'meta must be a dict'),
    ('state_dict', ABSENT, 'state_dict must be a dict'),
    ('optimizer', [], 'optimizer must be a dict'),
    ('ema_state_dict', [], 'ema_state_dict must be a dict'),
    ('ymir_schedule', [1], 'ymir_schedule must be a dict'),
    ('ymir_schedule/max_epochs', '9', 'ymir_schedule.max_epochs must be a whole number'),
    ('ymir_classes', 'cat', 'ymir_classes must be a list'),
    ('ymir_classes/1', 7, r'ymir_classes\[1\] must be text'),
]


@pytest.mark.parametrize('path, value, words', UNWRITTEN, ids=range(len(UNWRITTEN)))
def test_what_no_training_writes_is_refused(path, value, words):
    with pytest.raises(ValueError, match=words):
        sound_state(changed(Training().state(), path, value), CONFIG)


def test_what_a_training_writes_is_taken():
    training = Training().step()
    fitting = fitting_state(sound_state(training.state(), CONFIG), Training())
    assert set(fitting) == {'meta', 'message_hub', 'state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers'}
    assert fitting['meta'] == {'epoch': 4, 'iter': 28, 'seed': 1}
    assert fitting['param_schedulers'][0]['last_step'] == 1
    assert fitting['optimizer']['state'][0]['momentum_buffer'].tolist() == [[1, 1, 1], [1, 1, 1]]
    fresh = Training()
    fresh.optim_wrapper.load_state_dict(fitting['optimizer'])
    assert fresh.optim_wrapper.state_dict()['param_groups'] == training.optim_wrapper.state_dict()['param_groups']


@pytest.mark.parametrize(
    'curve',
    [
        {'schedule': 'MultiStepLR', 'milestones': [3, 5, 5]},
        {'schedule': 'OneCycleLR', 'eta_max': 0.1, 'total_steps': 9},
        {'schedule': 'CosineAnnealingLR', 'T_max': 9},
    ],
    ids=lambda curve: curve['schedule'],
)
def test_every_schedule_goes_on_from_its_file(tmp_path, curve):
    training, fresh = Training(**curve).step(), Training(**curve)
    save_weights(tmp_path / 'weights.pth', {}, training.state())
    state = read_checkpoint(tmp_path / 'weights.pth')['meta']
    found = fitting_state(sound_state(state, CONFIG), fresh)
    fresh.optim_wrapper.load_state_dict(found['optimizer'])
    fresh.param_schedulers[0].load_state_dict(found['param_schedulers'][0])
    assert (found['param_schedulers'][0]['last_step'], fresh.param_schedulers[0].last_step) == (1, 1)
    for each in (training, fresh):
        each.optim_wrapper.optimizer.step()
        each.param_schedulers[0].step()
    assert fresh.param_schedulers[0].get_last_value() == training.param_schedulers[0].get_last_value()


def test_other_milestones_are_refused():
    state = Training(schedule='MultiStepLR', milestones=[3, 5]).state()
    with pytest.raises(ValueError, match=r'milestones lacks 1 of 2 \(6\)'):
        fitting_state(sound_state(state, CONFIG), Training(schedule='MultiStepLR', milestones=[3, 6]))


@pytest.mark.parametrize(
    'path, value',
    [
        ('meta/config', 'import os; os.abort()'),  # which mmengine runs
        ('message_hub/log_scalars', {'a': 1}),
        ('message_hub', 7),
        ('more', 7),
        ('optimizer/more', 7),
    ],
)
def test_what_is_not_listed_is_left_behind(path, value):
    known = fitting_state(sound_state(Training().state(), CONFIG), Training())
    found = fitting_state(sound_state(changed(Training().state(), path, value), CONFIG), Training())
    assert set(found) == set(known) and set(found['optimizer']) == set(known['optimizer'])
    assert (found['meta'], found['message_hub']) == (known['meta'], known['message_hub'])


def test_iterations_are_counted_in_the_images_of_now():
    state = changed(Training().state(), 'meta/iter', 4 * 100)
    assert fitting_state(sound_state(state, CONFIG), Training())['meta']['iter'] == 4 * 7


GROUP, SCHEDULE = 'optimizer/param_groups/1', 'param_schedulers/0'


@pytest.mark.parametrize(
    'path, value, words',
    [
        ('state_dict/weight', torch.ones(3, 3), r'state_dict.weight must be a tensor of the shape \(2, 3\)'),
        ('state_dict/weight', 7, 'state_dict.weight must be a tensor, found 7'),
        ('state_dict/bias', torch.tensor([1.0, float('nan')]), 'state_dict.bias holds numbers that are not finite'),
        ('state_dict/bias', ABSENT, 'state_dict lacks 1 of 2 .*bias'),
        ('state_dict/more', torch.ones(1), 'state_dict has more than this training: 1 of 3 .*more'),
        ('ema_state_dict/module.bias', torch.ones(3), 'ema_state_dict.module.bias must be a tensor of the shape'),
        ('ema_state_dict/steps', ABSENT, 'ema_state_dict lacks'),
        ('ema_state_dict', ABSENT, 'ema_state_dict lacks 3 of 3'),
        ('meta/epoch', 10, 'meta.epoch must be a whole number from 0 to 9, found 10'),
        (GROUP, ABSENT, 'optimizer.param_groups has 1 elements where this training has 2'),
        (f'{GROUP}/lr', ABSENT, 'param_groups.* lacks 1'),
        (f'{GROUP}/lr', 'x', 'lr must be such as'),
        (f'{GROUP}/lr', float('nan'), 'lr must be such as'),
        (f'{GROUP}/lr', True, 'lr must be such as'),
        (f'{GROUP}/nesterov', 7, 'nesterov must be such as False, found 7'),
        (f'{GROUP}/params', [0], 'are of other parameters'),
        (f'{GROUP}/params', [7], 'are of other parameters'),
        ('optimizer/base_param_settings', 7, 'base_param_settings must be a dict'),
        ('optimizer/base_param_settings/momentum', 'x', 'base_param_settings.momentum must be such as 0.9'),
        ('optimizer/base_param_settings/params', torch.ones(2), 'base_param_settings.params must be a tensor of'),
        ('optimizer/param_groups', 7, 'param_groups must be a list'),
        ('optimizer/state', [], 'optimizer.state must be a dict'),
        ('optimizer/state/2', {}, 'a key of optimizer.state must be a whole number from 0 to 1, found 2'),
        ('optimizer/state/0', [], r'optimizer.state\[0\] must be a dict'),
        ('optimizer/state/0/momentum_buffer', torch.ones(3, 3), 'momentum_buffer must be a tensor of the shape'),
        ('optimizer/state/0/momentum_buffer', torch.full((2, 3), float('inf')), 'not finite'),
        ('optimizer/state/0/momentum_buffer', 'x', 'momentum_buffer must be such as None'),
        ('param_schedulers', ABSENT, 'param_schedulers has 0 elements where this training has 1'),
        (SCHEDULE, 7, r'param_schedulers\[0\] must be a dict'),
        (f'{SCHEDULE}/step', 7, 'has more than this training'),  # would take the place of the method
        (f'{SCHEDULE}/last_step', ABSENT, 'lacks'),
        (f'{SCHEDULE}/last_step', '1', 'last_step must be such as 0'),
        (f'{SCHEDULE}/last_step', 2**60, 'last_step must be such as 0'),
        (f'{SCHEDULE}/base_values', [0.1], 'base_values has 1 elements where this training has 3'),
        (f'{SCHEDULE}/param_name', 7, "param_name must be such as 'lr'"),
        (f'{SCHEDULE}/param_name', 'weight_decay', "param_name must be such as 'lr', found 'weight_decay'"),
    ],
)
def test_what_does_not_fit_the_training_is_refused(path, value, words):
    with pytest.raises(ValueError, match=words):
        fitting_state(sound_state(changed(Training().step().state(), path, value), CONFIG), Training())


@pytest.mark.parametrize('before, now', [({'outputs': 3}, {}), ({'averaged': False}, {}), ({}, {'averaged': False})])
def test_a_state_of_another_detector_is_refused(before, now):
    with pytest.raises(ValueError, match='state_dict'):
        fitting_state(sound_state(Training(**before).state(), CONFIG), Training(**now))


def test_a_state_of_a_torch_with_other_settings_goes_on():
    state = Training().state()
    for group in ('optimizer/param_groups/1', 'optimizer/base_param_settings'):
        state = changed(changed(state, f'{group}/nesterov', ABSENT), f'{group}/more', 7)
    found = fitting_state(sound_state(state, CONFIG), Training())['optimizer']
    for group in (found['param_groups'][1], found['base_param_settings']):
        assert group['nesterov'] is False and 'more' not in group


# --- found, or refused with file and remedy -------------------------------------------------------------------------


@pytest.fixture
def find(ymir_task):
    """Look for the state in a task of two classes, nine epochs and a batch of four."""

    def look(state: dict, option: str = '--resume', classes=('cat', 'dog'), epochs: int = 9) -> Path | None:
        file = ymir_task.root / 'out/training' / RESUME_FILE
        file.parent.mkdir(exist_ok=True)
        torch.save(state, str(file))
        return found(option, classes, epochs)

    def found(
        option: str = '--resume', classes=('cat', 'dog'), epochs: int = 9, model=(), validates: bool = True
    ) -> Path | None:
        own = {'class_names': list(classes), 'pretrained_model_params': [str(file) for file in model]}
        job = ymir_task.job(config_file=f'configs/{CONFIG}', args_options=option, **own)
        config = {'train_cfg': {'max_epochs': epochs}, 'train_dataloader': {'batch_size': 4}}
        config.update(val_cfg={} if validates else None, fine_tuned=False)
        resumed = find_resumed(job.env, job.training)
        if resumed is None:
            return None
        resumed.check(job.training, Config(config))
        return resumed.file

    look.without = found
    return look


def test_the_state_of_the_same_training_is_found(ymir_task, find):
    assert find(Training().state()) == ymir_task.root / 'out/training' / RESUME_FILE
    assert find(Training().state(), option='') is None


@pytest.mark.parametrize('schedule, fine_tuned', [({'fine_tuned': 1}, True), ({'fine_tuned': 0}, False), ({}, False)])
def test_a_training_goes_on_with_the_kind_of_schedule_it_began_with(ymir_task, schedule, fine_tuned):
    """Versions before knew the published one alone."""
    file = ymir_task.root / 'resume.pth'
    torch.save(changed(Training().state(), 'ymir_schedule', schedule), str(file))
    job = ymir_task.job(config_file=f'configs/{CONFIG}', args_options=f'--resume {file}')
    assert find_resumed(job.env, job.training).fine_tuned is fine_tuned


@pytest.fixture
def model(ymir_task):
    """The files of a model package that holds a state, with its weights."""
    files = [ymir_task.write(f'in/models/epoch_4/{name}', '') for name in ('epoch_4.pth', RESUME_FILE)]
    torch.save(Training().state(), str(files[1]))
    return files


def test_the_state_of_the_pretrained_model_is_found_but_that_in_out_is_the_later(ymir_task, find, model, caplog):
    assert find.without(model=model) == model[1]
    assert find(Training().state()) == ymir_task.root / 'out/training' / RESUME_FILE
    assert find.without(model=model) == ymir_task.root / 'out/training' / RESUME_FILE
    caplog.set_level('INFO')
    assert find.without(option='', model=model) is None
    assert f'{model[1]}: the state to resume from is left alone without args_options --resume' in caplog.text


def test_a_state_of_the_pretrained_model_is_held_to_the_same(ymir_task, find, model):
    told = refusal(ParameterError, find.without, epochs=10, model=model)
    assert f'{model[1]} began with, but max_epochs was 9, is 10' in told
    ymir_task.write('out/models/result.yaml', 'mAP: 1\n')
    assert 'lists models, which a training anew removes' in refusal(ModelError, find.without, model=model)


@pytest.mark.parametrize(
    'validated, validates, ended', [(True, True, True), (False, True, False), (False, False, True)]
)
def test_a_training_that_has_ended_is_gone_on_with_beside_its_models_alone(find, model, validated, validates, ended):
    state = changed(changed(Training().state(), 'meta/epoch', 9), 'ymir_stages/2', stage(9))
    state['ymir_stages'][2]['stage']['validated'] = validated
    torch.save(state, str(model[1]))
    if ended:
        assert refusal(ParameterError, find.without, model=model, validates=validates) == (
            f'args_options --resume: all 9 epochs of {model[1]} are done: leave out --resume to begin anew with its '
            'model as pretrained weights'
        )
    else:
        assert find.without(model=model, validates=validates) == model[1]
    assert find(state) is not None


def test_a_stage_of_a_training_without_its_state_is_refused_but_other_weights_begin_anew(ymir_task, find, model):
    told = refusal(ModelError, find.without, model=model[:1])
    assert told == (
        f'args_options --resume: beside {model[0]} the pretrained model has no {RESUME_FILE} to go on with: choose the '
        'latest stage of a training that had save_resume_state: true, or leave out --resume to begin anew with the '
        'weights'
    )
    assert find.without(model=[ymir_task.write('in/models/yolox_nano.pth', '')]) is None


@pytest.mark.parametrize('path, value', [('optimizer', ABSENT), ('meta/config', 'import os; os.abort()')])
def test_weights_and_states_of_other_programs_are_refused(find, path, value):
    told = refusal(ModelError, find, changed(Training().state(), path, value))
    assert 'the file holds weights only, or the state of another program: resume from the resume.pth of' in told


def test_a_wrong_file_is_named(ymir_task, find):
    told = refusal(ModelError, find, changed(Training().state(), NAME, '..'))
    assert told == (
        f"{ymir_task.root}/out/training/{RESUME_FILE}: ymir_stages[0].stage.name must be epoch_1, found '..': resume "
        f'from the {RESUME_FILE} of a training as it was written, or start anew'
    )


@pytest.mark.parametrize('classes', [('dog', 'cat'), ('cat',), ('cat', 'dog', 'cow'), ('cat', 'Dog')])
@pytest.mark.parametrize('lost', ['', 'ymir_classes'])  # the version before kept them with the dataset alone
def test_other_classes_are_refused(find, classes, lost):
    state = changed(Training().state(), lost, ABSENT) if lost else Training().state()
    told = refusal(ParameterError, find, state, classes=classes)
    assert f'class_names are {", ".join(classes)}, but args_options --resume ' in told
    assert f'{RESUME_FILE} goes on with cat, dog, in this order: set it back' in told


def test_a_file_that_does_not_tell_its_classes_goes_on(find):
    state = changed(changed(Training().state(), 'ymir_classes', ABSENT), 'meta/dataset_meta', ABSENT)
    assert find(state, classes=('dog', 'cat')) is not None


def test_another_schedule_is_refused(find):
    told = refusal(ParameterError, find, Training().state(), epochs=10)
    assert 'but max_epochs was 9, is 10: set it back' in told


def test_another_kind_of_schedule_is_told_by_its_key(find):
    told = refusal(ParameterError, find, changed(Training().state(), 'ymir_schedule', {'fine_tuned': 1}))
    assert 'but fine_tuning in config_file and cfg_options (1 with it, 0 without) was 1, is 0: set it back' in told


def test_without_a_state_a_training_begins_anew_but_not_over_models(ymir_task, find):
    assert find.without() is None
    ymir_task.write('out/models/result.yaml', 'mAP: 1\n')
    told = refusal(ModelError, find.without)
    assert told.startswith(f'args_options --resume: {ymir_task.root}/out/training/{RESUME_FILE} does not exist, but ')
    assert 'lists models, which a training anew removes' in told


# --- while it trains ------------------------------------------------------------------------------------------------


@pytest.fixture
def hook(ymir_task):
    return lambda file: ResumeHook(None, ymir_task.job().training, Config(), file)


def test_a_failure_before_the_first_step_is_explained_by_the_state(hook):
    failure = RuntimeError('The size of tensor a (3) must match')
    resumed = hook(Path('/out/training/resume.pth'))
    told = refusal(ModelError, resumed.raise_as_unfit, failure)
    assert told.startswith(
        '/out/training/resume.pth does not fit this training (RuntimeError: The size of tensor a (3)'
    )
    for error in (ModelError('explained'), OSError(28, 'No space left'), RuntimeError('CUDA out of memory')):
        resumed.raise_as_unfit(error)
    resumed.after_train_iter(None, batch_idx=0)
    resumed.raise_as_unfit(failure)
    hook(None).raise_as_unfit(failure)


@pytest.mark.parametrize('stopped', [True, False])
@pytest.mark.parametrize('stages', [[], ['epoch_7']])
@pytest.mark.parametrize('file', [Path('/in/models/epoch_7/resume.pth'), None])
def test_a_training_that_patience_has_ended_is_not_gone_on_with_elsewhere(ymir_task, stopped, stages, file):
    hook = ResumeHook(SimpleNamespace(stages=stages), ymir_task.job(patience=3).training, Config(), file)
    runner = SimpleNamespace(epoch=7, train_loop=SimpleNamespace(stop_training=stopped))
    if not stopped or stages or file is None:
        hook.before_train(runner)
        return
    assert refusal(ParameterError, hook.before_train, runner) == (
        'patience: 3 has ended the training of /in/models/epoch_7/resume.pth after epoch 7: set it higher, or leave '
        'out --resume to begin anew with its model as pretrained weights'
    )
