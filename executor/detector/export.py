"""Export a dense detector as an ONNX graph that gives boxes and scores, with all that a program needs beside it."""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass
from typing import Dict, Mapping, Optional, Sequence, Tuple

import numpy as np
import torch

from executor.detector.load import adapter_of, fixed_size
from executor.detector.model import LoadedModel
from executor.detector.preparation import preparation_of
from executor.images.prepare import Letterbox
from executor.models.dense import Choice, HeadAdapter, OwnWay, is_dense
from executor.network.dense import CHECK_SIDE, Network, example_images, fused_network, nested
from executor.network.onnx_network import OTHER_SIDES, export_graph, open_graph

_OUTPUTS: Mapping[str, Mapping[int, str]] = {'boxes': {1: 'candidates'}, 'scores': {1: 'candidates'}}
_LARGEST = 1e5  # network pixels; a model just begun may predict infinity
_RUNS = 5  # to time


class NotExported(ValueError):
    """The detector is none that can be exported; says why."""


@dataclass(frozen=True)
class Exported:
    """A detector outside this program."""

    graph: bytes
    description: Mapping[str, object]  # what its user must know, as JSON can hold it
    milliseconds: float  # of an image in ONNX Runtime, on one core


class BoxNetwork(torch.nn.Module):
    """The network of inference, and the decoding of all its boxes after it."""

    def __init__(self, network: Network, head: HeadAdapter) -> None:
        super().__init__()
        self.network = network
        self.head = head

    def forward(self, pixels: torch.Tensor) -> Tuple[torch.Tensor, torch.Tensor]:
        """Turn (1, H, W, 3) into (1, N, 4) boxes in its pixels and (1, N, C) scores."""
        outputs = self.network(pixels)
        size = torch._shape_as_tensor(pixels)[1:3]
        boxes, scores = self.head.every_box(nested(self.network.structure, iter(outputs)), size)
        return boxes[None].float().clamp(-_LARGEST, _LARGEST), scores[None].float()


def export_detector(trained: LoadedModel, class_names: Tuple[str, ...]) -> Exported:
    """Export a model that lies on the CPU, and compare what ONNX Runtime makes of the graph with torch.

    Raises:
        NotExported: it is not dense, or its images or boxes come about in a way that the description cannot tell.
        Exception: of many kinds, where the exporter or the runtime fails.
    """
    prepare = preparation_of(trained.pipeline)
    if not is_dense(trained.model, with_class_maps=False):
        raise NotExported(f'{type(trained.model).__name__} is no dense detector')
    if not isinstance(prepare, Letterbox):
        raise NotExported('its images are prepared by more than resizing and padding')
    head, plain = adapter_of(trained.model, class_scores=False)
    network = BoxNetwork(fused_network(trained.model, channels_last=plain), head).eval()
    size = fixed_size(prepare)
    width, height = size or (CHECK_SIDE, CHECK_SIDE)
    examples = [example_images(height, width), *([] if size else [example_images(*OTHER_SIDES)])]
    try:
        with torch.inference_mode():
            expected = [network(torch.from_numpy(example)) for example in examples]
    except OwnWay as error:
        raise NotExported(str(error)) from error
    graph = export_graph(network, examples[0], size is not None, _OUTPUTS)
    run = open_graph(graph)
    for example, wanted in zip(examples, expected):
        _check(run(example), wanted)
    seconds = []
    for _ in range(_RUNS):
        started = time.perf_counter()
        run(examples[0])
        seconds.append(time.perf_counter() - started)
    description = {
        'classes': list(class_names),
        'input': _input(network.network, size),
        'letterbox': dataclasses.asdict(prepare),
        'outputs': {
            'boxes': 'float32 (1, N, 4): x1 y1 x2 y2 in pixels of the input, of every place of the network',
            'scores': f'float32 (1, N, {len(class_names)}): from 0 to 1, of every class',
        },
        'choice': _choice(head.choice),
        'detector': {'type': type(trained.model).__name__, 'head': type(trained.model.bbox_head).__name__},
    }
    return Exported(graph, description, statistics.median(seconds) * 1000)


def _check(found: Sequence[np.ndarray], wanted: Sequence[torch.Tensor]) -> None:
    """Raise ValueError where boxes or scores are not torch's, but for rounding."""
    boxes, scores = map(torch.from_numpy, found)
    limit = 0.1 + 1e-3 * wanted[0].abs().amax(dim=2, keepdim=True)  # pixels
    same = boxes.shape == wanted[0].shape and bool(((boxes - wanted[0]).abs() <= limit).all())
    if not (same and torch.allclose(scores, wanted[1], rtol=0, atol=1e-3)):
        raise ValueError('its boxes or scores differ from those of torch')


def _input(network: Network, size: Optional[Tuple[int, int]]) -> Dict[str, object]:
    """Describe the input; colours, mean and deviation are the graph's business, and told for those who wonder."""
    mean, std = (
        getattr(network, name).flatten().tolist() if network._normalise else value
        for name, value in (('mean', [0.0] * 3), ('std', [1.0] * 3))
    )
    return {
        'name': 'images',
        'type': 'uint8',
        'shape': [1, *(size[::-1] if size else ('height', 'width')), 3],
        'channels': 'BGR',
        'inside': {'channels': 'RGB' if network._swap else 'BGR', 'mean': mean, 'std': std, 'divisor': network.divisor},
    }


def _choice(choice: Choice) -> Dict[str, object]:
    return {**dataclasses.asdict(choice), 'nms': None if choice.nms is None else _plain(choice.nms)}


def _plain(settings: Mapping[str, object]) -> Dict[str, object]:
    return {str(key): value for key, value in settings.items() if isinstance(value, (bool, int, float, str))}
