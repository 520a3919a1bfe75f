"""Write result.yaml: the stages of a training and their numbers."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Mapping, Sequence, Tuple

import yaml

from executor.contract.env import NO_PROTOCOL, Env
from executor.contract.output.files import replace_file

LATEST_STAGES = 10  # beside the best one; the platform takes 11 at most

# At which tp, fp and fn are counted; the platform shows both numbers beside the model.
EVALUATE_CONFIG = {'iou_thr': 0.5, 'conf_thr': 0.005}

Attachments = Mapping[str, Sequence[str]]  # file names by section


@dataclass(frozen=True)
class Stage:
    """A model of one validation, as result.yaml lists it. `files` are names without a folder; mAP and mAR in 0..1."""

    name: str
    epoch: int
    files: Tuple[str, ...]
    mAP: float
    mAR: float
    tp: int
    fp: int
    fn: int
    timestamp: int


class TrainingResult:
    """The folder of models and its result.yaml, laid out as the platform's protocol wants."""

    def __init__(self, env: Env) -> None:
        self._protocol = env.protocol
        self._models_dir = env.output.models_dir
        self._result_file = env.output.training_result_file

    def clear(self) -> None:
        """Remove what an earlier run in the same folder left: first the list, then what it may have listed."""
        self._result_file.unlink(missing_ok=True)
        for path in (*self._models_dir.glob('epoch_*'), self._models_dir / 'attachments'):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

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
    """Return the stage of highest mAP, the latest of several such."""
    return max(stages, key=lambda stage: (stage.mAP, stage.epoch))


def _stage_content(stage: Stage) -> Dict[str, object]:
    means = {'mAP': float(stage.mAP), 'mAR': float(stage.mAR)}
    counts = {'tp': int(stage.tp), 'fp': int(stage.fp), 'fn': int(stage.fn), 'timestamp': int(stage.timestamp)}
    return {'stage_name': stage.name, 'files': list(stage.files), **means, **counts}
