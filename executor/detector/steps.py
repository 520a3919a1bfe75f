"""The two kinds of detectors: a dense network with its head's post-processing, and mmdet's own `predict`."""

from __future__ import annotations

from typing import List, Protocol, Sequence

import numpy as np
import torch
from mmdet.structures import DetDataSample

from executor.detections import HeadMap
from executor.detector.detector import Found
from executor.images.prepare import Prepared
from executor.models.adapter import HeadAdapter, RawOutputs
from executor.models.dense import detections_of, metas


class RunnableNetwork(Protocol):
    """A dense network on its device, in whatever library."""

    divisor: int  # of the sides of its input, which it pads

    def __call__(self, pixels: np.ndarray) -> RawOutputs:
        """Run (B, H, W, 3) BGR."""
        ...


class DenseSteps:
    """A dense detector: a network that gives head maps, and an adapter that makes boxes of them."""

    def __init__(self, network: RunnableNetwork, head: HeadAdapter, head_maps: bool) -> None:
        self._network = network
        self._head = head
        self._head_maps = head_maps

    def forward(self, images: Sequence[Prepared]) -> RawOutputs:
        """Run the network up to its head maps."""
        return self._network(_stacked(images))

    def find(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Found]:
        """Make boxes, and keep the head maps where they are asked for."""
        detections = self._head.detections(raw, images)
        if not self._head_maps:
            return [Found(one) for one in detections]
        levels = self._head.head_maps(raw)
        height, width = (
            -(-side // self._network.divisor) * self._network.divisor for side in images[0].pixels.shape[:2]
        )
        return [
            Found(one, tuple(_of_image(level, number) for level in levels), (height, width))
            for number, one in enumerate(detections)
        ]


class WholeSteps:
    """Any other detector: mmdet's own `predict`, post-processing included."""

    def __init__(self, model: torch.nn.Module, device: torch.device, classes: int, class_scores: bool) -> None:
        self._model = model.to(device)
        self._device = device
        self._classes = classes
        self._class_scores = class_scores

    def forward(self, images: Sequence[Prepared]) -> Sequence[DetDataSample]:
        """Predict."""
        samples = [DetDataSample(metainfo=meta) for meta in metas(images)]
        inputs = [torch.from_numpy(np.ascontiguousarray(one.pixels.transpose(2, 0, 1))) for one in images]
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._device.type == 'cuda'):
            batch = self._model.data_preprocessor({'inputs': inputs, 'data_samples': samples}, False)
            return self._model.predict(batch['inputs'], batch['data_samples'], rescale=True)

    def find(self, raw: Sequence[DetDataSample], images: Sequence[Prepared]) -> List[Found]:
        """Take the boxes over."""
        return [Found(detections_of(one.pred_instances, self._classes, self._class_scores)) for one in raw]


def _stacked(images: Sequence[Prepared]) -> np.ndarray:
    """Stack to (B, H, W, 3); where the loader has put the images one after the other, without copying them."""
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
