"""Write result.yaml: the stages of a training and their numbers."""

from __future__ import annotations

import glob
import os
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

import yaml

from executor.contract.env import NO_PROTOCOL, Env
from executor.contract.output.files import remove_file, replace_file
from executor.contract.output.made import MadeFiles
from executor.contract.regular_file import read_regular

_MOST_BYTES = 2**20  # of a result.yaml that was there before
RESUME_FILE = 'resume.pth'  # the state that a training can be resumed from, where a stage holds it
LATEST_STAGES = 10  # beside the best one; the platform takes 11 at most

# At which tp, fp and fn are counted; the platform shows both numbers beside the model.
EVALUATE_CONFIG = {'iou_thr': 0.5, 'conf_thr': 0.005}

_STAGE_NAME = re.compile('epoch_([1-9][0-9]{0,8})')

Attachments = Mapping[str, Sequence[str]]  # file names by section


@dataclass(frozen=True)
class Stage:
    """A model of one epoch, as result.yaml lists it. `files` are names without a folder; mAP and mAR in 0..1.

    One that is not `validated` has zeros for its numbers, and never ranks above one that is.
    """

    name: str
    epoch: int
    files: Tuple[str, ...]
    mAP: float
    mAR: float
    tp: int
    fp: int
    fn: int
    timestamp: int
    validated: bool = True

    @property
    def rank(self) -> Tuple[bool, float, int]:
        """Return what stages are ordered by: the better, or else the later one is the greater."""
        return self.validated, self.mAP, self.epoch


class TrainingResult:
    """The folder of models and its result.yaml, laid out as the platform's protocol wants.

    `made` keeps account of the files in it, and of the curves.
    """

    def __init__(self, env: Env) -> None:
        self._protocol = env.protocol
        self._models_dir = env.output.models_dir
        self._curves_dir = env.output.tensorboard_dir
        self._result_file = env.output.training_result_file
        self.made = MadeFiles(env.output.root_dir, (self._models_dir, self._curves_dir))

    def clear(self) -> None:
        """Remove what earlier runs in the same folder made, and nothing else: first the list, then what it lists."""
        self.adopt_listed()
        remove_file(self._result_file)
        self.made.remove(self.made.all())

    def adopt_listed(self) -> None:
        """Put on the account what the result.yaml that is there lists: the version before this one kept no account."""
        self.made.add(self._listed())

    def adopt_curves(self) -> None:
        """Put on the account what this process writes for tensorboard, in files that tensorboard itself names."""
        host = glob.escape(socket.gethostname())
        self.made.add(self._curves_dir.glob(f'events.out.tfevents.*.{host}.{os.getpid()}.*'))

    def stage_dir(self, stage_name: str) -> Path:
        """Return the folder of a stage's files: one of its own since protocol 1.1, models/ itself before."""
        return self._models_dir / stage_name if self._protocol >= (1, 1) else self._models_dir

    def attachments_dir(self, section: str) -> Path:
        """Return the folder of the attachments of one section."""
        return self._models_dir / 'attachments' / section

    def write(self, stages: Sequence[Stage], attachments: Attachments) -> None:
        """Write result.yaml of complete stages, in the order of epochs: at most the best and the ten latest."""
        best = best_stage(stages)
        listed = [stage for stage in stages if stage is best or stage in stages[-LATEST_STAGES:]]
        files = [self.stage_dir(stage.name) / name for stage in listed for name in stage.files]
        lost = [file for file in files if not file.is_file()]
        assert not lost, f'result.yaml would list files that do not exist: {lost}'
        replace_file(self._result_file, yaml.safe_dump(self._content(listed, best, attachments), sort_keys=False))

    def _listed(self) -> Iterator[Path]:
        """Yield the files that result.yaml lists, as far as it has the form that we write."""
        content = self._read()
        for name, stage in _mapping(content.get('model_stages')).items():
            if isinstance(name, str) and _STAGE_NAME.fullmatch(name):
                yield from _inside(self.stage_dir(name), _mapping(stage).get('files'))
        yield from _inside(self._models_dir, content.get('model'))
        for section, files in _mapping(content.get('attachments')).items():
            for folder in _inside(self._models_dir / 'attachments', [section]):
                yield from _inside(folder, files)

    def _read(self) -> Mapping[object, Any]:
        try:
            return _mapping(yaml.safe_load(read_regular(self._result_file, _MOST_BYTES).decode('utf-8')))
        except (OSError, ValueError, RecursionError, yaml.YAMLError):
            return {}

    def _content(self, stages: Sequence[Stage], best: Stage, attachments: Attachments) -> Dict[str, object]:
        if self._protocol == NO_PROTOCOL:
            return {'model': list(best.files), 'map': float(best.mAP)}
        content: Dict[str, object] = {
            'best_stage_name': best.name,
            'mAP': float(best.mAP),
            'model_stages': {stage.name: _stage_content(stage) for stage in stages},
            'evaluate_config': dict(EVALUATE_CONFIG),
        }
        if attachments:
            content['attachments'] = {section: list(files) for section, files in attachments.items()}
        return content


def best_stage(stages: Sequence[Stage]) -> Stage:
    """Return the validated stage of highest mAP, the latest of several such; the latest where none is validated."""
    return max(stages, key=lambda stage: stage.rank)


def _stage_content(stage: Stage) -> Dict[str, object]:
    means = {'mAP': float(stage.mAP), 'mAR': float(stage.mAR)}
    counts = {'tp': int(stage.tp), 'fp': int(stage.fp), 'fn': int(stage.fn), 'timestamp': int(stage.timestamp)}
    return {'stage_name': stage.name, 'files': list(stage.files), **means, **counts}


def is_plain_name(name: object) -> bool:
    """Say whether a value is a file name as we give them: printable, not hidden, without a folder."""
    usual = isinstance(name, str) and name.isprintable() and name[:1] not in ('', '.') and '/' not in name
    return usual and len(str(name).encode('utf-8')) <= 255


def _mapping(value: object) -> Mapping[object, Any]:
    return value if isinstance(value, dict) else {}


def _inside(folder: Path, names: object) -> List[Path]:
    return [folder / name for name in names if is_plain_name(name)] if isinstance(names, list) else []
