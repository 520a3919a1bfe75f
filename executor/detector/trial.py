"""Try a model on a few images: how long each step takes, and what the network gives before NMS."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Iterable, List, Optional, Tuple, Union

import numpy as np
import torch
from mmdet.structures import DetDataSample
from numpy.typing import NDArray

from executor.detections import Detections
from executor.detector.detector import DenseSteps, WholeSteps
from executor.detector.load import TORCH, dense_steps
from executor.detector.model import LoadedModel
from executor.detector.preparation import preparation_of
from executor.images.prepare import Prepared
from executor.models.dense import OwnWay, is_dense
from executor.network.dense import RawOutputs, example_images


@dataclass(frozen=True)
class Trial:
    """What was seen. Times are medians in milliseconds of one image."""

    input_size: Tuple[int, int]  # (width, height) of the network's input, of the largest image
    preparation: float
    network: float
    postprocessing: Optional[float]  # None where the network's time has it
    before: Optional[List[Detections]]  # of each image, in no order; None where that is not known


def try_model(trained: LoadedModel, device: torch.device, images: Iterable[np.ndarray], threshold: float) -> Trial:
    """Detect in (H, W, 3) uint8 BGR images, one by one, by torch; in half precision on a GPU, as inference does.

    Boxes before NMS are those scored `threshold` and above. The model goes to the device.
    """
    # The norms are fused on the CPU, and compared there.
    model, prepare = trained.model.cpu(), preparation_of(trained.pipeline)
    dense = dense_steps(model, device, prepare, TORCH, False, False) if is_dense(model, with_class_maps=False) else None
    model.to(device)
    steps: Union[DenseSteps, WholeSteps]
    steps = dense[0] if dense else WholeSteps(model, device, 0, class_scores=False)
    if not dense:
        steps.forward([prepare(example_images(300, 400)[0])])  # what is done once is done
    before: Optional[List[Detections]] = [] if dense else None
    divisor = model.data_preprocessor.pad_size_divisor
    times: List[NDArray[np.float64]] = []
    sizes: List[Tuple[int, int]] = []
    for image in images:
        marks = [time.perf_counter()]
        prepared = prepare(image)
        marks.append(time.perf_counter())
        raw = steps.forward([prepared])
        if device.type == 'cuda':
            torch.cuda.synchronize()
        marks.append(time.perf_counter())
        steps.find(raw, [prepared])
        marks.append(time.perf_counter())
        times.append(np.diff(marks) * 1000)
        height, width = (-(-side // divisor) * divisor for side in prepared.pixels.shape[:2])
        sizes.append((width, height))
        if before is not None and isinstance(steps, DenseSteps):
            try:
                before.append(_before(steps, raw, prepared, threshold))
            except OwnWay:
                before = None
    preparation, network, postprocessing = np.median(times, axis=0).tolist()
    return Trial(
        max(sizes, key=lambda size: size[0] * size[1]), preparation, network, postprocessing if dense else None, before
    )


def _before(steps: DenseSteps, raw: RawOutputs, prepared: Prepared, threshold: float) -> Detections:
    """Take all boxes of one image that score enough."""
    with torch.inference_mode():
        size = torch.tensor(prepared.pixels.shape[:2])
        raw = [None if group is None else [level.float().cpu() for level in group] for group in raw]
        boxes, scores = (one.numpy() for one in steps.head.every_box(raw, size))
    if steps.head.choice.one_class:
        best = scores.argmax(axis=1)
        place = np.flatnonzero(scores[np.arange(len(best)), best] >= np.float32(threshold))
        label = best[place]
    else:
        place, label = np.nonzero(scores >= np.float32(threshold))
    return Detections(boxes[place] / np.array(prepared.scale * 2, np.float32), scores[place, label], label)


def count_flops(model: torch.nn.Module, width: int, height: int) -> Optional[int]:
    """Count the floating-point operations of one image, a multiplication and an addition being two.

    None where torch is too old to count.
    """
    try:
        from torch.utils.flop_counter import FlopCounterMode
    except ImportError:
        return None
    like = next(model.parameters())
    shape = (height, width)
    info = dict.fromkeys(('img_shape', 'ori_shape', 'pad_shape', 'batch_input_shape'), shape)
    samples = [DetDataSample(metainfo={**info, 'scale_factor': (1, 1)})]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(like.new_zeros(1, 3, *shape), samples, mode='predict')
    return int(counter.get_total_flops())
