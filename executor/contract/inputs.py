"""That a task's inputs are there: told by the light parent, before any library has been loaded for them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Iterator, Sequence, Tuple

from executor.contract.env import Env
from executor.contract.errors import ConfigError, ModelError, ParameterError
from executor.contract.index import IndexLine, check_listed, read_candidate_index, read_training_index
from executor.contract.options import RESUME_LATEST
from executor.contract.params import Job, TrainParams


def check_inputs(job: Job) -> None:
    """Look for every file that the indexes list, and for the one to resume from; what they hold is not read.

    Raises:
        ConfigError: env.yaml lacks the index of this task.
        DatasetError: an index cannot be read, or lists what is not there or lies outside of the input folders.
        ModelError: args_options --resume names a file that is not there.
    """
    if job.training is None:
        _check_candidates(job.env)
    else:
        for index in _training_indexes(job.env, job.training):
            _check_training_index(index, job.env)
        _check_resume(job)


def _check_candidates(env: Env) -> None:
    path = env.input.candidate_index_file
    if path is None:
        raise ConfigError('env.yaml names no input.candidate_index_file: the platform writes it for this task')
    index = read_candidate_index(path)
    check_listed(path, enumerate(index), index.place, env.input)


def _training_indexes(env: Env, params: TrainParams) -> Sequence[Path]:
    training, validation = env.input.training_index_file, env.input.val_index_file
    if training is None:
        raise ConfigError('env.yaml names no input.training_index_file: the platform writes it for a training')
    if validation is None and not params.args_options.no_validate:
        raise ConfigError(
            'env.yaml names no input.val_index_file: choose a validation set, or set args_options to --no-validate'
        )
    return [training] if validation is None else [training, validation]


def _check_training_index(path: Path, env: Env) -> None:
    lines = read_training_index(path)
    check_listed(path, _files(lines), lambda number: lines[number].place, env.input)


def _files(lines: Sequence[IndexLine]) -> Iterator[Tuple[int, str]]:
    """The files of each line by its number; an annotation of several lines once."""
    annotations = set()
    for number, line in enumerate(lines):
        yield number, str(line.image)
        if line.annotation not in annotations:
            annotations.add(line.annotation)
            yield number, str(line.annotation)


def _check_resume(job: Job) -> None:
    wanted = job.training.args_options.resume
    if wanted not in (None, RESUME_LATEST) and not os.path.isfile(wanted):
        place = job.placed(ParameterError('args_options', f'args_options --resume {wanted}'))
        raise ModelError(f'{place}: no such file: name one that the container sees')
