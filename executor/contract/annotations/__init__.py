"""Read the annotations of a training task, in the format that `export_format` names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Mapping, Optional, Protocol, Sequence, Tuple

from executor.contract.annotations.ark import read_ark
from executor.contract.annotations.coco import read_coco
from executor.contract.annotations.records import Record, Tally, TrueBox
from executor.contract.annotations.voc import read_voc
from executor.contract.errors import DatasetError
from executor.contract.index import IndexLine

Boxes = Tuple[TrueBox, ...]
ImageReader = Callable[[Path, Sequence[str], Tally], Boxes]
DatasetReader = Callable[[Path, Sequence[str], Tally], Mapping[str, Boxes]]


class LineReader(Protocol):
    """Reads the boxes of one line of an index; it can be sent to another process."""

    def __call__(self, line: IndexLine, tally: Tally) -> Boxes:
        """Read them; `tally` counts what the annotations hold."""

    def part(self, lines: Sequence[IndexLine]) -> LineReader:
        """Give a reader of these lines, with nothing that only others need."""


Opener = Callable[[Sequence[IndexLine], Sequence[str], Tally], LineReader]


def one_file_an_image(read: ImageReader) -> Opener:
    """Open a format that has an annotation file for every image: nothing is read until it is a line's turn."""

    def open_none(lines: Sequence[IndexLine], class_names: Sequence[str], tally: Tally) -> LineReader:
        return _FromFiles(read, class_names)

    return open_none


@dataclass(frozen=True)
class _FromFiles:
    read: ImageReader
    class_names: Sequence[str]

    def __call__(self, line: IndexLine, tally: Tally) -> Boxes:
        try:
            return self.read(line.annotation, self.class_names, tally)
        except OSError as error:
            raise _unreadable(error)

    def part(self, lines: Sequence[IndexLine]) -> _FromFiles:
        return self


def one_file_for_all(read: DatasetReader) -> Opener:
    """Open a format whose file holds the whole dataset, with the boxes by image file name: it is read at once."""

    def open_all(lines: Sequence[IndexLine], class_names: Sequence[str], tally: Tally) -> LineReader:
        boxes = {file: read(file, class_names, tally) for file in dict.fromkeys(line.annotation for line in lines)}
        paths: Dict[Tuple[Path, str], Path] = {}
        for line in lines:
            name = line.image.name
            other = paths.setdefault((line.annotation, name), line.image)
            if other != line.image:
                raise DatasetError(
                    f'{line.place}: {line.image} and {other} have one file name, by which {line.annotation} gives both '
                    'the same boxes: export the dataset again'
                )
            if name not in boxes[line.annotation]:
                raise DatasetError(
                    f'{line.annotation}: no entry under images has the file_name {name!r} of {line.place}: '
                    'export the dataset again'
                )
        return _FromTables(boxes)

    return open_all


@dataclass(frozen=True)
class _FromTables:
    boxes: Mapping[Path, Mapping[str, Boxes]]  # by annotation file and name of the image's file

    def __call__(self, line: IndexLine, tally: Tally) -> Boxes:
        return self.boxes[line.annotation][line.image.name]

    def part(self, lines: Sequence[IndexLine]) -> _FromTables:
        part: Dict[Path, Dict[str, Boxes]] = {line.annotation: {} for line in lines}
        for line in lines:
            part[line.annotation][line.image.name] = self.boxes[line.annotation][line.image.name]
        return _FromTables(part)


READERS: Dict[str, Opener] = {
    'ark': one_file_an_image(read_ark),
    'det-ark': one_file_an_image(read_ark),
    'voc': one_file_an_image(read_voc),
    'det-voc': one_file_an_image(read_voc),
    'coco': one_file_for_all(read_coco),
    'det-coco': one_file_for_all(read_coco),
    'seg-coco': one_file_for_all(read_coco),
}

# The values of `export_format`; `raw` is the platform's word for images as files.
FORMATS: Tuple[str, ...] = tuple(f'{name}:raw' for name in READERS)


def open_annotations(
    lines: Sequence[IndexLine], export_format: str, class_names: Sequence[str], tally: Tally
) -> LineReader:
    """Open the annotations of an index, and return what reads the boxes of one of its lines.

    What is one file for many lines is read now, and counted in `tally`; the reader counts what it reads in its own.

    Raises:
        DatasetError: an annotation is malformed (see the readers), here or when its line is read.
    """
    try:
        return READERS[export_format.partition(':')[0]](lines, class_names, tally)
    except OSError as error:
        raise _unreadable(error)


def read_records(
    lines: Sequence[IndexLine], export_format: str, class_names: Sequence[str], tally: Optional[Tally] = None
) -> Tuple[Record, ...]:
    """Read the images of an index with their boxes, in index order; `tally` counts what the annotations hold.

    Raises:
        DatasetError: an annotation is malformed (see the readers).
    """
    tally = Tally() if tally is None else tally
    read = open_annotations(lines, export_format, class_names, tally)
    return tuple(Record(line.image, read(line, tally)) for line in lines)


def _unreadable(error: OSError) -> DatasetError:
    return DatasetError(f'{error.filename} cannot be read ({error.strerror}): export the dataset again')
