"""Hold a state to resume from to what a training writes, and to the training that is to go on with it.

mmengine takes what the file says: it would run a config in it, set any attribute of a scheduler, start with half of the
parameters. So it gets a dict of ours, with what is listed here and nothing else.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Dict, List, Mapping, Optional, Sequence

import torch
from mmengine.hooks import EMAHook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from executor.training.expect import each, entries, like, mapping, tensor, text, whole, wrong
from executor.training.history_hook import read_history
from executor.training.stage_state import read_stages
from executor.weights.checkpoint import Checkpoint, class_names_of

# mmengine's own holds objects. It wants one, and need not take anything from it.
EMPTY_MESSAGE_HUB: Mapping[str, object] = {'log_scalars': {}, 'runtime_info': {}, 'resumed_keys': {}}
_MOST_SEED = 2**32 - 1


def sound_state(checkpoint: Mapping[str, object], config_name: str) -> Checkpoint:
    """Take what a training goes on from out of a resume file; `config_name` is that of this training.

    `ymir_stages` are `TrainedStage`; `ymir_classes` are None where the file does not tell them.

    Raises:
        ValueError: something is not what a training writes.
    """
    meta = entries(checkpoint.get('meta'), 'meta', {'epoch': partial(whole, least=1), 'iter': whole, 'seed': _seed})
    stages = read_stages(checkpoint.get('ymir_stages', []), config_name)
    if stages and stages[-1].stage.epoch > meta['epoch']:
        raise wrong('ymir_stages', f'of epochs up to {meta["epoch"]}', stages[-1].stage.name)
    names = checkpoint.get('ymir_classes', class_names_of(checkpoint))
    return {
        'meta': meta,
        'state_dict': mapping(checkpoint.get('state_dict'), 'state_dict'),
        'ema_state_dict': mapping(checkpoint.get('ema_state_dict', {}), 'ema_state_dict'),
        'optimizer': mapping(checkpoint.get('optimizer'), 'optimizer'),
        'param_schedulers': checkpoint.get('param_schedulers', []),
        'ymir_stages': stages,
        'ymir_history': read_history(checkpoint.get('ymir_history', [])),
        'ymir_schedule': {
            key: whole(value, f'ymir_schedule.{key}')
            for key, value in mapping(checkpoint.get('ymir_schedule', {}), 'ymir_schedule').items()
        },
        'ymir_classes': None if names is None else each(names, 'ymir_classes', text),
    }


def fitting_state(state: Checkpoint, runner: Runner) -> Checkpoint:
    """Take of a sound state what mmengine gets, all of it of the form that this training has.

    Raises:
        ValueError: the state is of another detector, or of none.
    """
    averages = [hook.ema_model.state_dict() for hook in averaging_hooks(runner)]
    epoch = whole(state['meta']['epoch'], 'meta.epoch', most=runner.max_epochs)
    like(state['state_dict'], unwrapped_model(runner).state_dict(), 'state_dict')
    like(state['ema_state_dict'], averages[0] if averages else {}, 'ema_state_dict')
    schedulers = plain_schedulers([scheduler.state_dict() for scheduler in runner.param_schedulers or ()])
    like(state['param_schedulers'], schedulers, 'param_schedulers')
    return {
        'meta': {**state['meta'], 'iter': epoch * len(runner.train_dataloader)},  # of the images that there are now
        'message_hub': dict(EMPTY_MESSAGE_HUB),
        'state_dict': state['state_dict'],
        **({'ema_state_dict': state['ema_state_dict']} if averages else {}),
        'optimizer': _optimizer(state['optimizer'], runner),
        'param_schedulers': list(state['param_schedulers']),
    }


def unwrapped_model(runner: Runner) -> torch.nn.Module:
    """Return the model that is trained, without what wraps it for several ranks."""
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def averaging_hooks(runner: Runner) -> List[EMAHook]:
    """Return the hooks that average weights: one, where the config has one."""
    return [hook for hook in runner.hooks if isinstance(hook, EMAHook)]


def _seed(value: object, place: str) -> Optional[int]:
    return None if value is None else whole(value, place, most=_MOST_SEED)


def plain_schedulers(states: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
    """Leave out the functions in the states of schedulers, such as OneCycleLR's curve: each scheduler has its own."""
    return [{key: value for key, value in state.items() if not callable(value)} for state in states]


def _optimizer(found: Dict[str, Any], runner: Runner) -> Dict[str, object]:
    known = runner.optim_wrapper.state_dict()
    groups = each(found.get('param_groups'), 'optimizer.param_groups', mapping)
    if len(groups) == len(known['param_groups']):
        groups = tuple(_settings(group, one) for group, one in zip(groups, known['param_groups']))
    like(groups, known['param_groups'], 'optimizer.param_groups')
    parameters = [parameter for group in runner.optim_wrapper.optimizer.param_groups for parameter in group['params']]
    if [number for group in groups for number in group['params']] != list(range(len(parameters))):
        raise ValueError('optimizer.param_groups are of other parameters than those of this training')
    state = found.get('state')
    if not isinstance(state, dict):
        raise wrong('optimizer.state', 'a dict', state)
    for number, entry in state.items():
        parameter = parameters[whole(number, 'a key of optimizer.state', most=len(parameters) - 1)]
        place = f'optimizer.state[{number}]'
        for key, value in mapping(entry, place).items():
            _of_parameter(value, parameter, f'{place}.{key}')
    sound: Dict[str, object] = {'state': state, 'param_groups': list(groups)}
    if 'base_param_settings' in found and 'base_param_settings' in known:
        base, place = known['base_param_settings'], 'optimizer.base_param_settings'
        sound['base_param_settings'] = _settings(mapping(found['base_param_settings'], place), base)
        like(sound['base_param_settings'], base, place)
    if 'loss_scaler' in found and 'loss_scaler' in known:
        like(found['loss_scaler'], known['loss_scaler'], 'optimizer.loss_scaler')
        sound['loss_scaler'] = found['loss_scaler']
    return sound


def _settings(found: Dict[str, Any], known: Dict[str, Any]) -> Dict[str, Any]:
    """Take the settings of a group; another version of torch has more of them or fewer, but always a learning rate."""
    return {key: found.get(key, value) for key, value in known.items() if key in found or key != 'lr'}


def _of_parameter(value: object, parameter: torch.Tensor, place: str) -> None:
    """Check what an optimizer keeps for a parameter: nothing, a number, or as many as the parameter has."""
    if isinstance(value, torch.Tensor):
        # Some optimizers keep sums over all axes but one.
        sums = value.dim() == parameter.dim() and all(n in (1, m) for n, m in zip(value.shape, parameter.shape))
        tensor(value, place, value.shape if value.dim() == 0 or sums else parameter.shape)
    else:
        like(value, None, place)
