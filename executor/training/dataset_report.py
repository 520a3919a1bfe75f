"""Write the page of the dataset before the first epoch, in a process apart, so that the training goes as without it."""

from __future__ import annotations

import logging
import time
from array import array
from pathlib import Path
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
from mmdet.engine.hooks import PipelineSwitchHook, YOLOXModeSwitchHook
from mmengine.config import Config
from mmengine.hooks import DistSamplerSeedHook, Hook
from mmengine.runner import Runner
from numpy.typing import NDArray

from executor.contract.shown import first_line
from executor.images.prepare import Letterbox
from executor.machine.apart import run_apart
from executor.report.dataset_page import dataset_page
from executor.report.dataset_report import DatasetReport, TrainingPicture, dataset_numbers, summary, warnings
from executor.report.page import Numbers, write_page
from executor.report.training_board import dataset_pictures, show_dataset
from executor.survey.images import Images
from executor.survey.survey import survey
from executor.training.board_backend import board_of
from executor.training.dataset import YmirDataset
from executor.training.first_batches import first_batches
from executor.training.network_input import find_resize
from executor.training.stage_store import StageStore

logger = logging.getLogger(__name__)

_SECTION = 'dataset'  # of the attachments
_FILES = ('dataset.html', 'dataset.json')
_BATCHES = 3
_OF_PICTURES = (DistSamplerSeedHook, PipelineSwitchHook, YOLOXModeSwitchHook)  # hooks that choose them for an epoch
_MOST_SECONDS = 180  # for all of it
_MOST_SECONDS_COMPARING = 30  # files


class DatasetReportHook(Hook):
    """Writes the page on rank 0; a training that goes on has it already."""

    priority = 'LOWEST'  # after StageHook has removed what an earlier run left

    def __init__(self, store: StageStore, class_names: Sequence[str], config: Config) -> None:
        self._store = store
        self._class_names = class_names
        self._config = config

    def before_train(self, runner: Runner) -> None:
        if runner.rank != 0:
            return
        files = [self._store.result.attachments_dir(_SECTION) / name for name in _FILES]
        if runner.epoch == 0 or not all(file.is_file() for file in files):
            try:
                self._write(runner, *files)
            except Exception as error:  # it is an extra: whatever goes wrong in it must not cost a training
                logger.warning('%s could not be made: %s: %s', _FILES[0], type(error).__name__, first_line(error))
        self._store.attach(_SECTION, files)

    def _write(self, runner: Runner, page: Path, numbers_file: Path) -> None:
        started = time.monotonic()
        self._store.result.made.add([page, numbers_file])
        text, numbers, pictures = run_apart(lambda: self._make(runner), _MOST_SECONDS)
        write_page(page, text, numbers_file, numbers)
        for line in summary(numbers):
            logger.info(line)
        for line in warnings(numbers):
            logger.warning(line)
        logger.info('page of the dataset: %s; its numbers: %s (%.1f s)', page, numbers_file, time.monotonic() - started)
        with board_of(runner) as board:
            show_dataset(board, numbers, pictures)

    def _make(self, runner: Runner) -> Tuple[str, Numbers, List[NDArray[np.uint8]]]:
        resize = find_resize(self._config)
        training = _images_of(runner.train_dataloader.dataset, resize)
        validation = None if runner.val_loop is None else _images_of(runner.val_dataloader.dataset, resize)
        found = survey(training, validation, len(self._class_names), _MOST_SECONDS_COMPARING)
        size = None if resize is None else resize.scale
        report = DatasetReport(self._class_names, found, size, *_batches_of(runner))
        numbers = dataset_numbers(report)
        return dataset_page(report, numbers), numbers, dataset_pictures(report.batches)


class _Batches(NamedTuple):
    """The first batches, or why there are none."""

    batches: List[List[TrainingPicture]]
    why_none: str = ''


def _batches_of(runner: Runner) -> _Batches:
    logging.disable()  # what is said here will be said again
    try:
        for hook in runner.hooks:
            if isinstance(hook, _OF_PICTURES):
                hook.before_train_epoch(runner)
        found = first_batches(runner.train_dataloader, _BATCHES)
        return _Batches(found, '' if found else 'an epoch has no whole batch')
    except Exception as error:  # such as an image whose pixels are broken: the training tells it, or leaves it out
        return _Batches([], first_line(error))


def _images_of(dataset: object, resize: Optional[Letterbox]) -> Images:
    """Put the images of a dataset, below its wrappers, into flat arrays."""
    while not isinstance(dataset, YmirDataset):
        dataset = dataset.dataset  # type: ignore[attr-defined]
    # One image after the other, so that a large dataset is never there as Python's objects.
    paths: List[str] = []
    sizes, input_sizes, boxes = array('d'), array('d'), array('d')
    numbers, labels, ignored = array('q'), array('q'), array('b')
    for position in range(len(dataset)):
        info = dataset.get_data_info(position)
        size, instances = (info['width'], info['height']), info['instances']
        paths.append(info['img_path'])
        sizes.extend(size)
        input_sizes.extend(size if resize is None else resize.resized(size))
        numbers.append(len(instances))
        for instance in instances:
            boxes.extend(instance['bbox'])
            labels.append(instance['bbox_label'])
            ignored.append(instance['ignore_flag'])
    return Images(
        paths=paths,
        size=np.array(sizes).reshape(-1, 2),
        input_size=np.array(input_sizes).reshape(-1, 2),
        image=np.repeat(np.arange(len(paths)), numbers),
        box=np.array(boxes).reshape(-1, 4),
        label=np.array(labels),
        ignored=np.array(ignored, bool),
        broken=dataset.left_out,
    )
