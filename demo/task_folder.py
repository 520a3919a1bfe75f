"""Write the parts of a task that are drawn or made up: a config.yaml, images, annotations and models of any content."""

from __future__ import annotations

from pathlib import Path

import yaml

from desk.task_folder import write_bytes, write_text

CLASS_NAMES = ('cat', 'dog')


def write_config(root: Path, **values: object) -> Path:
    """Write config.yaml: what the platform fills in (two classes, CPU), then `values` over it; None becomes null."""
    reserved = {'task_id': 'task-1', 'class_names': list(CLASS_NAMES), 'gpu_id': '', 'gpu_count': 0, 'object_type': 2}
    return write_text(root / 'in' / 'config.yaml', yaml.safe_dump({**reserved, **values}, sort_keys=False))


def add_image(root: Path, name: str, data: bytes = b'') -> Path:
    return write_bytes(root / 'in' / 'assets' / name, data)


def add_annotation(root: Path, name: str, text: str = '') -> Path:
    return write_text(root / 'in' / 'annotations' / name, text)


def add_model_file(root: Path, name: str, data: bytes = b'') -> Path:
    return write_bytes(root / 'in' / 'models' / name, data)
