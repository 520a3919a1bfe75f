"""Give the page of the best model what it is about: its validation, its settings, the history of its training."""

from __future__ import annotations

import logging
import platform
import time
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Mapping, Optional

import mmcv
import mmdet
import mmengine
import numpy as np
import torch
from mmengine.runner import Runner

from executor.contract.output.training_result import Stage
from executor.contract.params import TrainParams
from executor.contract.shown import first_line
from executor.detector.model import LoadedModel
from executor.evaluation.analysis import analyse
from executor.report.model_page import write_model_report
from executor.report.model_report import ModelReport
from executor.report.training_board import show_model
from executor.training.board_backend import board_of
from executor.training.examination import Examination, examine
from executor.training.history_hook import History
from executor.training.metric import Validation
from executor.training.resume_state import unwrapped_model
from executor.training.schedule import describe_schedule

logger = logging.getLogger(__name__)

Settings = Mapping[str, Mapping[str, object]]  # values by name, by heading

_LIBRARIES = (torch, mmdet, mmengine, mmcv, np)
_NOT_SHOWN = ('class_names', 'gpu_ids', 'model_files', 'places')  # they are told elsewhere on the page


def write_page(
    page: Path,
    numbers: Path,
    stage: Stage,
    validation: Validation,
    history: History,
    runner: Runner,
    params: TrainParams,
    began_with: str,
    trained: Optional[LoadedModel],
) -> None:
    """Analyse the validation of the best stage and write its page and numbers; where that fails, say why."""
    started = time.monotonic()
    details = validation.evaluation.details
    assert details is not None, 'the best stage was validated'
    device = torch.device('cuda', torch.cuda.current_device()) if params.gpu_ids else torch.device('cpu')
    try:
        found = Examination() if trained is None else examine(trained, device, validation)
        report = ModelReport(
            title=Path(params.config_file).name,
            stage=stage.name,
            class_names=params.class_names,
            evaluation=validation.evaluation,
            analysis=analyse(details.matches, details.best.threshold),
            paths=validation.paths,
            images=validation.images,
            history=history,
            settings=settings_of(runner, params, began_with),
            speed=found.speed,
            lost=found.lost,
        )
        write_model_report(report, page, numbers)
    except Exception as error:  # it is an extra: whatever goes wrong in it must not cost a training that is done
        logger.warning('%s could not be made: %s: %s', page.name, type(error).__name__, first_line(error))
    else:
        logger.info('page of the model: %s; its numbers: %s (%.1f s)', page, numbers, time.monotonic() - started)
        with board_of(runner) as board:
            show_model(board, stage.epoch, report)


def settings_of(runner: Runner, params: TrainParams, began_with: str) -> Settings:
    """Collect what the training was set to; `began_with` are the weights it started from."""
    model, loader = unwrapped_model(runner), runner.train_dataloader
    parameters = sum(parameter.numel() for parameter in model.parameters())
    gpus = [torch.cuda.get_device_name(number) for number in range(len(params.gpu_ids))]
    training = {
        'detector': f'{type(model).__name__}, {parameters:,} parameters',
        'weights it began with': began_with,
        'training images': len(loader.dataset),
        'schedule': describe_schedule(runner.cfg, loader.batch_size * runner.world_size),
        'seed': runner.seed,
        'ran on': f'{len(gpus)} x {gpus[0]}' if gpus else 'CPU',
    }
    chosen = {one.name: _chosen(getattr(params, one.name)) for one in fields(params) if one.name not in _NOT_SHOWN}
    return {'Training': training, 'Parameters': chosen, 'Versions': versions()}


def versions() -> Mapping[str, str]:
    """Tell the versions of what computes."""
    return {'Python': platform.python_version(), **{one.__name__: one.__version__ for one in _LIBRARIES}}


def _chosen(value: object) -> object:
    """Write the value of a parameter; of options those that are set."""
    if is_dataclass(value):
        value = {key: one for key, one in vars(value).items() if one not in (None, False, {})}
    return value or '' if isinstance(value, (dict, tuple)) else value
