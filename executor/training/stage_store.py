"""Keep the stages of a training: which of them stay on disk, and the result.yaml that lists them."""

from __future__ import annotations

import dataclasses
import logging
import os
import re
import shutil
import time
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

from executor.contract.output.files import remove_file, remove_halves, replace_file, replaced_path
from executor.contract.output.training_result import RESUME_FILE, Stage, TrainingResult, best_stage
from executor.contract.params import TrainParams
from executor.evaluation.coco import NOTHING_MEASURED, Evaluation
from executor.training.history_hook import History
from executor.training.stage_state import TrainedStage

logger = logging.getLogger(__name__)


class StageStore:
    """The stages on disk, in the order of their epochs, their result.yaml, and the `history` of all epochs.

    result.yaml is rewritten before anything that it listed is removed, so a kill at any moment leaves one whose files
    exist.
    """

    def __init__(self, result: TrainingResult, params: TrainParams) -> None:
        self.result = result
        self._params = params
        self.stages: List[TrainedStage] = []
        self._latest: Optional[Stage] = None  # of this training, also if its files are elsewhere
        self.history: History = {}
        self.attachments: Dict[str, Sequence[str]] = {}  # file names by section

    @property
    def best(self) -> TrainedStage:
        """Return the stage that result.yaml calls best; there must be one."""
        best = best_stage([trained.stage for trained in self.stages])
        return next(trained for trained in self.stages if trained.stage is best)

    @property
    def not_validated(self) -> Optional[int]:
        """Return the epoch of the latest stage if it is not validated."""
        return None if self._latest is None or self._latest.validated else self._latest.epoch

    def begin(self, name: str) -> Path:
        """Note that a stage is about to be written, for the run after a kill; returns the folder of its files."""
        self.result.made.add(self._paths(name, (f'{name}.pth', Path(self._params.config_file).name)))
        return self.result.stage_dir(name)

    def add(self, name: str, epoch: int, evaluation: Evaluation, written: Tuple[str, ...]) -> TrainedStage:
        """List a stage whose files are written, and remove those that `max_keep_checkpoints` leaves no room for.

        One that was listed before its validation gets its numbers.
        """
        self.result.made.add(self._paths(name, written))
        counts = (evaluation.tp, evaluation.fp, evaluation.fn)
        stage = Stage(
            *(name, epoch, self._listed(written), evaluation.mAP_50, evaluation.mAR, *counts),
            timestamp=int(time.time()),
            validated=evaluation is not NOTHING_MEASURED,
        )
        self._latest = stage
        new = TrainedStage(stage, evaluation.classes, written)
        known = [trained for trained in self.stages if trained.stage.name != name] + [new]
        self.stages = kept_stages(known, self._params.max_keep_checkpoints)
        self.write_result()
        self._remove([trained for trained in known if trained not in self.stages])
        return new

    def extend(self, trained: TrainedStage, files: Mapping[str, bytes]) -> None:
        """Write more files of a stage that is there, by name, and list them.

        Raises:
            OSError: they cannot be written; then none is there.
        """
        folder, name = self.result.stage_dir(trained.stage.name), trained.stage.name
        self.result.made.add(self._paths(name, [*files]))
        try:
            for file, content in files.items():
                replace_file(folder / file, content)
        except OSError:
            for file in files:
                remove_file(folder / file)
            raise
        written = tuple(dict.fromkeys((*trained.written, *files)))
        stage = dataclasses.replace(trained.stage, files=self._listed(written))
        more = dataclasses.replace(trained, stage=stage, written=written)
        self.stages = [more if one is trained else one for one in self.stages]
        self.write_result()

    def add_state(self, name: str, file: Path) -> None:
        """List the state to resume from with the latest stage, and with no other, as one more name of the file."""
        packed = self.result.stage_dir(name) / RESUME_FILE
        self.result.made.add([packed])
        remove_halves(packed)
        with replaced_path(packed) as beside:
            try:
                os.link(str(file), str(beside))
            except OSError:  # not every file system has hard links
                shutil.copyfile(file, beside)
        self.write_result()
        self.result.made.remove({self._state_of(trained.stage) for trained in self.stages} - {packed})

    def attach(self, section: str, files: Sequence[Path]) -> None:
        """List those files of a section that are there in every result.yaml from now on."""
        written = [file.name for file in files if file.is_file()]
        if written:
            self.attachments[section] = written

    def write_result(self) -> None:
        """Rewrite result.yaml for the stages on disk and what is attached."""
        stages = [trained.stage for trained in self.stages]
        packs = self._params.save_resume_state
        holder = next((stage for stage in reversed(stages) if packs and self._state_of(stage).is_file()), None)
        listed = [
            dataclasses.replace(stage, files=(*stage.files, RESUME_FILE)) if stage is holder else stage
            for stage in stages
        ]
        self.result.write(listed, self.attachments)

    def restore(self, stages: Sequence[TrainedStage]) -> None:
        """Take over the stages of the training that this one goes on with, as far as their files are still there."""
        self._latest = stages[-1].stage if stages else None
        self.stages = [
            trained
            for trained in stages
            if all(path.is_file() for path in self._paths(trained.stage.name, trained.stage.files))
        ]

    def _listed(self, files: Tuple[str, ...]) -> Tuple[str, ...]:
        patterns = self._params.ymir_saved_file_patterns
        listed = tuple(file for file in files if not patterns or any(re.search(p, file) for p in patterns))
        if not listed:
            logger.warning('ymir_saved_file_patterns match none of %s: all are listed', ', '.join(files))
        return listed or files

    def _remove(self, dropped: Sequence[TrainedStage]) -> None:
        """Remove what the writers left for stages, except files that they share with a stage that stays."""
        kept = {path for trained in self.stages for path in self._all_of(trained)}
        gone = {path for trained in dropped for path in self._all_of(trained)}
        self.result.made.remove(gone - kept)

    def _all_of(self, trained: TrainedStage) -> List[Path]:
        return [*self._paths(trained.stage.name, trained.written), self._state_of(trained.stage)]

    def _state_of(self, stage: Stage) -> Path:
        return self.result.stage_dir(stage.name) / RESUME_FILE

    def _paths(self, stage_name: str, names: Sequence[str]) -> List[Path]:
        return [self.result.stage_dir(stage_name) / name for name in names]


def kept_stages(stages: Sequence[TrainedStage], keep: int) -> List[TrainedStage]:
    """Choose the stages that stay: the `keep` best and the `keep` latest, all of them where `keep` is 0 or less."""
    best = sorted(stages, key=lambda trained: trained.stage.rank)[-keep:]
    return [trained for trained in stages if keep <= 0 or trained in best or trained in stages[-keep:]]
