"""The annotation formats of a training task: `export_format` says which reader fits."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Dict, List, Mapping, Sequence, Tuple

from executor.contract.annotations.ark import read_ark
from executor.contract.annotations.coco import read_coco
from executor.contract.annotations.records import Box, Record, Skipped
from executor.contract.annotations.voc import read_voc
from executor.contract.errors import DatasetError
from executor.contract.index import IndexLine

logger = logging.getLogger(__name__)

_READER_OF_A_FILE = {'ark': read_ark, 'det-ark': read_ark, 'voc': read_voc, 'det-voc': read_voc}
_READER_OF_ALL = {'coco': read_coco, 'det-coco': read_coco, 'seg-coco': read_coco}

# What `export_format` may say; `raw` is the platform's word for images as files.
FORMATS: Tuple[str, ...] = tuple(f'{name}:raw' for name in (*_READER_OF_A_FILE, *_READER_OF_ALL))


def read_records(lines: Sequence[IndexLine], export_format: str, class_names: Sequence[str]) -> Tuple[Record, ...]:
    """The images of an index with their boxes, in index order; what was skipped is logged, a line a reason.

    Raises:
        DatasetError: an annotation is malformed (see the readers).
    """
    name = export_format.partition(':')[0]
    skipped = Skipped()
    try:
        if name in _READER_OF_A_FILE:
            read = _READER_OF_A_FILE[name]
            records = [Record(line.image, read(line.annotation, class_names, skipped)) for line in lines]
        else:
            records = _from_one_file(lines, class_names, skipped)
    except OSError as error:
        raise DatasetError(f'{error.filename} cannot be read ({error.strerror}): export the dataset again')
    for sentence in skipped.lines():
        logger.warning(sentence)
    return tuple(records)


def _from_one_file(lines: Sequence[IndexLine], class_names: Sequence[str], skipped: Skipped) -> List[Record]:
    files: Dict[Path, Mapping[str, Tuple[Box, ...]]] = {}
    records = []
    for line in lines:
        if line.annotation not in files:
            files[line.annotation] = read_coco(line.annotation, class_names, skipped)
        boxes_of = files[line.annotation]
        if line.image.name not in boxes_of:
            raise DatasetError(
                f'{line.annotation}: no entry under images has the file_name {line.image.name!r} of {line.place}: '
                'export the dataset again'
            )
        records.append(Record(line.image, boxes_of[line.image.name]))
    return records
