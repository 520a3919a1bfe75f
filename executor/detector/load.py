"""Make a model package into a `Detector`: with the fastest backend that this model and this machine have."""

from __future__ import annotations

import logging
import time
from typing import Optional, Tuple, Union

import torch
from numpy.typing import DTypeLike
from torch.nn import Module

from executor.contract.errors import ConfigError
from executor.contract.params import DetectionParams
from executor.contract.shown import first_line
from executor.detector.detector import DenseSteps, Detector, WholeSteps
from executor.detector.model import load_model
from executor.detector.preparation import preparation_of
from executor.images.prepare import Letterbox, Preparation, Size
from executor.models.dense import DenseHead, HeadAdapter, is_dense
from executor.models.families import family_of
from executor.network.dense import TorchNetwork, example_images, fused_network
from executor.network.onnx_network import OnnxNetwork

logger = logging.getLogger(__name__)

ONNX, TORCH, MMDET = 'onnxruntime', 'torch', 'mmdet'


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
        params: the task's.
        cores: of the CPU, for this process.
        score_threshold, keep_own: the scores that the caller looks at, see `load_model`.
        class_scores, head_maps: whether detections carry the scores of all classes, and the dense head's maps.
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
    if backend != MMDET and is_dense(model, with_class_maps=head_maps and family_of(model) is None):
        dense = dense_steps(model, device, prepare, backend, class_scores, head_maps)
    if dense is None and head_maps:
        raise NoHeadMaps(f'the detector ({type(model).__name__}) has no dense class maps')
    steps, used = dense or (WholeSteps(model.to(device), device, len(params.class_names), class_scores), MMDET)
    if device.type == 'cuda':
        calls_at_once = 2  # one launches while the other waits for its boxes
        place = f'{torch.cuda.get_device_name()} in half precision'
    else:
        # Ours go an image a core: threads that share small operations wait for each other, on cores that decode images
        # for ages. mmdet's own `predict` was not made for several threads, so there torch has all cores.
        calls_at_once = 1 if used == MMDET else cores
        torch.set_num_threads(cores // calls_at_once)
        place = f'{cores} CPU cores'
    logger.info('detector: %s on %s, ready in %.1f s', used, place, time.monotonic() - started)
    return Detector(steps, prepare, used, trained.score_threshold, calls_at_once, device, trained.class_ap)


def adapter_of(model: Module, class_scores: bool) -> Tuple[HeadAdapter, bool]:
    """Adapt to the head of a dense detector; says also whether its network is plain, convolutions alone."""
    family = family_of(model)
    adapter, plain = (family.adapter, family.plain) if family else (DenseHead, False)
    return adapter(model.bbox_head, class_scores), plain


def dense_steps(
    model: Module, device: torch.device, prepare: Preparation, backend: Optional[str], class_scores: bool, maps: bool
) -> Optional[Tuple[DenseSteps, str]]:
    """Make the steps of a dense detector, try them on an image; gives None, with a warning, where they do not work."""
    try:
        head, plain = adapter_of(model, class_scores)
        example = prepare(example_images(300, 400)[0])
        network, used = _network(model, device, fixed_size(prepare), example.pixels.dtype, backend, plain)
        steps = DenseSteps(network, head, maps)
        steps.find(steps.forward([example]), [example])
    except Exception as error:  # whatever an unusual detector asks of its maps
        told = "the detector runs by mmdet's own predict, more slowly: its head maps cannot be used (%s)"
        logger.warning(told, first_line(error))
        return None
    return steps, used


def _network(
    model: Module, device: torch.device, size: Optional[Size], dtype: DTypeLike, backend: Optional[str], plain: bool
) -> Tuple[Union[OnnxNetwork, TorchNetwork], str]:
    """Put the network on its device for pixels of a dtype; `plain` where it is convolutions alone."""
    network = fused_network(model, channels_last=plain)
    if device.type == 'cpu' and backend != TORCH:
        try:
            return OnnxNetwork(network, size, dtype), ONNX
        except Exception as error:  # whatever the exporter or the runtime does not know
            logger.warning('the network runs in torch, more slowly: ONNX Runtime cannot run it (%s)', first_line(error))
    if device.type == 'cuda' and size is not None:
        torch.backends.cudnn.benchmark = True  # nearly all batches are alike, so the search for the fastest pays
    return TorchNetwork(network, device, plain), TORCH


def fixed_size(prepare: Preparation) -> Optional[Size]:
    """Give the size that every image becomes, where there is one."""
    if not isinstance(prepare, Letterbox):
        return None
    sizes = {prepare.padded(prepare.resized(size)) for size in ((10000, 1), (1, 10000), (10000, 10000))}
    return sizes.pop() if len(sizes) == 1 else None
