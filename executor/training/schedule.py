"""Scale a published schedule to the run: other epochs, another total batch."""

from __future__ import annotations

import copy
import logging
from typing import List, NamedTuple, Optional

from mmengine.config import Config

from executor.config.plain import ConfigDict

logger = logging.getLogger(__name__)


class FineTuning(NamedTuple):
    """How a schedule is scaled.

    Attributes:
        learning_rate_power: the learning rate goes with this power of the total batch.
        closing_share: the closing epochs without mosaic are as many as are published, up to this share of the run, and
            no fewer than in proportion.
    """

    learning_rate_power: float = 1.0
    closing_share: float = 0.0

    def words(self) -> str:
        """Say for the log what differs from the published schedule."""
        return (
            f'the learning rate goes with the total batch to the power of {self.learning_rate_power:g}, and of a short '
            f'run up to {self.closing_share:.0%} are without mosaic'
        )


AS_PUBLISHED = FineTuning()

_LONGEST_WARMUP = 0.1  # of a run, where a published schedule counts its warm-up in iterations
_SCHEDULE_KEYS = ('train_cfg', 'param_scheduler', 'custom_hooks', 'optim_wrapper', 'auto_scale_lr', 'fine_tuning')


def keep_published_schedule(config: Config) -> None:
    """Keep the schedule as published beside the one of this run, or bring it back where a training kept it.

    A model package holds the schedule of its own run; the next training must scale the published one, not that.
    """
    if 'published_schedule' in config:
        for key, value in copy.deepcopy(config['published_schedule']).items():
            config[key] = value  # `update` would merge the two
    else:
        config['published_schedule'] = {key: copy.deepcopy(config[key]) for key in _SCHEDULE_KEYS if key in config}


def fine_tuning_of(config: Config) -> FineTuning:
    """Return what `config` says of a training that begins with pretrained weights; most say nothing.

    A published schedule is one for random weights and many epochs. docs/training.md has what was measured with others.
    """
    return FineTuning(**(config.get('fine_tuning') or {}))


def scale_schedule(
    config: Config, max_epochs: int, iterations_per_epoch: int, fine_tuning: FineTuning = AS_PUBLISHED
) -> None:
    """Change warm-up, decay and closing epochs of `config` in proportion to `max_epochs`, each at least one epoch.

    A run too short for all of them drops the closing first, then the decay: one epoch is all warm-up.
    """
    train_cfg = config['train_cfg']
    if 'max_epochs' in train_cfg:
        published = train_cfg['max_epochs']
    else:  # by iterations: the length in epochs of this dataset
        published = max(1.0, train_cfg['max_iters'] / iterations_per_epoch)
    scaled = []
    for scheduler in map(dict, _schedulers(config)):
        if not scheduler.get('by_epoch', True):
            factor = max_epochs / published if 'max_iters' in train_cfg else None
            _scale_iterations(scheduler, factor, max_epochs * iterations_per_epoch)
            scaled.append(scheduler)
        elif _scale_epochs(scheduler, published, max_epochs):
            scaled.append(scheduler)
    config['param_scheduler'] = _without_overlap(scaled, max_epochs)
    for hook in config.get('custom_hooks') or []:
        if 'num_last_epochs' in hook:
            # mmdet's YOLOXModeSwitchHook compares epoch + 1, so it closes one epoch more than it is told.
            closing = hook['num_last_epochs'] + 1
            longest = min(closing, round(fine_tuning.closing_share * max_epochs))
            closing = max(_at_least_one(closing, published, max_epochs), longest)
            hook['num_last_epochs'] = min(max_epochs, closing) - 1
        if 'switch_epoch' in hook:
            hook['switch_epoch'] = _scale_boundary(hook['switch_epoch'], published, max_epochs)


def scale_learning_rate(
    config: Config, total_batch: int, chosen: Optional[float] = None, fine_tuning: FineTuning = AS_PUBLISHED
) -> None:
    """Change the learning rate with the total batch, from the batch that the config was published for.

    Args:
        config: changed in place.
        total_batch: images of all ranks in a step.
        chosen: the rate that the user wants for it, None for the one in proportion.
    """
    base = (config.get('auto_scale_lr') or {}).get('base_batch_size')
    optimizer = config['optim_wrapper'].get('optimizer', {})
    published = optimizer.get('lr')
    if chosen is None and not (base and published):
        logger.warning('the config does not say for which batch its learning rate is: it is used as it is')
        return
    usual = published * (total_batch / base) ** fine_tuning.learning_rate_power if base and published else published
    if chosen is not None:
        logger.info('learning_rate: %g for a total batch of %d, instead of %s', chosen, total_batch, _told(usual))
    optimizer['lr'] = usual if chosen is None else chosen
    if base:
        config['auto_scale_lr'] = {**config['auto_scale_lr'], 'base_batch_size': total_batch}
    for scheduler in _schedulers(config):
        if scheduler.get('eta_min') and published:
            scheduler['eta_min'] *= optimizer['lr'] / published


