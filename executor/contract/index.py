"""Index files: one line an image, `<image>\\t<annotation>` for training, `<image>` for candidates."""

from __future__ import annotations

import codecs
import operator
import os
import weakref
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Iterable, List, Sequence, Tuple

from executor.contract.env import InputPaths
from executor.contract.errors import DatasetError
from executor.contract.shown import clipped, shown

_REMEDY = 'export the dataset again'


@dataclass(frozen=True)
class IndexLine:
    """An image and its annotation file; `place` is the `file:line` that lists them."""

    image: Path
    annotation: Path
    place: str


def read_training_index(path: Path) -> Tuple[IndexLine, ...]:
    """Read a training or validation index; blank lines are passed over.

    Raises:
        DatasetError: the index is missing, empty or not UTF-8, or a line has no annotation.
    """
    lines = []
    for number, text in enumerate(_read_lines(path), start=1):
        if not text.strip():
            continue
        # Paths may hold blanks, so only the tab separates (the predecessor split on any blank).
        columns = [column.strip() for column in text.split('\t')]
        if len(columns) < 2 or not columns[0] or not columns[1]:
            raise DatasetError(f'{path}:{number}: expected <image><tab><annotation>, found {shown(text)}: {_REMEDY}')
        lines.append(IndexLine(Path(columns[0]), Path(columns[1]), f'{path}:{number}'))
    if not lines:
        raise _no_image(path)
    return tuple(lines)


class CandidateIndex(Sequence[str]):
    """The image paths of an index for mining or inference, exactly as its lines have them.

    A million lines take 12 MB: only where each path lies is kept, its text is read when asked for. It may be used after
    a fork and be pickled; the file must stay in place meanwhile.
    """

    def __init__(self, path: Path, starts: array[int], sizes: array[int], passed: array[int]) -> None:
        """
        Args:
            path: the index file.
            starts: N byte offsets, where each image's path begins.
            sizes: N numbers of bytes.
            passed: for each line without an image, how many images are listed before it.
        """
        self._path = path
        self._starts = starts
        self._sizes = sizes
        self._passed = passed
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def __len__(self) -> int:
        return len(self._starts)

    def __getitem__(self, position: Any) -> str:
        """The path at a position; not for slices, which would hold many."""
        position = operator.index(position)
        # At an offset of its own, since forked processes share the position in the file.
        return os.pread(self._file, self._sizes[position], self._starts[position]).decode('utf-8')

    def place(self, position: int) -> str:
        """The `file:line` that lists the image at a position, 0 <= position < N."""
        return f'{self._path}:{position + 1 + bisect_right(self._passed, position)}'

    def __reduce__(self) -> Tuple[Any, ...]:
        return CandidateIndex, (self._path, self._starts, self._sizes, self._passed)


def read_candidate_index(path: Path) -> CandidateIndex:
    """Read a candidate index; blank lines are passed over, of several columns the first counts.

    Raises:
        DatasetError: the index is missing, empty or not UTF-8, or a line has no image.
    """
    starts, sizes, passed = array('Q'), array('I'), array('I')
    start = 0
    try:
        with path.open('rb') as stream:
            for number, line in enumerate(stream, start=1):
                if number == 1 and line.startswith(codecs.BOM_UTF8):
                    start, line = len(codecs.BOM_UTF8), line[len(codecs.BOM_UTF8) :]
                image = _first_column(path, number, start, line)
                if image:
                    starts.append(start)
                    sizes.append(len(image))
                else:
                    passed.append(len(starts))
                start += len(line)
            if starts:
                return CandidateIndex(path, starts, sizes, passed)
    except OSError as error:
        raise _unreadable(path, error)
    raise _no_image(path)


def _first_column(path: Path, number: int, start: int, line: bytes) -> bytes:
    """The image's path of a line that begins at byte `start`; nothing for a blank line."""
    try:
        text = line.decode('utf-8').rstrip('\r\n')
    except UnicodeDecodeError as error:
        raise _not_text(path, start + error.start)
    if not text.strip():
        return b''
    image = line.rstrip(b'\r\n').partition(b'\t')[0]
    if not image.strip():
        raise DatasetError(f'{path}:{number}: expected <image>, found {shown(text)}: {_REMEDY}')
    return image


def check_listed(
    index: Path, listed: Iterable[Tuple[int, str]], place: Callable[[int], str], folders: InputPaths
) -> None:
    """That the files of an index are there, in the folders that the task was given.

    Args:
        index: for the message.
        listed: number and path of each.
        place: the `file:line` that lists a number.
        folders: of env.yaml. They may be links, as may be what lies in them: only what a path says counts.

    Raises:
        DatasetError: some are not, or lie elsewhere; with their count and the first five.
    """
    given = (folders.root_dir, folders.assets_dir, folders.annotations_dir)
    inside = tuple({os.path.join(str(folder), '') for link in given for folder in (link, os.path.realpath(link))})
    outside, lost = _Named(), _Named()
    for number, path in listed:
        # Most paths need no more than the first look.
        if not (path.startswith(inside) and '..' not in path) and not os.path.normpath(path).startswith(inside):
            outside.add(path, place, number)
        elif not os.path.isfile(path):  # Path.is_file fails on names that no file can have
            lost.add(path, place, number)
    if outside.count:
        folder_names = ', '.join(dict.fromkeys(map(str, given)))
        raise DatasetError(f'{index} lists {outside} outside of the input folders {folder_names}: {_REMEDY}')
    if lost.count:
        raise DatasetError(f'{index} lists {lost} that cannot be found or may not be read: {_REMEDY}')


class _Named:
    """How many there are, and the first five with their places."""

    def __init__(self) -> None:
        self.count = 0
        self._first: List[str] = []

    def add(self, path: str, place: Callable[[int], str], number: int) -> None:
        self.count += 1
        if len(self._first) < 5:
            self._first.append(f'{clipped(path)} ({place(number)})')

    def __str__(self) -> str:
        more = ', ...' if self.count > len(self._first) else ''
        return f'{self.count} file{"s" if self.count > 1 else ""} ({", ".join(self._first)}{more})'


def _read_lines(path: Path) -> List[str]:
    try:
        # Not splitlines: it also splits at characters that a path may hold.
        return path.read_text(encoding='utf-8-sig').replace('\r\n', '\n').split('\n')
    except OSError as error:
        raise _unreadable(path, error)
    except UnicodeDecodeError as error:
        raise _not_text(path, error.start)


def _unreadable(path: Path, error: OSError) -> DatasetError:
    return DatasetError(f'index file {path} cannot be read ({error.strerror}): {_REMEDY}')


def _not_text(path: Path, byte: int) -> DatasetError:
    return DatasetError(f'index file {path} is not UTF-8 text (byte {byte}): {_REMEDY}')


def _no_image(path: Path) -> DatasetError:
    return DatasetError(f'{path} lists no image: choose a dataset that has some')
