"""The interface: prepared images in, `Found` out, worked on by threads so that the caller can go on."""

from __future__ import annotations

import itertools
import logging
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np
import torch

from executor.detections import Detections, HeadMap, no_detections
from executor.images.prepare import Prepared, SizeOnly
from executor.models.dense import detections_of, metas

logger = logging.getLogger(__name__)


class Found(NamedTuple):
    """What the detector says of one image.

    Attributes:
        detections: the boxes.
        head_maps: the levels of a dense head (B = 1); empty where they were not asked for.
        input_size: (height, width) of the network's input, which the head maps cover.
        score: what mining makes of all this; None before.
    """

    detections: Detections
    head_maps: Tuple[HeadMap, ...] = ()
    input_size: Tuple[int, int] = (0, 0)
    score: Optional[float] = None


# Something to do with what was found in images of a batch, in the thread that found it: their numbers in the batch, and
# what takes the place of what was found.
Then = Callable[[Sequence[int], List[Found]], List[Found]]


class Seconds:
    """Time spent by kind of work, summed over threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: Dict[str, float] = {}

    def add(self, kind: str, seconds: float) -> None:
        with self._lock:
            self._sums[kind] = self._sums.get(kind, 0.0) + seconds

    def clear(self) -> None:
        self._sums.clear()

    def of(self, kind: str) -> float:
        return self._sums.get(kind, 0.0)


class DenseSteps:
    """A dense detector: a network that gives head maps, and what makes boxes of them."""

    def __init__(self, network: Any, head: Any, head_maps: bool) -> None:
        self._network = network
        self._head = head
        self._head_maps = head_maps

    def __call__(self, images: Sequence[Prepared], seconds: Seconds) -> List[Found]:
        """Detect in images of one shape."""
        started = time.perf_counter()
        raw = self._network(_stacked(images))
        if raw.tensors[0].is_cuda:
            torch.cuda.current_stream().synchronize()  # what was launched is done
        ended = time.perf_counter()
        seconds.add('network', ended - started)
        detections = self._head.detections(raw, images)
        found = [Found(one) for one in detections]
        if self._head_maps:
            levels = self._head.head_maps(raw)
            size = tuple(
                -(-side // self._network.divisor) * self._network.divisor for side in images[0].pixels.shape[:2]
            )
            found = [
                Found(one, tuple(_of_image(level, number) for level in levels), size)
                for number, one in enumerate(detections)
            ]
        seconds.add('post-processing', time.perf_counter() - ended)
        return found


class WholeSteps:
    """Any other detector: mmdet's own `predict`, post-processing included."""

    def __init__(self, model: torch.nn.Module, device: torch.device, classes: int, class_scores: bool) -> None:
        self._model = model.to(device)
        self._device = device
        self._classes = classes
        self._class_scores = class_scores

    def __call__(self, images: Sequence[Prepared], seconds: Seconds) -> List[Found]:
        """Detect in images of one shape."""
        from mmdet.structures import DetDataSample

        started = time.perf_counter()
        samples = [DetDataSample(metainfo=meta) for meta in metas(images)]
        inputs = [torch.from_numpy(np.ascontiguousarray(one.pixels.transpose(2, 0, 1))) for one in images]
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._device.type == 'cuda'):
            batch = self._model.data_preprocessor({'inputs': inputs, 'data_samples': samples}, False)
            results = self._model.predict(batch['inputs'], batch['data_samples'], rescale=True)
        found = [Found(detections_of(one.pred_instances, self._classes, self._class_scores)) for one in results]
        seconds.add('network', time.perf_counter() - started)
        return found


class Pending:
    """The results to come of one batch."""

    def __init__(self, parts: Sequence[Tuple[Sequence[int], Future[List[Found]]]]) -> None:
        self._parts = parts

    def result(self) -> List[Found]:
        """Wait; one `Found` an image, in the order they were given."""
        found = {}
        for numbers, future in self._parts:
            found.update(zip(numbers, future.result()))
        return [found[number] for number in range(len(found))]


