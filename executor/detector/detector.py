"""Detect in prepared images, with any detector on any device; synchronous, whoever wants threads has them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmdet.structures import DetDataSample

from executor.detections import Detections, HeadMap
from executor.images.prepare import Preparation, Prepared
from executor.models.dense import HeadAdapter, detections_of, metas
from executor.network.dense import RawOutputs, TorchNetwork, leaves, on_device
from executor.network.onnx_network import OnnxNetwork


class Found(NamedTuple):
    """The boxes of one image and, where they were asked for, the levels of a dense head (B = 1)."""

    detections: Detections
    head_maps: Tuple[HeadMap, ...] = ()
    input_size: Tuple[int, int] = (0, 0)  # (height, width) of the network's input, which the head maps cover
    sound: bool = True  # False where NaN is among the network's outputs, which hides boxes


@dataclass(frozen=True)
class DenseSteps:
    """The steps of a dense detector: a network that gives head maps, and an adapter that makes boxes of them."""

    network: Union[OnnxNetwork, TorchNetwork]
    head: HeadAdapter
    head_maps: bool  # whether they are asked for

    def forward(self, images: Sequence[Prepared]) -> RawOutputs:
        """Run the network up to its head maps."""
        return self.network(_stacked(images))

    def find(self, raw: RawOutputs, images: Sequence[Prepared]) -> List[Found]:
        """Make boxes, and keep the head maps where they are asked for."""
        sums = [level.flatten(1).sum(1, dtype=torch.float32) for level in leaves(raw)]  # (B,) each
        # A GPU copies it when it comes to that: it has, once it says how many boxes there are.
        copied = (~torch.stack(sums).isnan().any(dim=0)).to('cpu', non_blocking=True)
        detections = self.head.detections(raw, images)
        sound = copied.tolist()
        if not self.head_maps:
            return [Found(one, sound=whole) for one, whole in zip(detections, sound)]
        levels = self.head.head_maps(raw)
        divisor = self.network.divisor
        height, width = (-(-side // divisor) * divisor for side in images[0].pixels.shape[:2])
        return [
            Found(one, tuple(_of_image(level, number) for level in levels), (height, width), sound[number])
            for number, one in enumerate(detections)
        ]


@dataclass(frozen=True)
class WholeSteps:
    """The steps of any other detector: mmdet's own `predict`, post-processing included."""

    model: torch.nn.Module  # on the device
    device: torch.device
    classes: int
    class_scores: bool  # whether detections carry a score for each class

    def forward(self, images: Sequence[Prepared]) -> Sequence[DetDataSample]:
        """Predict."""
        samples = [DetDataSample(metainfo=meta) for meta in metas(images)]
        pixels = [torch.from_numpy(np.ascontiguousarray(one.pixels.transpose(2, 0, 1))) for one in images]
        inputs = [on_device(one, self.device) for one in pixels]
        with torch.inference_mode(), torch.autocast(self.device.type, enabled=self.device.type == 'cuda'):
            batch = self.model.data_preprocessor({'inputs': inputs, 'data_samples': samples}, False)
            return self.model.predict(batch['inputs'], batch['data_samples'], rescale=True)

    def find(self, raw: Sequence[DetDataSample], images: Sequence[Prepared]) -> List[Found]:
        """Take the boxes over."""
        found = detections_of([one.pred_instances for one in raw], self.classes, self.class_scores)
        return [Found(one) for one in found]


# The positions in a batch of images of one shape, and what the first step gives for them.
Group = Tuple[List[int], RawOutputs]


@dataclass(frozen=True)
class Detector:
    """A model ready to detect: images in, `Found` out. Several threads may call it, each after `enter_thread`.

    On a CPU images go through the network one by one: what is found in one cannot depend on its neighbours, and nothing
    is slower. On a GPU all images of one shape go together.
    """

    steps: Union[DenseSteps, WholeSteps]
    prepare: Preparation  # needs no model, so it can run in another process
    backend: str  # the library that runs it, for the log
    score_threshold: float  # of the model's config, whatever the task has asked for
    calls_at_once: int  # threads that should call it
    device: torch.device
    class_ap: Optional[Tuple[float, ...]] = None  # of the model's classes in their order, where it is recorded

    @property
    def batched(self) -> bool:
        """Tell whether a call with several images is faster than several calls."""
        return self.device.type == 'cuda'

    def enter_thread(self) -> None:
        """Give the calling thread the detector's GPU, and a stream of its own there.

        So one thread's images are copied, and its boxes found, while the batch of another computes.
        """
        if self.batched:
            torch.cuda.set_device(self.device)  # which is a thread's own
            torch.cuda.synchronize()  # the model was put there in another stream
            torch.cuda.set_stream(torch.cuda.Stream())

    def __call__(self, images: Sequence[Prepared]) -> List[Found]:
        """Detect; an entry an image, in their order."""
        return self.find(self.forward(images), images)

    def forward(self, images: Sequence[Prepared]) -> List[Group]:
        """Run the network, the first half of a call; `find` is the second, so that each can be timed."""
        raw = [(group, self.steps.forward([images[n] for n in group])) for group in self.groups(images)]
        if self.batched:
            torch.cuda.current_stream().synchronize()  # what was launched is done
        return raw

    def find(self, raw: Sequence[Group], images: Sequence[Prepared]) -> List[Found]:
        """Make boxes of what `forward` gave for these images."""
        found: Dict[int, Found] = {}
        for group, outputs in raw:
            found.update(zip(group, self.steps.find(outputs, [images[n] for n in group])))
        return [found[number] for number in range(len(images))]

    def groups(self, images: Sequence[Prepared]) -> List[List[int]]:
        """Part images into what goes through the network at once, by their numbers."""
        if not self.batched:
            return [[number] for number in range(len(images))]
        # mmdet pads a batch to its largest image, which changes what is found in the others: one shape at a time.
        by_shape = sorted(range(len(images)), key=lambda number: images[number].pixels.shape)
        return [list(group) for _, group in itertools.groupby(by_shape, key=lambda number: images[number].pixels.shape)]


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
    return HeadMap(*(None if logits is None else logits[number : number + 1] for logits in level))
