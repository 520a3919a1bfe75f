"""Read the images of an index with their boxes into mmdet's form, by several processes where they are many."""

from __future__ import annotations

import collections
import itertools
import logging
import pickle
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Counter, Dict, Iterable, List, Optional, Sequence, Tuple

from executor.contract.annotations import LineReader, open_annotations
from executor.contract.annotations.records import Tally, TrueBox
from executor.contract.errors import ImageError, OutOfMemoryError
from executor.contract.index import IndexLine
from executor.images.decode import image_size
from executor.log import set_up_logging
from executor.machine import fork_server
from executor.machine.lifetime import die_with_parent
from executor.machine.shared_bytes import SharedBytes

_PROCESSES = 8  # also where there are fewer cores: reading small files is mostly waiting, where they are not cached
_TASK = 500  # images that a process is given at a time; so few are not worth a process

_MORE_MEMORY = 'give it more, or choose a smaller dataset'

CLIPPED, OUTSIDE = 'clipped to their image', 'wholly outside'  # what becomes of boxes that leave their image


@dataclass
class Entries:
    """Images in mmdet's form, each pickled, in the order of the index, and what was met on the way."""

    pickled: List[bytes] = field(default_factory=list)
    usable: Counter[int] = field(default_factory=collections.Counter)  # boxes to learn from, by label
    ignored: int = 0  # boxes that are difficult or crowds
    broken: List[ImageError] = field(default_factory=list)  # images that are left out
    tally: Tally = field(default_factory=Tally)  # of what the annotations hold
    leaving: Tally = field(default_factory=Tally)  # of boxes that leave their image

    def add(self, later: Entries) -> None:
        """Add what was read of later lines."""
        self.pickled += later.pickled
        self.usable.update(later.usable)
        self.ignored += later.ignored
        self.broken += later.broken
        self.tally.add(later.tally)
        self.leaving.add(later.leaving)


def read_entries(lines: Sequence[IndexLine], export_format: str, class_names: Sequence[str]) -> Entries:
    """Read the annotations of an index, and of its images the headers; images that cannot be decoded are left out.

    Raises:
        DatasetError: an annotation is malformed.
        OutOfMemoryError: a process that reads was killed.
    """
    entries = Entries()
    read = open_annotations(lines, export_format, class_names, entries.tally)
    starts = range(0, len(lines), _TASK)
    parts = (_Part(start, lines[start : start + _TASK], read.part(lines[start : start + _TASK])) for start in starts)
    if len(starts) == 1:
        entries.add(next(parts).entries())
        return entries
    shared, ends = _shared_parts(parts)
    processes, level = min(_PROCESSES, len(starts)), logging.getLogger('executor').getEffectiveLevel()
    try:
        with ProcessPoolExecutor(processes, fork_server.CONTEXT, _start_process, (level, shared)) as pool:
            for found in pool.map(_read_here, [0, *ends], ends):
                entries.add(found)
    except BrokenProcessPool:
        raise OutOfMemoryError(
            'a process that reads annotations and the sizes of images was killed, most often because the machine ran '
            f'out of memory: {_MORE_MEMORY}'
        )
    return entries


@dataclass(frozen=True)
class _Part:
    """Some lines of an index, as a process is given them."""

    start: int  # the first one's position
    lines: Sequence[IndexLine]
    read: LineReader

    def entries(self) -> Entries:
        """Read them."""
        entries = Entries()
        for position, line in enumerate(self.lines, start=self.start):
            boxes = self.read(line, entries.tally)
            try:
                width, height = image_size(line.image)
            except ImageError as error:
                entries.broken.append(error.with_traceback(None))
                continue
            instances: List[Dict[str, object]] = []
            for box in boxes:
                corners = _clipped(box, width, height)
                if corners != box[1:5]:
                    entries.leaving.leave_out(CLIPPED if corners else OUTSIDE, line.image)
                if corners:
                    instances.append({'bbox': [*corners], 'bbox_label': box.label, 'ignore_flag': int(box.ignore)})
                    if box.ignore:
                        entries.ignored += 1
                    else:
                        entries.usable[box.label] += 1
            entry = {'img_id': position, 'img_path': str(line.image), 'width': width, 'height': height}
            entries.pickled.append(pickle.dumps({**entry, 'instances': instances}, protocol=4))
        return entries


def _shared_parts(parts: Iterable[_Part]) -> Tuple[SharedBytes, List[int]]:
    """Pickle parts into memory that is shared, and say where each ends.

    Sent to the processes of a pool, so much would have it hang where one of them is killed.
    """
    pickled = [pickle.dumps(part, protocol=4) for part in parts]
    ends = list(itertools.accumulate(map(len, pickled)))
    shared = SharedBytes(ends[-1])
    for part, end in zip(pickled, ends):
        if not shared.write(memoryview(part), end - len(part)):
            raise OutOfMemoryError(f'no memory is left for the lines of a dataset: {_MORE_MEMORY}')
    return shared, ends


def _clipped(box: TrueBox, width: int, height: int) -> Optional[Tuple[float, float, float, float]]:
    """Return the corners of a box cut to its image; None where nothing is left."""
    x1, x2 = min(max(box.x1, 0), width), min(max(box.x2, 0), width)
    y1, y2 = min(max(box.y1, 0), height), min(max(box.y2, 0), height)
    return (x1, y1, x2, y2) if x1 < x2 and y1 < y2 else None


_shared: Optional[SharedBytes] = None  # of a reading process, set once when it starts


def _start_process(level: int, shared: SharedBytes) -> None:
    global _shared
    die_with_parent()
    set_up_logging(level)
    _shared = shared


def _read_here(start: int, end: int) -> Entries:
    assert _shared is not None, 'the process has not been started by _start_process'
    part: _Part = pickle.loads(_shared.memory[start:end])
    return part.entries()
