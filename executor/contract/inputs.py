"""Check that a task's inputs are there: done by the light parent, before any library has been loaded for them."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Set, Tuple

from executor.contract.env import InputPaths
from executor.contract.errors import ConfigError, DatasetError, ExecutorError, ModelError, ParameterError, noting
from executor.contract.index import IndexLine, read_candidate_index, read_training_index
from executor.contract.options import RESUME_LATEST
from executor.contract.params import Job, TrainParams
from executor.contract.shown import clipped

logger = logging.getLogger(__name__)

_REMEDY = 'export the dataset again'


def check_inputs(job: Job, problems: Optional[List[ExecutorError]] = None) -> None:
    """Look for every file that the indexes list, and for the one to resume from; what they hold is not read.

    With `problems`, what is wrong is noted there.

    Raises:
        ConfigError: env.yaml lacks the index of this task.
        DatasetError: an index cannot be read, or lists what is not there or lies outside of the input folders.
        ModelError: args_options --resume names a file that is not there.
    """
    if job.training is None:
        with noting(problems):
            _check_candidates(job.env.input, problems)
        return
    with noting(problems):
        indexes = _training_indexes(job.env.input, job.training)
        images = []
        for index in indexes:
            with noting(problems):
                images.append(_images(index, job.env.input, problems))
        if len(images) == len(indexes):
            _tell_overlap(*images)
    with noting(problems):
        _check_resume(job, job.training)


def check_listed(
    index: Path,
    files: Iterable[Tuple[int, str]],
    place: Callable[[int], str],
    paths: InputPaths,
    problems: Optional[List[ExecutorError]] = None,
) -> None:
    """Check that the files of an index, each with its number, are there and lie in the task's input folders.

    `place` gives the `file:line` of a number. Folders and files may be links: only what a path says counts.

    Raises:
        DatasetError: some are not, or lie elsewhere; with their count and the first five.
    """
    given = (paths.root_dir, paths.assets_dir, paths.annotations_dir)
    inside = tuple({os.path.join(str(folder), '') for link in given for folder in (link, os.path.realpath(link))})
    outside, lost = _FirstFiles(), _FirstFiles()
    for number, path in files:
        # Most paths need no more than the first look.
        if not (path.startswith(inside) and '..' not in path) and not os.path.normpath(path).startswith(inside):
            outside.add(path, place(number))
        elif not os.path.isfile(path):  # Path.is_file fails on names that no file can have
            lost.add(path, place(number))
    if outside.count:
        folder_names = ', '.join(dict.fromkeys(map(str, given)))
        with noting(problems):
            raise DatasetError(f'{index} lists {outside} outside of the input folders {folder_names}: {_REMEDY}')
    if lost.count:
        raise DatasetError(f'{index} lists {lost} that cannot be found or may not be read: {_REMEDY}')


class _FirstFiles:
    """Files counted, the first five of them with their places."""

    def __init__(self) -> None:
        self.count = 0
        self._first: List[str] = []

    def add(self, path: str, place: str) -> None:
        self.count += 1
        if len(self._first) < 5:
            self._first.append(f'{clipped(path)} ({place})')

    def __str__(self) -> str:
        more = ', ...' if self.count > len(self._first) else ''
        return f'{self.count} file{"s" if self.count > 1 else ""} ({", ".join(self._first)}{more})'


def _check_candidates(paths: InputPaths, problems: Optional[List[ExecutorError]]) -> None:
    path = paths.candidate_index_file
    if path is None:
        raise ConfigError('env.yaml names no input.candidate_index_file: the platform writes it for this task')
    index = read_candidate_index(path)
    check_listed(path, enumerate(index), index.place, paths, problems)


def _training_indexes(paths: InputPaths, params: TrainParams) -> Sequence[Path]:
    training, validation = paths.training_index_file, paths.val_index_file
    if training is None:
        raise ConfigError('env.yaml names no input.training_index_file: the platform writes it for a training')
    if params.args_options.no_validate:
        return [training]
    if validation is None:
        remedy = 'choose a validation set, or set args_options to --no-validate'
        raise ConfigError(f'env.yaml names no input.val_index_file: {remedy}')
    return [training, validation]


def _images(path: Path, paths: InputPaths, problems: Optional[List[ExecutorError]]) -> Dict[Path, IndexLine]:
    """Check an index of training or validation, and return its images, each with the first line that lists it."""
    lines = read_training_index(path, problems)
    with noting(problems):
        check_listed(path, _files(lines), lambda number: lines[number].place, paths, problems)
    images: Dict[Path, IndexLine] = {}
    again = _FirstFiles()
    for line in lines:
        first = images.setdefault(line.image, line)
        if first.annotation != line.annotation:
            with noting(problems):
                raise DatasetError(
                    f'{line.place}: {line.image} has another annotation here than in {first.place}, and only one can '
                    f'be right: {_REMEDY}'
                )
        if first is not line:
            again.add(str(line.image), line.place)
    if again.count:
        logger.warning('%s lists %s again: they count as often as they are listed', path, again)
    return images


def _tell_overlap(training: Dict[Path, IndexLine], validation: Optional[Dict[Path, IndexLine]] = None) -> None:
    """Warn of images to validate with that are trained on: what validation says of them is too good."""
    known = _FirstFiles()
    for image, line in (validation or {}).items():
        if image in training:
            known.add(str(image), line.place)
    if known.count:
        logger.warning('%s of the validation set are in the training set as well: mAP will be too good', known)


def _files(lines: Sequence[IndexLine]) -> Iterator[Tuple[int, str]]:
    """Yield the files of each line with its number; an annotation file of several lines once."""
    annotations: Set[Path] = set()
    for number, line in enumerate(lines):
        yield number, str(line.image)
        if line.annotation not in annotations:
            annotations.add(line.annotation)
            yield number, str(line.annotation)


def _check_resume(job: Job, params: TrainParams) -> None:
    wanted = params.args_options.resume
    if wanted is not None and wanted != RESUME_LATEST and not os.path.isfile(wanted):
        place = job.placed(ParameterError('args_options', f'args_options --resume {wanted}'))
        raise ModelError(f'{place}: no such file: name one that the container sees')
