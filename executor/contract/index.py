"""Read index files: one line an image, `<image>\\t<annotation>` for training, `<image>` for candidates."""

from __future__ import annotations

import codecs
import io
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

from executor.contract.errors import DatasetError, ExecutorError, noting
from executor.contract.regular_file import read_regular
from executor.contract.shown import shown

_REMEDY = 'export the dataset again'
_MOST_BYTES = 2**30  # some ten million lines


@dataclass(frozen=True)
class IndexLine:
    """An image and its annotation file; `place` is the `file:line` that lists them."""

    image: Path
    annotation: Path
    place: str


def read_training_index(path: Path, problems: Optional[List[ExecutorError]] = None) -> Tuple[IndexLine, ...]:
    """Read a training or validation index; blank lines are passed over, and with `problems` also malformed ones.

    Raises:
        DatasetError: the index is missing, empty or not UTF-8, or a line has no annotation.
    """
    try:
        text = read_regular(path, _MOST_BYTES).decode('utf-8-sig')
    except OSError as error:
        raise _unusable(path, f'cannot be read ({error.strerror})')
    except UnicodeDecodeError as error:
        raise _unusable(path, f'is not UTF-8 text (byte {error.start})')
    lines = []
    # Not splitlines: it also splits at characters that a path may hold.
    for number, line in enumerate(text.split('\n'), start=1):
        if not line.strip():
            continue
        # Paths may hold blanks, so only the tab separates (the predecessor split on any blank).
        columns = [column.strip() for column in line.split('\t')]
        with noting(problems):
            if len(columns) < 2 or not columns[0] or not columns[1]:
                raise DatasetError(
                    f'{path}:{number}: expected <image><tab><annotation>, found {shown(line)}: {_REMEDY}'
                )
            lines.append(IndexLine(Path(columns[0]), Path(columns[1]), f'{path}:{number}'))
    if not lines:
        raise _no_image(path)
    return tuple(lines)


@dataclass(frozen=True, eq=False, repr=False)
class CandidateIndex(Sequence[str]):
    """The N image paths of an index for mining or inference, exactly as its lines have them.

    Kept are the bytes of the file and where in them each path lies: 75 MB for a million lines.
    """

    file: Path
    data: bytes
    starts: array[int]  # N byte offsets in `data`
    ends: array[int]
    passed: array[int]  # for each line without an image, how many images are listed before it

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, position: int) -> str:  # type: ignore[override]
        """Return the path at a position; not for slices, which would hold many."""
        return self.data[self.starts[position] : self.ends[position]].decode('utf-8')

    def place(self, position: int) -> str:
        """Return the `file:line` that lists the image at a position, 0 <= position < N."""
        return f'{self.file}:{position + 1 + bisect_right(self.passed, position)}'


def read_candidate_index(path: Path) -> CandidateIndex:
    """Read a candidate index; blank lines are passed over, of several columns the first counts.

    Raises:
        DatasetError: the index is missing, empty or not UTF-8, or a line has no image.
    """
    try:
        data = read_regular(path, _MOST_BYTES)
    except OSError as error:
        raise _unusable(path, f'cannot be read ({error.strerror})')
    starts, ends, passed = array('Q'), array('Q'), array('I')
    start = 0
    for number, line in enumerate(io.BytesIO(data), start=1):
        if number == 1 and line.startswith(codecs.BOM_UTF8):
            start, line = len(codecs.BOM_UTF8), line[len(codecs.BOM_UTF8) :]
        try:
            text = line.decode('utf-8').rstrip('\r\n')
        except UnicodeDecodeError as error:
            raise _unusable(path, f'is not UTF-8 text (byte {start + error.start})')
        image = line.rstrip(b'\r\n').partition(b'\t')[0]
        if not text.strip():
            passed.append(len(starts))
        elif not image.strip():
            raise DatasetError(f'{path}:{number}: expected <image>, found {shown(text)}: {_REMEDY}')
        else:
            starts.append(start)
            ends.append(start + len(image))
        start += len(line)
    if not starts:
        raise _no_image(path)
    return CandidateIndex(path, data, starts, ends, passed)


def _unusable(path: Path, problem: str) -> DatasetError:
    return DatasetError(f'index file {path} {problem}: {_REMEDY}')


def _no_image(path: Path) -> DatasetError:
    return DatasetError(f'{path} lists no image: choose a dataset that has some')
