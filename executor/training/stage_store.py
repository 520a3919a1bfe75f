"""Keep the stages of a training: which of them stay on disk, and the result.yaml that lists them."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple

from executor.contract.output.files import remove_file
from executor.contract.output.training_result import Stage, TrainingResult, best_stage
from executor.contract.params import TrainParams
from executor.evaluation.coco import ClassResult, Evaluation

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainedStage:
    """A stage on disk, with its numbers per class."""

    stage: Stage  # as result.yaml lists it
    classes: Tuple[ClassResult, ...]
    written: Tuple[str, ...]  # the names of all its files, listed or not


class StageStore:
    """The stages on disk, in the order of their epochs, and their result.yaml.

    result.yaml is rewritten before anything that it listed is removed, so a kill at any moment leaves one whose files
    exist.
    """

    def __init__(self, result: TrainingResult, params: TrainParams) -> None:
        self.result = result
        self._params = params
        self.stages: List[TrainedStage] = []

    @property
    def best(self) -> TrainedStage:
        """Return the stage that result.yaml calls best; there must be one."""
        best = best_stage([trained.stage for trained in self.stages])
        return next(trained for trained in self.stages if trained.stage is best)

    def add(self, name: str, epoch: int, evaluation: Evaluation, written: Tuple[str, ...]) -> TrainedStage:
        """List a stage whose files are written, and remove those that `max_keep_checkpoints` leaves no room for."""
        counts = (evaluation.tp, evaluation.fp, evaluation.fn)
        listed, now = self._listed(written), int(time.time())
        stage = Stage(name, epoch, listed, evaluation.mAP_50, evaluation.mAR, *counts, timestamp=now)
        new = TrainedStage(stage, evaluation.classes, written)
        known = [trained for trained in self.stages if trained.stage.name != name] + [new]
        self.stages = kept_stages(known, self._params.max_keep_checkpoints)
        self.write_result({})
        self._remove([trained for trained in known if trained not in self.stages])
        return new

    def write_result(self, attachments: Mapping[str, Sequence[str]]) -> None:
        """Rewrite result.yaml for the stages on disk."""
        self.result.write([trained.stage for trained in self.stages], attachments)

    def state(self) -> List[Dict[str, Any]]:
        """Return the stages as plain values, for `restore` in a training that goes on with this one."""
        return [dataclasses.asdict(trained) for trained in self.stages]

    def restore(self, state: Iterable[Mapping[str, Any]]) -> None:
        """Take over the stages of the training that this one goes on with, as far as their files are still there."""
        self.stages = []
        for entry in state:
            stage = Stage(**{**entry['stage'], 'files': tuple(entry['stage']['files'])})
            # The version before this one wrote these two, whatever it listed, and did not save what it wrote.
            usual = (*stage.files, f'{stage.name}.pth', Path(self._params.config_file).name)
            written = tuple(entry.get('written', dict.fromkeys(usual)))
            if all(path.is_file() for path in self._paths(stage, stage.files)):
                classes = tuple(ClassResult(**result) for result in entry['classes'])
                self.stages.append(TrainedStage(stage, classes, written))

    def _listed(self, files: Tuple[str, ...]) -> Tuple[str, ...]:
        patterns = self._params.ymir_saved_file_patterns
        listed = tuple(file for file in files if not patterns or any(re.search(p, file) for p in patterns))
        if not listed:
            logger.warning('ymir_saved_file_patterns match none of %s: all are listed', ', '.join(files))
        return listed or files

    def _remove(self, dropped: Sequence[TrainedStage]) -> None:
        """Remove what the writers left for stages, except files that they share with a stage that stays."""
        kept = {path for trained in self.stages for path in self._paths(trained.stage, trained.written)}
        for trained in dropped:
            for path in self._paths(trained.stage, trained.written):
                if path not in kept:
                    remove_file(path)
            with contextlib.suppress(OSError):  # all stages share it in the flat layout, or it has what is not ours
                self.result.stage_dir(trained.stage.name).rmdir()

    def _paths(self, stage: Stage, names: Sequence[str]) -> List[Path]:
        return [self.result.stage_dir(stage.name) / name for name in names]


def kept_stages(stages: Sequence[TrainedStage], keep: int) -> List[TrainedStage]:
    """Choose the stages that stay: the `keep` best and the `keep` latest, all of them where `keep` is 0 or less."""
    best = sorted(stages, key=lambda trained: (trained.stage.mAP, trained.stage.epoch))[-keep:]
    return [trained for trained in stages if keep <= 0 or trained in best or trained in stages[-keep:]]
