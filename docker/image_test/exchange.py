"""The other stack, in this environment: what it trains and finds, to compare with an image."""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.support.exports import write_task

REPOSITORY = Path(__file__).resolve().parents[2]
# Rounding differs between the stacks, and with it now and then which of two boxes NMS keeps.
PIXELS, SCORE, SHARE = 1, 0.01, 0.97


def train_here(root: Path, export: Path, **config: Any) -> Path:
    """A training of this environment on an export; returns the folder of its best stage."""
    _start(write_task(root, export, **config))
    models = root / 'out' / 'models'
    return models / yaml.safe_load((models / 'result.yaml').read_text(encoding='utf-8'))['best_stage_name']


def find_here(root: Path, export: Path, stage: Path, **config: Any) -> Path:
    """What this environment finds with a stage: infer-result.json."""
    model = [str(path) for path in sorted(stage.iterdir())]
    _start(write_task(root, export, infer=True, model_params_path=model, **config))
    return root / 'out' / 'infer-result.json'


def share_of_same_boxes(ours: Path, theirs: Path) -> float:
    """The part of the boxes of both results that the other one has too, but for rounding."""
    first, second = (json.loads(file.read_text(encoding='utf-8'))['detection'] for file in (ours, theirs))
    assert set(first) == set(second)
    same = total = 0
    for image in first:
        one, other = _rows(first[image]['boxes']), _rows(second[image]['boxes'])  # (N, 6), (M, 6)
        limits = np.array([*[PIXELS] * 4, SCORE, 0])
        alike = (np.abs(one[:, None] - other[None]) <= limits).all(axis=2)  # (N, M)
        same += alike.any(axis=1).sum() + alike.any(axis=0).sum()
        total += len(one) + len(other)
    return same / max(1, total)


def _rows(boxes: list[dict[str, Any]]) -> np.ndarray:
    """(N, 6): x, y, w, h, score, and a number for the name of the class."""
    rows = [
        [*(box['box'][key] for key in 'xywh'), box['score'], zlib.crc32(box['class_name'].encode())] for box in boxes
    ]
    return np.array(rows, np.float64).reshape(-1, 6)


def _start(env_file: Path) -> None:
    subprocess.check_call(
        [sys.executable, 'start.py', '--env', str(env_file)],
        cwd=str(REPOSITORY),
        stdout=(env_file.parents[1] / 'log').open('w'),
        stderr=subprocess.STDOUT,
    )