def describe_schedule(config: Config, total_batch: int) -> str:
    """Say in one line for the log what the run uses after everything, the user's changes included."""
    phases = ', '.join(
        f'{scheduler["type"]} {scheduler.get("begin", 0)}-{scheduler.get("end", "end")}'
        + ('' if scheduler.get('by_epoch', True) else ' iterations')
        for scheduler in _schedulers(config)
    )
    closing = [hook['num_last_epochs'] + 1 for hook in config.get('custom_hooks') or [] if 'num_last_epochs' in hook]
    mosaic = f'; last {closing[0]} without mosaic' if closing else ''
    epochs = config['train_cfg']['max_epochs']
    rate = config['optim_wrapper'].get('optimizer', {}).get('lr')
    rate = _told(rate)
    return f'{epochs} epochs, total batch {total_batch}, learning rate {rate}; epochs of the schedule: {phases}{mosaic}'


def _told(rate: object) -> object:
    return f'{rate:g}' if isinstance(rate, (int, float)) else rate


def _scale_epochs(scheduler: ConfigDict, published: float, max_epochs: int) -> bool:
    """Scale a phase given in epochs; returns whether anything is left of it."""
    scheduler['begin'] = _scale_boundary(scheduler.get('begin', 0), published, max_epochs)
    scheduler['end'] = _scale_boundary(min(scheduler.get('end', published), published), published, max_epochs)
    if 'milestones' not in scheduler:
        return True
    milestones = {round(epoch * max_epochs / published) for epoch in scheduler['milestones']}
    scheduler['milestones'] = sorted(epoch for epoch in milestones if 0 < epoch < max_epochs)
    return bool(scheduler['milestones'])


def _scale_boundary(epoch: float, published: float, max_epochs: int) -> int:
    """Move an epoch of the published schedule into this run. What is near the end keeps its distance from it."""
    if epoch <= 0:
        return 0
    if epoch >= published:
        return max_epochs
    if epoch <= published / 2:
        return min(max_epochs, _at_least_one(epoch, published, max_epochs))
    return max(0, max_epochs - _at_least_one(published - epoch, published, max_epochs))


def _at_least_one(epochs: float, published: float, max_epochs: int) -> int:
    return max(1, round(epochs * max_epochs / published))


def _without_overlap(schedulers: List[ConfigDict], max_epochs: int) -> List[ConfigDict]:
    """Make phases follow each other, without those for which a short run has no room.

    The decay comes before the closing: two epochs of 5 + 280 + 15 are one of warm-up and one of decay.
    """
    result: List[ConfigDict] = []
    reached = 0
    for scheduler in schedulers:
        if not scheduler.get('by_epoch', True) or 'milestones' in scheduler:
            result.append(scheduler)
            continue
        begin = max(scheduler['begin'], reached)
        if begin >= max(scheduler['end'], max_epochs):
            continue
        reached = end = max(scheduler['end'], begin + 1)
        scheduler.update(begin=begin, end=end)
        if 'T_max' in scheduler:
            # The cosine runs over its own phase. As published it is longer by the warm-up (T_max 285 for 280 epochs).
            scheduler['T_max'] = end - begin
        result.append(scheduler)
    return result


def _scale_iterations(scheduler: ConfigDict, factor: Optional[float], total_iterations: int) -> None:
    """Scale a phase given in iterations where the whole schedule is; else cut a warm-up to a tenth of the run."""
    if factor is not None:
        for key in ('begin', 'end', 'T_max'):
            if key in scheduler:
                scheduler[key] = max(0 if key == 'begin' else 1, round(scheduler[key] * factor))
        if 'milestones' in scheduler:
            scheduler['milestones'] = sorted({max(1, round(m * factor)) for m in scheduler['milestones']})
    elif scheduler.get('begin', 0) == 0 and 'end' in scheduler:
        scheduler['end'] = max(1, min(scheduler['end'], round(total_iterations * _LONGEST_WARMUP)))


def _schedulers(config: Config) -> List[ConfigDict]:
    found = config.get('param_scheduler')
    return [found] if isinstance(found, dict) else list(found or [])
