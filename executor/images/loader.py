"""Read images ahead: decoded and prepared by processes of their own, handed over in batches in the order asked for.

Pixels lie in memory that the processes share, so an image is written once, never copied between processes, and takes
nothing of /dev/shm, which docker makes small.
"""

from __future__ import annotations

import collections
import functools
import logging
import math
import time
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Deque, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import numpy as np

from executor.contract.errors import ImageError, OutOfMemoryError
from executor.contract.shown import first_line
from executor.images.decode import read_image
from executor.images.prepare import Preparation, Prepared
from executor.log import set_up_logging
from executor.machine import fork_server
from executor.machine.lifetime import die_with_parent
from executor.machine.shared_bytes import SharedBytes

# Images a process is given at a time: fewer would cost more in handing over than they gain in evenness.
_LARGEST_TASK = 4
_ELSEWHERE = np.zeros((0, 0, 3), np.uint8)  # stands for pixels that lie in the shared memory


class LoadedImage(NamedTuple):
    """One image of a batch."""

    position: int  # in the index
    prepared: Optional[Prepared]  # None where the image cannot be decoded or prepared
    error: Optional[str] = None  # why it cannot
    image: Optional[np.ndarray] = None  # (H, W, 3) uint8 BGR as decoded, where it was asked for


class LoadedBatch(NamedTuple):
    """Images in the order of the index; `release` gives their memory back, after which their pixels change."""

    images: List[LoadedImage]
    release: Callable[[], None]


class _Request(NamedTuple):
    """One image to load; `slot` is the place of its pixels in the shared memory, None where they lie elsewhere."""

    position: int
    path: str
    slot: Optional[int]


class _Done(NamedTuple):
    """Loaded images, with the shape of their pixels and the slot where these lie, and the seconds they took."""

    images: List[Tuple[LoadedImage, Tuple[int, ...], Optional[int]]]
    decode_seconds: float
    prepare_seconds: float


