"""Save the state that a training can be resumed from, and find it again."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Callable, Dict, Mapping, NamedTuple, Optional, Sequence

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor import dist
from executor.contract.env import Env
from executor.contract.errors import ExecutorError, ModelError, ParameterError
from executor.contract.options import RESUME_LATEST
from executor.contract.output.files import is_full, remove_halves, replaced_path
from executor.contract.output.training_result import RESUME_FILE, best_stage
from executor.contract.params import TrainParams
from executor.contract.shown import clipped, first_line
from executor.machine.memory import is_of_the_machine
from executor.training.history_hook import plain_history
from executor.training.resume_state import EMPTY_MESSAGE_HUB, fitting_state, plain_schedulers, sound_state
from executor.training.stage_state import plain_stages
from executor.training.stage_store import StageStore
from executor.weights.checkpoint import Checkpoint, meta_of, read_checkpoint

logger = logging.getLogger(__name__)

_FINE_TUNED = 'fine_tuned'
_WORDS = {_FINE_TUNED: 'fine_tuning in config_file and cfg_options (1 with it, 0 without)'}
_STAGE_WEIGHTS = re.compile(r'epoch_\d+\.pth')
_GO_ON_ALIKE = 'set config_file, cfg_options and args_options to what it began with, or start anew'
_SET_BACK = 'set it back, or start anew from the model as pretrained weights'


class Resumed(NamedTuple):
    """What a resumed training goes on from.

    Attributes:
        schedule: as `schedule_of` wrote it; a file of another version may tell less.
        classes: None where the file does not tell them.
        epoch: the last that was trained.
        validated: whether that epoch is.
        own: the file is that in this training's own folder, beside its models.
    """

    file: Path
    schedule: Mapping[str, int]
    classes: Optional[Sequence[str]]
    epoch: int
    validated: bool
    own: bool

    @property
    def fine_tuned(self) -> bool:
        """Tell whether the training began with the schedule for pretrained weights."""
        return bool(self.schedule.get(_FINE_TUNED, 0))

    def check(self, params: TrainParams, config: Config) -> None:
        """Check that the training of `config` can go on from it.

        Raises:
            ParameterError: the classes or the schedule are others than those it began with, or all epochs are done.
        """
        self._check_as_it_began(params, config)
        if not self.own:
            self._check_not_ended(config)

    def _check_as_it_began(self, params: TrainParams, config: Config) -> None:
        began, now = self.schedule, schedule_of(config)
        changed = [
            f'{_WORDS.get(key, key)} was {began[key]}, is {now[key]}'
            for key in now
            if key in began and began[key] != now[key]
        ]
        if changed:
            problem = f'goes on with the schedule that {self.file} began with, but {"; ".join(changed)}'
            raise ParameterError('args_options', f'args_options --resume {problem}: {_SET_BACK}')
        if self.classes is not None and self.classes != params.class_names:
            known, wanted = (clipped(', '.join(each)) for each in (self.classes, params.class_names))
            problem = f'class_names are {wanted}, but args_options --resume {self.file} goes on with {known}'
            raise ParameterError('class_names', f'{problem}, in this order: {_SET_BACK}')

    def _check_not_ended(self, config: Config) -> None:
        epochs, validates = config['train_cfg']['max_epochs'], config.get('val_cfg') is not None
        if self.epoch == epochs and not (validates and not self.validated):
            raise ParameterError(
                'args_options',
                f'args_options --resume: all {epochs} epochs of {self.file} are done: leave out --resume to begin anew '
                'with its model as pretrained weights',
            )


def find_resumed(env: Env, params: TrainParams) -> Optional[Resumed]:
    """Find the state to resume from; None without `--resume`.

    With `--resume` alone it is that in /out, which is the later one, or else that of the pretrained model.

    Raises:
        ModelError: the file is none, holds weights only or what no training writes; or there is none, but models are.
    """
    wanted = params.args_options.resume
    if wanted is None:
        if params.packed_state is not None:
            logger.info('%s: the state to resume from is left alone without args_options --resume', params.packed_state)
        return None
    own = work_dir(env) / RESUME_FILE
    file = _latest(own, env, params) if wanted == RESUME_LATEST else Path(wanted)
    if file is None:
        return None
    checkpoint = read_checkpoint(file)
    if 'optimizer' not in checkpoint or 'config' in meta_of(checkpoint):  # which mmengine would run
        raise ModelError(
            f'args_options --resume {file}: the file holds weights only, or the state of another program: resume from '
            f'the {RESUME_FILE} of a training, or use the weights as pretrained model'
        )
    state = _sound(checkpoint, file, params)
    return Resumed(
        file,
        state['ymir_schedule'],
        state['ymir_classes'],
        state['meta']['epoch'],
        all(trained.stage.validated for trained in state['ymir_stages'][-1:]),
        own=file == own,
    )


def work_dir(env: Env) -> Path:
    """Return the folder of what is not part of a model, such as the state to resume from."""
    return env.output.root_dir / 'training'


def _latest(file: Path, env: Env, params: TrainParams) -> Optional[Path]:
    if file.is_file():
        return file
    listed = env.output.training_result_file
    if listed.exists():
        raise ModelError(
            f'args_options --resume: {file} does not exist, but {listed} lists models, which a training anew '
            'removes: move them elsewhere or name another file to resume from; to have them removed, leave out '
            '--resume'
        )
    if params.packed_state is not None:
        return params.packed_state
    stages = [str(each) for each in params.model_files if _STAGE_WEIGHTS.fullmatch(each.name)]
    if stages:
        raise ModelError(
            f'args_options --resume: beside {clipped(stages[0])} the pretrained model has no {RESUME_FILE} to go on '
            'with: choose the latest stage of a training that had save_resume_state: true, or leave out --resume to '
            'begin anew with the weights'
        )
    logger.warning('--resume: %s does not exist, so nothing was trained here before: starting anew', file)
    return None


def schedule_of(config: Config) -> Dict[str, int]:
    """Return what a resumed training must share with the one before: its learning rate is a curve over both."""
    epochs, batch = config['train_cfg']['max_epochs'], config['train_dataloader']['batch_size']
    fine_tuned = int(config['fine_tuned'])
    return {'max_epochs': epochs, 'batch_size': batch, 'ranks': dist.world_size(), _FINE_TUNED: fine_tuned}


def save_resume_state(runner: Runner, epoch: int, folder: Path, keep: Optional[Callable[[Path], None]] = None) -> None:
    """Save everything `--resume` needs; the file before stays until this one is whole, which `keep` is then told."""
    remove_halves(folder / RESUME_FILE)
    try:
        with replaced_path(folder / RESUME_FILE) as beside:
            # The epoch is over, whether mmengine has counted it already or not.
            runner.save_checkpoint(str(beside.parent), beside.name, meta={'epoch': epoch, 'iter': runner.iter})
        if keep is not None:
            keep(folder / RESUME_FILE)
    except OSError as error:
        if not is_full(error):
            raise
        # It is many times as large as a model, which is what the user wants: train on as long as those fit.
        logger.warning('%s is full: the state of epoch %d, to resume from, is not saved', folder, epoch)


class ResumeHook(Hook):
    """Puts into the state to resume from what is ours, and takes from one what fits; before other hooks look at it.

    Args:
        file: what this training goes on from, None for a new one.
    """

    priority = 'VERY_HIGH'

    def __init__(self, store: StageStore, params: TrainParams, config: Config, file: Optional[Path]) -> None:
        self._store = store
        self._params = params
        self._config = config
        self._file = file
        self._goes_on = file is None  # a step was taken

    def before_save_checkpoint(self, runner: Runner, checkpoint: Checkpoint) -> None:
        checkpoint['message_hub'] = dict(EMPTY_MESSAGE_HUB)  # so that the file can be read as plain data
        checkpoint['param_schedulers'] = plain_schedulers(checkpoint.get('param_schedulers', ()))
        checkpoint['ymir_stages'] = plain_stages(self._store.stages)
        checkpoint['ymir_history'] = plain_history(self._store.history)
        checkpoint['ymir_schedule'] = schedule_of(self._config)
        checkpoint['ymir_classes'] = list(self._params.class_names)

    def after_load_checkpoint(self, runner: Runner, checkpoint: Checkpoint) -> None:
        assert self._file is not None, 'only a state to resume from is loaded this way'
        state = _sound(checkpoint, self._file, self._params)
        try:
            fitting = fitting_state(state, runner)
        except ValueError as error:
            raise ModelError(f'{self._file} does not fit this training: {error}: {_GO_ON_ALIKE}')
        checkpoint.clear()
        checkpoint.update(fitting)
        stages = [trained.stage for trained in state['ymir_stages']]
        self._store.restore(state['ymir_stages'])
        self._store.history.update(state['ymir_history'])
        if stages and not self._store.stages and runner.rank == 0:
            best = best_stage(stages)
            words = (
                'going on behind epoch %d of %s: the stages before stay in the model that it is of (best: %s, mAP %.4f)'
            )
            logger.info(words, fitting['meta']['epoch'], self._file, best.name, best.mAP)

    def before_train(self, runner: Runner) -> None:
        """Refuse a state with which this training would end as it begins, and leave no model that is validated.

        Raises:
            ParameterError: `patience` has ended it.
        """
        if self._file is not None and not self._store.stages and runner.train_loop.stop_training:
            raise ParameterError(
                'patience',
                f'patience: {self._params.patience} has ended the training of {self._file} after epoch {runner.epoch}: '
                'set it higher, or leave out --resume to begin anew with its model as pretrained weights',
            )

    def after_train_iter(self, runner: Runner, *args: object, **kwargs: object) -> None:
        self._goes_on = True

    def raise_as_unfit(self, error: Exception) -> None:
        """Explain a failure before the first step by the state that was resumed from.

        Raises:
            ModelError: there is such a state, and the failure is neither explained already nor the machine's.
        """
        if not (self._goes_on or isinstance(error, ExecutorError) or is_of_the_machine(error)):
            reason = f'{type(error).__name__}: {clipped(first_line(error))}'
            raise ModelError(f'{self._file} does not fit this training ({reason}): {_GO_ON_ALIKE}') from error


def _sound(checkpoint: Checkpoint, file: Path, params: TrainParams) -> Checkpoint:
    try:
        return sound_state(checkpoint, Path(params.config_file).name)
    except ValueError as error:
        raise ModelError(
            f'{file}: {error}: resume from the {RESUME_FILE} of a training as it was written, or start anew'
        )
