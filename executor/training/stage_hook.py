"""Save a stage with every validation, before it and after it, and the state to resume from."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Dict, Iterator, Mapping, Optional, Sequence

import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.runner import Runner

from executor.contract.errors import ValidationMemoryError
from executor.contract.output.files import remove_file
from executor.contract.output.training_result import EVALUATE_CONFIG, RESUME_FILE
from executor.contract.params import TrainParams
from executor.contract.shown import first_line
from executor.evaluation.coco import NOTHING_MEASURED, Evaluation
from executor.machine.memory import is_out_of_gpu_memory
from executor.training.metric import Validation, validation_of
from executor.training.resume import save_resume_state
from executor.training.resume_state import averaging_hooks, unwrapped_model
from executor.training.stage_files import StageContent, Writer, write_stage_config, write_stage_weights
from executor.training.stage_state import TrainedStage
from executor.training.stage_store import StageStore

logger = logging.getLogger(__name__)

_NUMBERS_EXPLAINED = (
    'each validation tells three means over the classes with true boxes: mAP, their average precision (AP) where a box '
    'is right from IoU 0.5 on; AP, the same on average over IoU 0.50 to 0.95; mAR, the share of their true boxes that '
    f'is found, at IoU {EVALUATE_CONFIG["iou_thr"]:g} and by boxes scored {EVALUATE_CONFIG["conf_thr"]:g} and above'
)
WRITERS: Sequence[Writer] = (write_stage_weights, write_stage_config)  # in the order of their files in result.yaml


class StageHook(Hook):
    """Gives the store a stage before every validation, and its numbers after it. Writes on rank 0 alone.

    What an earlier run left in the same folder is forgotten when this one, not resumed, is about to train: its data and
    weights are checked by then. `best` is the validation of the best stage, if this run has validated it.
    """

    priority = 'VERY_LOW'  # after EMAHook has given the training weights back

    def __init__(self, store: StageStore, params: TrainParams, config: Config) -> None:
        self._store = store
        self._params = params
        self._config = config
        self._work_dir = Path(config['work_dir'])
        self._validated: Mapping[str, torch.Tensor] = {}  # the parameters that are validated
        self._validating = False
        self.best: Optional[Validation] = None

    def before_train(self, runner: Runner) -> None:
        if runner.rank == 0:
            result = self._store.result
            if runner.epoch == 0:
                remove_file(self._work_dir / RESUME_FILE)
                result.clear()
            else:
                result.adopt_listed()
            result.adopt_curves()
            if runner.val_loop is not None:
                logger.info(_NUMBERS_EXPLAINED)
        if self._store.not_validated == runner.epoch and runner.val_loop is not None:
            runner.val_loop.run()  # it was not through when the training before ended

    def after_train_epoch(self, runner: Runner) -> None:
        epoch = runner.epoch + 1  # mmengine counts on only after this
        # The end of the last epoch is after_train's.
        due = epoch % self._config['train_cfg']['val_interval'] == 0 and epoch < runner.max_epochs
        if runner.rank == 0 and runner.val_loop is None and due:
            self._save(runner, epoch, NOTHING_MEASURED, _deployed_parameters(runner))

    def before_val_epoch(self, runner: Runner) -> None:
        self._validating = True
        if runner.rank == 0:
            # By now other hooks have put in what is validated: averages of iterations, statistics of all ranks.
            validated = unwrapped_model(runner).state_dict()
            self._validated = {name: value.to('cpu', copy=True) for name, value in validated.items()}
            with _training_weights(runner):
                self._save(runner, runner.epoch, NOTHING_MEASURED, self._validated)

    def after_val_epoch(self, runner: Runner, metrics: Optional[Dict[str, float]] = None) -> None:
        self._validating = False
        if runner.rank != 0:
            return
        validation = validation_of(runner)
        new = self._save(runner, runner.epoch, validation.evaluation, self._validated)
        if self._store.best is new:
            self.best = validation

    def after_train(self, runner: Runner) -> None:
        if runner.rank == 0 and runner.epoch not in [trained.stage.epoch for trained in self._store.stages]:
            logger.warning('the last model was not validated, its mAP is given as 0')
            self._save(runner, runner.epoch, NOTHING_MEASURED, _deployed_parameters(runner))

    def raise_as_of_validation(self, runner: Runner, error: Exception) -> None:
        """Tell of a failure that it was in a validation, and what of its epoch stays.

        Raises:
            ValidationMemoryError: the GPU's memory was too small for the validation.
        """
        if not self._validating:
            return
        if runner.rank == 0:
            words = 'the validation of epoch %d failed: the epoch stays listed, with mAP 0; --resume validates it again'
            logger.warning(words, runner.epoch)
        if is_out_of_gpu_memory(error):
            raise ValidationMemoryError(
                f'out of GPU memory in the validation of epoch {runner.epoch} ({first_line(error)}): set '
                'val_dataloader.batch_size in cfg_options lower, and go on with args_options --resume'
            ) from error

    def _save(
        self, runner: Runner, epoch: int, evaluation: Evaluation, parameters: Mapping[str, torch.Tensor]
    ) -> TrainedStage:
        content = StageContent(
            name=f'epoch_{epoch}',
            epoch=epoch,
            mAP=evaluation.mAP_50,
            class_ap={result.name: result.ap for result in evaluation.classes},
            parameters=parameters,
            class_names=self._params.class_names,
            config=self._config,
            config_name=Path(self._params.config_file).name,
        )
        folder = self._store.begin(content.name)
        written = tuple(write(folder, content) for write in WRITERS)
        new = self._store.add(content.name, epoch, evaluation, written)
        keep = partial(self._store.add_state, content.name) if self._params.save_resume_state else None
        save_resume_state(runner, epoch, self._work_dir, keep)
        return new


def _deployed_parameters(runner: Runner) -> Mapping[str, torch.Tensor]:
    """Return what inference should use: the averaged weights where the config averages them."""
    for hook in averaging_hooks(runner):
        return hook.ema_model.module.state_dict()
    return unwrapped_model(runner).state_dict()


@contextmanager
def _training_weights(runner: Runner) -> Iterator[None]:
    """Give the model the weights that it trains with, in the middle of a validation: those of the state to resume."""
    for hook in averaging_hooks(runner):
        hook.after_val_epoch(runner)
    yield
    for hook in averaging_hooks(runner):
        hook.before_val_epoch(runner)