class ImageLoader:
    """Iterates over batches of the images at `positions`, each exactly once.

    Args:
        paths: the index.
        prepare: gets a place in the shared memory for each result, unless its `largest` is 0.
        batch_size: images a batch; the last one may have fewer.
        workers: processes; 0 to load in this one.
        held: batches that a consumer may hold at a time before it releases the first of them.
        keep_images: whether the decoded image comes along, which then is copied between processes.
    """

    def __init__(
        self,
        paths: Sequence[str],
        positions: Sequence[int],
        prepare: Preparation,
        batch_size: int,
        workers: int,
        held: int,
        keep_images: bool = False,
    ) -> None:
        self._paths = paths
        self._positions = positions
        self._batch_size = min(batch_size, max(1, len(positions)))
        self.decode_seconds = self.prepare_seconds = 0.0  # summed over the processes
        cv2.setNumThreads(1)  # the processes, and the detector's threads, are what runs in parallel
        self._task_size = max(1, min(_LARGEST_TASK, self._batch_size // max(1, workers)))
        ahead = max(2, math.ceil(2 * workers * self._task_size / self._batch_size)) if workers else 0
        self._blocks = list(range(held + 1 + ahead))
        memory = SharedBytes(max(1, len(self._blocks) * self._batch_size * prepare.largest))
        self._shared = _Shared(memory, prepare.largest, prepare, keep_images)
        self._pool: Optional[ProcessPoolExecutor] = None
        if workers:
            level = logging.getLogger('executor').getEffectiveLevel()
            self._pool = ProcessPoolExecutor(workers, fork_server.CONTEXT, _start_process, (level, self._shared))

    def __iter__(self) -> Iterator[LoadedBatch]:
        waiting: Deque[Tuple[int, List[Callable[[], _Done]]]] = collections.deque()
        start = 0
        try:
            while waiting or start < len(self._positions):
                while self._blocks and start < len(self._positions):
                    block = self._blocks.pop()
                    waiting.append((block, self._begin(block, start)))
                    start += self._batch_size
                assert waiting, 'the consumer holds more batches than it said'
                block, tasks = waiting.popleft()
                images = [loaded for task in tasks for loaded in self._finish(task)]
                yield LoadedBatch(images, functools.partial(self._blocks.append, block))
        except BrokenProcessPool:
            raise OutOfMemoryError(
                'a process that reads images ahead was killed, most often because the machine ran out of memory: set '
                'workers_per_gpu or samples_per_gpu lower'
            )
        finally:
            self.close()

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(wait=True)
            self._pool = None

    def _begin(self, block: int, start: int) -> List[Callable[[], _Done]]:
        """Begin to load a batch in tasks, each of which is then called for its images."""
        positions = self._positions[start : start + self._batch_size]
        has_slots = self._shared.slot_bytes > 0
        requests = [
            _Request(position, self._paths[position], block * self._batch_size + number if has_slots else None)
            for number, position in enumerate(positions)
        ]
        chunks = [requests[first : first + self._task_size] for first in range(0, len(requests), self._task_size)]
        if self._pool is None:
            return [functools.partial(self._shared.load, chunk) for chunk in chunks]
        return [self._pool.submit(_load_here, chunk).result for chunk in chunks]

    def _finish(self, task: Callable[[], _Done]) -> List[LoadedImage]:
        done = task()
        self.decode_seconds += done.decode_seconds
        self.prepare_seconds += done.prepare_seconds
        return [self._shared.with_pixels(*image) for image in done.images]


@dataclass(frozen=True)
class _Shared:
    """The shared memory, and the way to fill it; the same in all processes."""

    memory: SharedBytes
    slot_bytes: int
    prepare: Preparation
    keep_images: bool

    def load(self, requests: Sequence[_Request]) -> _Done:
        """Decode and prepare; pixels that lie in the shared memory are left out, their shape and slot tell of them."""
        images: List[Tuple[LoadedImage, Tuple[int, ...], Optional[int]]] = []
        decode_seconds = prepare_seconds = 0.0
        for request in requests:
            started = time.perf_counter()
            try:
                image = read_image(Path(request.path))
                decoded = time.perf_counter()
                prepared = self._prepared(request, image)
            except ImageError as error:
                images.append((LoadedImage(request.position, None, str(error)), (), None))
                continue
            shape = prepared.pixels.shape
            if request.slot is not None:
                prepared = prepared._replace(pixels=_ELSEWHERE)
            kept = image if self.keep_images else None
            images.append((LoadedImage(request.position, prepared, image=kept), shape, request.slot))
            decode_seconds += decoded - started
            prepare_seconds += time.perf_counter() - decoded
        return _Done(images, decode_seconds, prepare_seconds)

    def _prepared(self, request: _Request, image: np.ndarray) -> Prepared:
        try:
            return self.prepare(image, self._slot(request.slot))
        except Exception as error:  # of a transform of mmdet's, or of want of memory
            size = f'{image.shape[1]} x {image.shape[0]} pixels'
            raise ImageError(f'{request.path} ({size}) cannot be prepared for the model ({first_line(error)})')

    def with_pixels(self, loaded: LoadedImage, shape: Tuple[int, ...], slot: Optional[int]) -> LoadedImage:
        """Give the image its pixels, where they lie in the shared memory."""
        place = self._slot(slot)
        if place is None or loaded.prepared is None:
            return loaded
        pixels = place[: math.prod(shape)].reshape(shape)
        return loaded._replace(prepared=loaded.prepared._replace(pixels=pixels))

    def _slot(self, slot: Optional[int]) -> Optional[np.ndarray]:
        if slot is None:
            return None
        return np.frombuffer(self.memory.memory, np.uint8, self.slot_bytes, slot * self.slot_bytes)


_process: Optional[_Shared] = None  # of a loading process, set once when it starts


def _start_process(level: int, shared: _Shared) -> None:
    global _process
    die_with_parent()
    set_up_logging(level)
    cv2.setNumThreads(1)
    _process = shared


def _load_here(requests: Sequence[_Request]) -> _Done:
    assert _process is not None, 'the process has not been started by _start_process'
    return _process.load(requests)
