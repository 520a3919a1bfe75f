"""Detect in prepared images, with any detector on any device; synchronous, whoever wants threads has them."""

from __future__ import annotations

import contextlib
import itertools
from typing import ContextManager, Dict, Generic, List, NamedTuple, Protocol, Sequence, Tuple, TypeVar

import torch

from executor.detections import Detections, HeadMap
from executor.images.prepare import Preparation, Prepared


class Found(NamedTuple):
    """The boxes of one image and, where they were asked for, the levels of a dense head (B = 1)."""

    detections: Detections
    head_maps: Tuple[HeadMap, ...] = ()
    input_size: Tuple[int, int] = (0, 0)  # (height, width) of the network's input, which the head maps cover


Raw = TypeVar('Raw')


class Steps(Protocol[Raw]):
    """The two steps of detecting in images of one shape."""

    def forward(self, images: Sequence[Prepared]) -> Raw:
        """Run the network."""
        ...

    def find(self, raw: Raw, images: Sequence[Prepared]) -> List[Found]:
        """Make boxes of its outputs, an entry an image."""
        ...


Group = Tuple[List[int], Raw]  # positions in the batch of images of one shape, and the network's outputs for them


class Detector(Generic[Raw]):
    """A model ready to detect: images in, `Found` out. Several threads may call it.

    On a CPU images go through the network one by one: what is found in one cannot depend on its neighbours, and nothing
    is slower. On a GPU all images of one shape go together.

    Attributes:
        prepare: needs no model, so it can run in another process.
        backend: the library that runs it, for the log.
        score_threshold: below which the model, by its config, leaves boxes out; the task may have asked for others.
        calls_at_once: threads that should call it.
        batched: whether a call with several images is faster than several calls.
    """

    def __init__(
        self,
        steps: Steps[Raw],
        prepare: Preparation,
        backend: str,
        score_threshold: float,
        calls_at_once: int,
        device: torch.device,
    ) -> None:
        self.prepare = prepare
        self.backend = backend
        self.score_threshold = score_threshold
        self.calls_at_once = calls_at_once
        self.batched = device.type == 'cuda'
        self._steps = steps
        self._device = device

    def __call__(self, images: Sequence[Prepared]) -> List[Found]:
        """Detect; an entry an image, in their order."""
        return self.find(self.forward(images), images)

    def forward(self, images: Sequence[Prepared]) -> List[Group[Raw]]:
        """Run the network, the first half of a call; `find` is the second, so that each can be timed."""
        with self._on_device():
            raw = [(group, self._steps.forward([images[n] for n in group])) for group in self._groups(images)]
            if self.batched:
                torch.cuda.current_stream().synchronize()  # what was launched is done
        return raw

    def find(self, raw: Sequence[Group[Raw]], images: Sequence[Prepared]) -> List[Found]:
        """Make boxes of what `forward` gave for these images."""
        found: Dict[int, Found] = {}
        with self._on_device():
            for group, outputs in raw:
                found.update(zip(group, self._steps.find(outputs, [images[n] for n in group])))
        return [found[number] for number in range(len(images))]

    def _on_device(self) -> ContextManager[object]:
        # The current GPU is a thread's own.
        return torch.cuda.device(self._device) if self.batched else contextlib.nullcontext()

    def _groups(self, images: Sequence[Prepared]) -> List[List[int]]:
        if not self.batched:
            return [[number] for number in range(len(images))]
        # mmdet pads a batch to its largest image, which changes what is found in the others: one shape at a time.
        by_shape = sorted(range(len(images)), key=lambda number: images[number].pixels.shape)
        return [list(group) for _, group in itertools.groupby(by_shape, key=lambda number: images[number].pixels.shape)]
