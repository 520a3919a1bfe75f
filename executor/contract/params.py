"""Define the parameters that a user chose in the platform's form, as one frozen dataclass a task.

A field's default is the template's default (a test compares them); its `parse` metadata turns what YAML gave into the
typed value.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional, Tuple, TypeVar

from executor.contract import options, parsers
from executor.contract.annotations import FORMATS
from executor.contract.env import Env
from executor.contract.errors import ConfigError, ParameterError
from executor.contract.output.training_result import RESUME_FILE
from mining.catalog import ALGORITHMS

# 0 or less has a meaning of its own.
_EPOCHS_OR_NONE = parsers.integer(-parsers.MOST_EPOCHS, parsers.MOST_EPOCHS)
_HIGHEST_WEIGHT = 1e6  # of a class; the usual one is 1

T = TypeVar('T')


def _param(default: T, parse: Callable[[object], T]) -> T:
    return dataclasses.field(default=default, metadata={'parse': parse})


def _options(parse: Callable[[object], T]) -> T:
    """Make a field of free text, whose default is what an empty text gives."""
    return dataclasses.field(default_factory=lambda: parse(''), metadata={'parse': parse})


@dataclass(frozen=True)
class TaskParams:
    """The parameters that the platform gives to every task."""

    class_names: Tuple[str, ...]  # in the order of the class ids
    gpu_ids: Tuple[int, ...]  # inside the container, empty for CPU
    model_files: Tuple[Path, ...]  # of one model stage, absolute: pretrained weights for training, else the model
    places: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False)  # `file:line` of each key


@dataclass(frozen=True)
class TrainParams(TaskParams):
    """Parameters of training, see training-template.yaml for the meaning of each."""

    shm_size: str = _param('128G', parsers.text)
    export_format: str = _param('ark:raw', parsers.choice(*FORMATS))
    samples_per_gpu: int = _param(16, parsers.samples)
    workers_per_gpu: int = _param(4, parsers.workers)
    cache_images: str = _param('auto', parsers.choice('auto', 'encoded', 'off'))
    max_epochs: int = _param(100, parsers.epochs)
    config_file: str = _param('configs/yolox/yolox_tiny_8x8_300e_coco.py', parsers.text)
    input_size: Tuple[int, ...] = _param((), parsers.sides)  # longer side, or (width, height); () is the config's
    learning_rate: Optional[float] = _param(None, parsers.learning_rate)  # of the whole batch; None follows the batch
    freeze: str = _param('none', parsers.frozen)
    patience: Optional[int] = _param(None, parsers.epochs)  # None trains to the end
    mosaic: str = _param('auto', parsers.choice('auto', 'off'))
    anchors: str = _param('config', parsers.choice('config', 'auto'))
    args_options: options.TrainArgs = _options(options.train_args)
    cfg_options: Dict[str, object] = _options(options.cfg_options)
    metric: str = _param('bbox', parsers.choice('bbox'))
    val_interval: int = _param(1, _EPOCHS_OR_NONE)
    max_keep_checkpoints: int = _param(1, _EPOCHS_OR_NONE)
    save_resume_state: bool = _param(False, parsers.flag)
    export_onnx: str = _param('best', parsers.choice('best', 'off'))
    ymir_saved_file_patterns: Tuple[str, ...] = _param((), parsers.patterns)

    @property
    def config_options(self) -> Dict[str, object]:
        """Merge the changes to the config from both texts that may hold some."""
        return {**self.args_options.cfg_options, **self.cfg_options}

    @property
    def packed_state(self) -> Optional[Path]:
        """Find the state to resume from among the files of the pretrained model; None where there is none."""
        return next((file for file in self.model_files if file.name == RESUME_FILE), None)

    @property
    def goes_on(self) -> bool:
        """Tell whether a state to resume from is named, or packed with the model; one in /out may be there as well."""
        wanted = self.args_options.resume
        return wanted is not None and (wanted != options.RESUME_LATEST or self.packed_state is not None)


@dataclass(frozen=True)
class DetectionParams(TaskParams):
    """The parameters of inference and of mining that say how to run the detector."""

    shm_size: str = _param('128G', parsers.text)
    config_file: str = _param('', parsers.text)
    samples_per_gpu: int = _param(16, parsers.samples)
    workers_per_gpu: int = _param(4, parsers.workers)
    input_size: Tuple[int, ...] = _param((), parsers.sides)  # longer side, or (width, height); () is the model's own
    iou_threshold: Optional[float] = _param(None, parsers.number(0, 1))  # None is the model's own
    cfg_options: Dict[str, object] = _options(options.cfg_options)


@dataclass(frozen=True)
class InferParams(DetectionParams):
    """Parameters of inference, see infer-template.yaml for the meaning of each."""

    conf_threshold: float = _param(0.2, parsers.number(0, 1))


@dataclass(frozen=True)
class MiningParams(DetectionParams):
    """Parameters of mining, see mining-template.yaml for the meaning of each."""

    mining_algorithm: str = _param('aldd', parsers.choice(*ALGORITHMS))
    class_distribution_scores: Tuple[float, ...] = _param((), parsers.numbers(0, _HIGHEST_WEIGHT))
    class_weights: str = _param('none', parsers.choice('none', 'difficulty'))
    aldd_exact: bool = _param(False, parsers.flag)
    diversity: str = _param('off', parsers.choice('off', 'on'))
    seed: int = _param(0, parsers.seed)


@dataclass(frozen=True)
class Job:
    """One whole task, as a worker is given it; a part that does not run is None."""

    env: Env
    training: Optional[TrainParams]
    mining: Optional[MiningParams]
    infer: Optional[InferParams]

    @property
    def parts(self) -> Tuple[TaskParams, ...]:
        """Return the parameters of the parts that run; all were read from one config.yaml."""
        return tuple(params for params in (self.training, self.mining, self.infer) if params is not None)

    @property
    def gpu_ids(self) -> Tuple[int, ...]:
        """Return the GPUs of the task; empty for CPU."""
        return self.parts[0].gpu_ids

    def placed(self, error: ParameterError) -> ConfigError:
        """Add to an error the line of config.yaml that it is about, where the parameter has one."""
        place = self.parts[0].places.get(error.key)
        if place is None:
            return error
        placed = ConfigError(f'{place}: {error}')
        placed.__cause__ = error.__cause__  # mmdet's own words, for the traceback
        return placed
