"""A model package made into a `Detector`: the fastest backend that this model and this machine have."""

from __future__ import annotations

import logging
import time
from typing import Any, Optional, Tuple

import torch

from executor.contract.errors import ConfigError
from executor.contract.params import DetectionParams
from executor.contract.shown import first_line
from executor.detector.detector import DenseSteps, Detector, Seconds, WholeSteps
from executor.detector.model import load_model
from executor.images.prepare import Letterbox, preparation
from executor.machine.cores import cores
from executor.models.dense import DenseHead, has_head_maps, is_dense
from executor.models.families import family_of
from executor.network.dense import TorchNetwork, example_images, fused_network, runtime_or_none

logger = logging.getLogger(__name__)

RUNTIME, TORCH, MMDET = 'onnxruntime', 'torch', 'mmdet'
_GPU_THREADS = 2  # one launches while the other waits for its boxes


class NoHeadMaps(ConfigError):
    """The detector has no dense class maps."""


def load_detector(
    params: DetectionParams,
    score_threshold: Optional[float] = None,
    keep_own: bool = False,
    class_scores: bool = False,
    head_maps: bool = False,
    backend: Optional[str] = None,
) -> Detector:
    """The task's model, loaded and ready.

    Args:
        params: model files, class names, GPUs and options of the task.
        score_threshold, keep_own: which scores the caller looks at, see `executor.detector.model.load_model`.
        class_scores: whether detections carry the scores of all classes.
        head_maps: whether the dense head's maps come with them.
        backend: RUNTIME, TORCH or MMDET to insist on one; None for the fastest that works.

    Raises:
        ModelError, ParameterError: see `executor.detector.model.load_model`.
        NoHeadMaps: head maps are wanted of a detector that has none.
    """
    started = time.monotonic()
    trained = load_model(params, score_threshold, keep_own)
    prepare = preparation(trained.pipeline)
    device = torch.device('cuda', torch.cuda.current_device()) if params.gpu_ids else torch.device('cpu')
    model = trained.model
    steps: Any = None
    if backend != MMDET and is_dense(model) and (has_head_maps(model.bbox_head) or not head_maps):
        steps, used = _dense_steps(model, device, prepare, backend, class_scores, head_maps)
    if steps is None and head_maps:
        raise NoHeadMaps(f'the detector ({type(model).__name__}) has no dense class maps')
    if steps is None:
        steps, used = WholeSteps(model, device, len(trained.class_names), class_scores), MMDET
    on_gpu = device.type == 'cuda'
    threads = _GPU_THREADS if on_gpu else _cpu_threads(used)
    place = f'{torch.cuda.get_device_name()} in half precision' if on_gpu else f'{cores()} CPU cores'
    logger.info('detector: %s on %s, ready in %.1f s', used, place, time.monotonic() - started)
    return Detector(
        steps=steps,
        prepare=prepare,
        backend=used,
        score_threshold=trained.score_threshold,
        threads=threads,
        device=device,
    )


def _cpu_threads(backend: str) -> int:
    """How many images at once, with torch set to use the rest.

    Ours go an image a core: threads that share small operations wait for each other, on cores that decode images for
    ages. mmdet's own `predict` was not made for several threads, so there torch has them all.
    """
    images_at_once = 1 if backend == MMDET else cores()
    torch.set_num_threads(cores() if backend == MMDET else 1)
    return images_at_once


def _dense_steps(
    model: torch.nn.Module,
    device: torch.device,
    prepare: Any,
    backend: Optional[str],
    class_scores: bool,
    head_maps: bool,
) -> Tuple[Optional[DenseSteps], str]:
    """The steps of a dense detector, tried on an image; None, with a warning, where they do not work."""
    family = family_of(model)
    plain = family is not None and family.plain
    try:
        head = (family.adapter if family else DenseHead)(model.bbox_head, class_scores)
        example = prepare(example_images(300, 400)[0])
        network, used = _network(model, device, _fixed_size(prepare), example.pixels.dtype, backend, plain)
        steps = DenseSteps(network, head, head_maps)
        steps([example], Seconds())
    except Exception as error:  # whatever an unusual detector asks of its maps
        logger.warning(
            "the detector runs by mmdet's own predict, more slowly: its head maps cannot be used (%s)",
            first_line(error),
        )
        return None, MMDET
    return steps, used


def _network(
    model: torch.nn.Module,
    device: torch.device,
    size: Optional[Tuple[int, int]],
    dtype: Any,
    backend: Optional[str],
    plain: bool,
) -> Tuple[Any, str]:
    """The network on its device for pixels of a dtype, and what runs it; `plain` where it is convolutions alone."""
    network = fused_network(model, channels_last=plain)
    if device.type == 'cpu' and backend != TORCH:
        runtime = runtime_or_none(network, size, dtype)
        if runtime is not None:
            return runtime, RUNTIME
    if device.type == 'cuda' and size is not None:
        torch.backends.cudnn.benchmark = True  # nearly all batches are alike, so the search for the fastest pays
    return TorchNetwork(network, device, plain), TORCH


def _fixed_size(prepare: Any) -> Optional[Tuple[int, int]]:
    """(width, height) where every image becomes the same size."""
    if not isinstance(prepare, Letterbox):
        return None
    sizes = {prepare.padded(prepare.resized(size)) for size in ((10000, 1), (1, 10000), (10000, 10000))}
    return sizes.pop() if len(sizes) == 1 else None
