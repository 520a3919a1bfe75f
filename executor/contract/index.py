"""Index files: one line an image, `<image>\\t<annotation>` for training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import List, Sequence, Tuple

from executor.contract.errors import DatasetError


@dataclass(frozen=True)
class IndexLine:
    """An image and its annotation file; `place` is the `file:line` that lists them."""

    image: Path
    annotation: Path
    place: str


def read_training_index(path: Path) -> Tuple[IndexLine, ...]:
    """Read a training or validation index; blank lines are passed over, every file is checked to exist.

    Raises:
        DatasetError: the index is missing or empty, a line has no annotation, or a listed file is not on disk.
    """
    lines = []
    for number, text in enumerate(_read_lines(path), start=1):
        if not text.strip():
            continue
        # Paths may hold blanks, so only the tab separates (the predecessor split on any blank).
        columns = [column.strip() for column in text.split('\t')]
        if len(columns) < 2 or not columns[0] or not columns[1]:
            raise DatasetError(f'{path}:{number}: expected <image><tab><annotation>, found {text!r}')
        lines.append(IndexLine(Path(columns[0]), Path(columns[1]), f'{path}:{number}'))
    if not lines:
        raise DatasetError(f'{path} lists no image: choose a dataset that has some')
    _check_exist(lines)
    return tuple(lines)


def _read_lines(path: Path) -> List[str]:
    try:
        # Not splitlines: it also splits at characters that a path may hold.
        return path.read_text(encoding='utf-8').replace('\r\n', '\n').split('\n')
    except OSError as error:
        raise DatasetError(f'index file {path} cannot be read ({error.strerror}): export the dataset again')
    except UnicodeDecodeError as error:
        raise DatasetError(f'index file {path} is not UTF-8 text (byte {error.start}): export the dataset again')


def _check_exist(lines: Sequence[IndexLine]) -> None:
    annotation_exists = {annotation: annotation.is_file() for annotation in {line.annotation for line in lines}}
    lost = []
    for line in lines:
        if not line.image.is_file():
            lost.append(f'{line.image} ({line.place})')
        if not annotation_exists[line.annotation]:
            lost.append(f'{line.annotation} ({line.place})')
    if lost:
        more = ', ...' if len(lost) > 5 else ''
        raise DatasetError(
            f'{len(lost)} listed files are not on disk: {", ".join(lost[:5])}{more}: export the dataset again'
        )
