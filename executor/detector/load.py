"""Make a model package into a `Detector`: with the fastest backend that this model and this machine have."""

from __future__ import annotations

import logging
import time
from typing import Optional, Tuple

import torch
from numpy.typing import DTypeLike

from executor.contract.errors import ConfigError
from executor.contract.params import DetectionParams
from executor.contract.shown import first_line
from executor.detector.detector import Detector
from executor.detector.model import load_model
from executor.detector.preparation import preparation_of
from executor.detector.steps import DenseSteps, RunnableNetwork, WholeSteps
from executor.images.prepare import Letterbox, Preparation
from executor.models.dense import DenseHead, has_head_maps, is_dense
from executor.models.families import family_of
from executor.network.dense import example_images, fused_network
from executor.network.onnx_network import onnx_or_none
from executor.network.torch_network import TorchNetwork

logger = logging.getLogger(__name__)

ONNX, TORCH, MMDET = 'onnxruntime', 'torch', 'mmdet'
_GPU_CALLS = 2  # at once: one launches while the other waits for its boxes


class NoHeadMaps(ConfigError):
    """The detector has no dense class maps."""


def load_detector(
    params: DetectionParams,
    cores: int,
    score_threshold: Optional[float] = None,
    keep_own: bool = False,
    class_scores: bool = False,
    head_maps: bool = False,
    backend: Optional[str] = None,
) -> Detector:
    """Load the task's model, ready to detect.

    Args:
        params: model files, class names, GPUs and options of the task.
        cores: of the CPU, for this process.
        score_threshold, keep_own: the scores that the caller looks at, see `load_model`.
        class_scores: whether detections carry the scores of all classes.
        head_maps: whether the dense head's maps come with them.
        backend: ONNX, TORCH or MMDET to insist on one; None for the fastest that works.

    Raises:
        ModelError, ParameterError: see `load_model`.
        NoHeadMaps: head maps are wanted of a detector that has none.
    """
    started = time.monotonic()
    trained = load_model(params, score_threshold, keep_own)
    model, prepare = trained.model, preparation_of(trained.pipeline)
    device = torch.device('cuda', torch.cuda.current_device()) if params.gpu_ids else torch.device('cpu')
    dense: Optional[Tuple[DenseSteps, str]] = None
    if backend != MMDET and is_dense(model) and (has_head_maps(model.bbox_head) or not head_maps):
        dense = _dense_steps(model, device, prepare, backend, class_scores, head_maps)
    if dense is None and head_maps:
        raise NoHeadMaps(f'the detector ({type(model).__name__}) has no dense class maps')
    steps, used = dense or (WholeSteps(model, device, len(trained.class_names), class_scores), MMDET)
    on_gpu = device.type == 'cuda'
    place = f'{torch.cuda.get_device_name()} in half precision' if on_gpu else f'{cores} CPU cores'
    calls_at_once = _GPU_CALLS if on_gpu else _cpu_calls(used, cores)
    logger.info('detector: %s on %s, ready in %.1f s', used, place, time.monotonic() - started)
    return Detector(steps, prepare, used, trained.score_threshold, calls_at_once, device)


def _cpu_calls(backend: str, cores: int) -> int:
    """Choose how many images are worked on at once, and set torch to use the cores that this leaves.

    Ours go an image a core: threads that share small operations wait for each other, on cores that decode images for
    ages. mmdet's own `predict` was not made for several threads, so there torch has them all.
    """
    torch.set_num_threads(cores if backend == MMDET else 1)
    return 1 if backend == MMDET else cores


def _dense_steps(
    model: torch.nn.Module,
    device: torch.device,
    prepare: Preparation,
    backend: Optional[str],
    class_scores: bool,
    head_maps: bool,
) -> Optional[Tuple[DenseSteps, str]]:
    """Make the steps of a dense detector, try them on an image; gives None, with a warning, where they do not work."""
    family = family_of(model)
    adapter, plain = (family.adapter, family.plain) if family else (DenseHead, False)
    try:
        head = adapter(model.bbox_head, class_scores)
        example = prepare(example_images(300, 400)[0])
        network, used = _network(model, device, _fixed_size(prepare), example.pixels.dtype, backend, plain)
        steps = DenseSteps(network, head, head_maps)
        steps.find(steps.forward([example]), [example])
    except Exception as error:  # whatever an unusual detector asks of its maps
        logger.warning(
            "the detector runs by mmdet's own predict, more slowly: its head maps cannot be used (%s)",
            first_line(error),
        )
        return None
    return steps, used


def _network(
    model: torch.nn.Module,
    device: torch.device,
    size: Optional[Tuple[int, int]],
    dtype: DTypeLike,
    backend: Optional[str],
    plain: bool,
) -> Tuple[RunnableNetwork, str]:
    """Put the network on its device for pixels of a dtype; `plain` where it is convolutions alone."""
    network = fused_network(model, channels_last=plain)
    if device.type == 'cpu' and backend != TORCH:
        onnx = onnx_or_none(network, size, dtype)
        if onnx is not None:
            return onnx, ONNX
    if device.type == 'cuda' and size is not None:
        torch.backends.cudnn.benchmark = True  # nearly all batches are alike, so the search for the fastest pays
    return TorchNetwork(network, device, plain), TORCH


def _fixed_size(prepare: Preparation) -> Optional[Tuple[int, int]]:
    """Give (width, height) where every image becomes the same size."""
    if not isinstance(prepare, Letterbox):
        return None
    sizes = {prepare.padded(prepare.resized(size)) for size in ((10000, 1), (1, 10000), (10000, 10000))}
    return sizes.pop() if len(sizes) == 1 else None
