"""Read the annotations of a training task, in the format that `export_format` names."""

from __future__ import annotations

import logging
from functools import lru_cache
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Optional, Sequence, Tuple

from executor.contract.annotations.ark import read_ark
from executor.contract.annotations.coco import read_coco
from executor.contract.annotations.records import Record, Tally, TrueBox
from executor.contract.annotations.voc import read_voc
from executor.contract.errors import DatasetError
from executor.contract.index import IndexLine

logger = logging.getLogger(__name__)

Boxes = Tuple[TrueBox, ...]
ImageReader = Callable[[Path, Sequence[str], Tally], Boxes]
DatasetReader = Callable[[Path, Sequence[str], Tally], Mapping[str, Boxes]]
RecordReader = Callable[[Sequence[IndexLine], Sequence[str], Tally], List[Record]]


def one_file_an_image(read: ImageReader) -> RecordReader:
    """Make a reader of records for a format that has an annotation file for every image."""

    def read_all(lines: Sequence[IndexLine], class_names: Sequence[str], tally: Tally) -> List[Record]:
        return [Record(line.image, read(line.annotation, class_names, tally)) for line in lines]

    return read_all


def one_file_for_all(read: DatasetReader) -> RecordReader:
    """Make a reader of records for a format whose file holds the whole dataset, with the boxes by image file name."""

    def read_all(lines: Sequence[IndexLine], class_names: Sequence[str], tally: Tally) -> List[Record]:
        read_once = lru_cache(maxsize=None)(lambda file: read(file, class_names, tally))
        records = []
        paths: Dict[Tuple[Path, str], Path] = {}
        for line in lines:
            boxes = read_once(line.annotation).get(line.image.name)
            other = paths.setdefault((line.annotation, line.image.name), line.image)
            if other != line.image:
                raise DatasetError(
                    f'{line.place}: {line.image} and {other} have one file name, by which {line.annotation} gives both '
                    'the same boxes: export the dataset again'
                )
            if boxes is None:
                raise DatasetError(
                    f'{line.annotation}: no entry under images has the file_name {line.image.name!r} of {line.place}: '
                    'export the dataset again'
                )
            records.append(Record(line.image, boxes))
        return records

    return read_all


READERS: Dict[str, RecordReader] = {
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


def read_records(
    lines: Sequence[IndexLine], export_format: str, class_names: Sequence[str], tally: Optional[Tally] = None
) -> Tuple[Record, ...]:
    """Read the images of an index with their boxes, in index order; boxes left out are logged, a line a reason.

    `tally` is added to, where a caller wants to know what the annotations hold.

    Raises:
        DatasetError: an annotation is malformed (see the readers).
    """
    tally = Tally() if tally is None else tally
    try:
        records = READERS[export_format.partition(':')[0]](lines, class_names, tally)
    except OSError as error:
        raise DatasetError(f'{error.filename} cannot be read ({error.strerror}): export the dataset again')
    for sentence in tally.lines():
        logger.warning(sentence)
    return tuple(records)