class Detector:
    """A model ready to detect.

    Attributes:
        prepare: image (H, W, 3) uint8 BGR to `Prepared`; needs no model, so it can run in another process.
        backend: what runs it, in words for the log.
        score_threshold: the model's own, whatever else the task asked for.
        threads: how many images or batches it works on at once.
        seconds: time spent in `network` and `post-processing`.
    """

    def __init__(
        self,
        steps: Callable[[Sequence[Prepared], Seconds], List[Found]],
        prepare: Any,
        backend: str,
        score_threshold: float,
        threads: int,
        device: torch.device,
    ) -> None:
        """`threads` work at once: on a GPU each on a whole batch, on a CPU each on one image.

        One by one, what is found in an image cannot depend on its neighbours, and on a CPU nothing is slower.
        """
        self.prepare = prepare
        self.backend = backend
        self.score_threshold = score_threshold
        self.threads = threads
        self.seconds = Seconds()
        self._steps = steps
        self._batched = device.type == 'cuda'
        self._most = sys.maxsize  # images at a time; less once GPU memory was too small for more
        # The current GPU is a thread's own.
        enter = (torch.cuda.set_device, (device,)) if self._batched else (None, ())
        self._pool = ThreadPoolExecutor(threads, 'detector', *enter)

    def submit(self, images: Sequence[Prepared], then: Optional[Then] = None) -> Pending:
        """Begin with a batch. The images' pixels must stay as they are until its result is there."""
        return Pending([(group, self._pool.submit(self._run, images, group, then)) for group in self._groups(images)])

    def _run(self, images: Sequence[Prepared], group: Sequence[int], then: Optional[Then]) -> List[Found]:
        """Detect in images of one shape, and what is to be done then: in halves where GPU memory ends."""
        if len(group) <= self._most:
            try:
                return self._at_once(images, group, then)
            except RuntimeError as error:
                if len(group) == 1 or 'out of memory' not in str(error):
                    raise
                self._most = min(self._most, len(group) // 2)
                logger.warning('out of GPU memory with %d images at a time: going on with %d', len(group), self._most)
            torch.cuda.empty_cache()
        half = len(group) // 2
        return self._run(images, group[:half], then) + self._run(images, group[half:], then)

    def _at_once(self, images: Sequence[Prepared], group: Sequence[int], then: Optional[Then]) -> List[Found]:
        found = self._steps([images[number] for number in group], self.seconds)
        return found if then is None else then(group, found)

    def detect_here(self, images: Sequence[Prepared]) -> List[Found]:
        """Detect in the calling thread, for what is to be done `then`."""
        pending = {}
        for group in self._groups(images):
            pending.update(zip(group, self._run(images, group, None)))
        return [pending[number] for number in range(len(images))]

    def detect(self, images: Sequence[Prepared]) -> List[Found]:
        """Detect and wait."""
        return self.submit(images).result()

    def _groups(self, images: Sequence[Prepared]) -> List[List[int]]:
        if not self._batched:
            return [[position] for position in range(len(images))]
        # mmdet pads a batch to its largest image, which changes what is found in the others: one shape at a time.
        by_shape = sorted(range(len(images)), key=lambda position: images[position].pixels.shape)
        groups = itertools.groupby(by_shape, key=lambda position: images[position].pixels.shape)
        return [list(group) for _, group in groups]


class NoDetector:
    """Decodes images and finds nothing, for what needs no model."""

    backend = 'none'
    score_threshold = 0.0
    threads = 1

    def __init__(self) -> None:
        self.seconds = Seconds()
        self.prepare = SizeOnly()

    def submit(self, images: Sequence[Prepared], then: Optional[Then] = None) -> Pending:
        done: Future[List[Found]] = Future()
        numbers = range(len(images))
        found = [Found(no_detections()) for _ in images]
        done.set_result(then(numbers, found) if then and found else found)
        return Pending([(numbers, done)])


def _stacked(images: Sequence[Prepared]) -> np.ndarray:
    """(B, H, W, 3); where the loader has put the images one after the other, without copying them."""
    first = images[0].pixels
    if len(images) == 1:
        return first[None]
    starts = [one.pixels.__array_interface__['data'][0] for one in images]
    if all(start == starts[0] + number * first.nbytes for number, start in enumerate(starts)):
        return np.lib.stride_tricks.as_strided(first, (len(images), *first.shape), (first.nbytes, *first.strides))
    return np.stack([one.pixels for one in images])


def _of_image(level: HeadMap, number: int) -> HeadMap:
    one = slice(number, number + 1)
    return HeadMap(level.class_logits[one], None if level.objectness_logits is None else level.objectness_logits[one])
