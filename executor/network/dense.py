"""A dense detector up to its raw head maps, and the two ways to run it: torch, and ONNX Runtime on CPUs."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import logging
import os
import sys
import time
import warnings
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
import torch
from mmcv.cnn.utils.fuse_conv_bn import fuse_conv_bn
from torch.nn import functional

from executor.contract.shown import first_line
from executor.models.adapter import RawOutputs

logger = logging.getLogger(__name__)

_OPSET = 13
# The runtime may sum in another order than torch; what differs more is another network.
_TOLERANCE = 1e-3
_CHECK_SIDE = 320  # of the image to export with and compare on, where the network takes any size
_OTHER_SIDES = (250, 410)  # and another one, in case the graph has kept a size; to be padded, other than the first


class Network(torch.nn.Module):
    """Images in, raw head outputs out: mmdet's preprocessing and the detector's backbone, neck and head in one."""

    def __init__(self, model: torch.nn.Module, channels_last: bool) -> None:
        """`channels_last`: whether the maps inside lie pixel by pixel, which convolutions like and little else does."""
        super().__init__()
        self.model = model
        self._channels_last = channels_last
        before = model.data_preprocessor
        self._swap = before._channel_conversion
        self._normalise = before._enable_normalize
        self.divisor = before.pad_size_divisor
        self._pad_value = float(before.pad_value)
        if self._normalise:
            self.register_buffer('mean', before.mean.clone().float())
            self.register_buffer('std', before.std.clone().float())
        self.structure: Any = None  # known after the first forward
        self.eval()

    def forward(self, pixels: torch.Tensor) -> Tuple[torch.Tensor, ...]:
        """(B, H, W, 3) BGR, uint8 or float32, to the flat outputs."""
        outputs = self.model(self.normalised(pixels), mode='tensor')
        self.structure = _structure(outputs)
        return tuple(_leaves(outputs))

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """(B, H, W, 3) to (B, 3, H', W') in the model's dtype, normalised and padded as mmdet's preprocessor does."""
        images = pixels.permute(0, 3, 1, 2).to(torch.float32)  # channels last, as the pixels are
        if not self._channels_last:
            images = images.contiguous()
        if self._swap:
            images = images.flip(1)
        if self._normalise:
            images = (images - self.mean) / self.std
        if self.divisor > 1:
            height, width = images.shape[2], images.shape[3]
            # torch 1.10 exports the remainder of a negative number with the wrong sign.
            below, right = ((self.divisor - side % self.divisor) % self.divisor for side in (height, width))
            if torch.onnx.is_in_onnx_export() or below or right:
                images = functional.pad(images, (0, right, 0, below), value=self._pad_value)
        return images.to(next(self.model.parameters()).dtype)


class TorchNetwork:
    """The network on a device; on CUDA in half precision.

    Args:
        network: the network.
        device: with its number, since the threads that call have no current one.
        plain: whether the network is convolutions alone, which half precision does no harm; in any other, torch chooses
            the operations that stay in single.
    """

    def __init__(self, network: Network, device: torch.device, plain: bool) -> None:
        network = network.to(device)
        self._mixed = device.type == 'cuda' and not plain
        if plain:
            network = network.to(memory_format=torch.channels_last)
        if plain and device.type == 'cuda':
            network.model.half()
        self._network = network
        self._device = device
        self.divisor = network.divisor

    def __call__(self, pixels: np.ndarray) -> RawOutputs:
        """(B, H, W, 3) uint8 BGR."""
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._mixed):
            images = torch.from_numpy(pixels).to(self._device, non_blocking=True)
            return RawOutputs(self._network(images), self._network.structure)


class RuntimeNetwork:
    """The network as a graph in ONNX Runtime, one thread a call, for callers that call from several threads.

    Measured: images one by one on as many threads as there are cores are faster than batches on all cores at once, and
    what comes out of an image never depends on its batch.
    """

    def __init__(self, network: Network, input_size: Optional[Tuple[int, int]], dtype: Any = np.uint8) -> None:
        """Export the network, on the CPU; `input_size` (width, height) where every image has it, `dtype` of the pixels.

        Raises:
            Exception: of many kinds, where the network cannot be exported, or not loaded by the runtime.
            ValueError: the graph does not compute what the network does.
        """
        import onnxruntime

        self.divisor = network.divisor
        width, height = input_size or (_CHECK_SIDE, _CHECK_SIDE)
        example = example_images(height, width).astype(dtype)
        graph = export_graph(network, example, fixed=input_size is not None)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3  # it warns of its own optimisations
        self._session = onnxruntime.InferenceSession(graph, options, providers=['CPUExecutionProvider'])
        self._input = self._session.get_inputs()[0].name
        self._structure = network.structure
        for pixels in [example] if input_size is not None else [example, example_images(*_OTHER_SIDES).astype(dtype)]:
            with torch.inference_mode():
                check_same(self(pixels).tensors, network(torch.from_numpy(pixels)))

    def __call__(self, pixels: np.ndarray) -> RawOutputs:
        """(1, H, W, 3) BGR of the dtype it was made for."""
        outputs = self._session.run(None, {self._input: pixels})
        return RawOutputs(tuple(torch.from_numpy(output) for output in outputs), self._structure)


def runtime_or_none(
    network: Network, input_size: Optional[Tuple[int, int]], dtype: Any = np.uint8
) -> Optional[RuntimeNetwork]:
    """The network in ONNX Runtime, or None, with a warning, where that does not work."""
    started = time.monotonic()
    try:
        runtime = RuntimeNetwork(network, input_size, dtype)
    except Exception as error:  # whatever the exporter or the runtime does not know
        logger.warning('the network runs in torch, more slowly: ONNX Runtime cannot run it (%s)', first_line(error))
        return None
    logger.info('network exported to ONNX Runtime and compared with torch in %.1f s', time.monotonic() - started)
    return runtime


def export_graph(network: Network, example: np.ndarray, fixed: bool) -> bytes:
    """The network as an ONNX graph with one input, `images`, of the example's shape, or of any height and width."""
    graph = io.BytesIO()
    arguments: Dict[str, Any] = {'input_names': ['images'], 'opset_version': _OPSET}
    if not fixed:
        arguments['dynamic_axes'] = {'images': {1: 'height', 2: 'width'}}
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        arguments['dynamo'] = False  # the tracing exporter: a second instead of half a minute, and every torch has it
    with warnings.catch_warnings(), _silent_stderr(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(network, (torch.from_numpy(example),), graph, **arguments)
    network.eval()  # the exporter leaves the parts in the mode of the whole
    return graph.getvalue()


@contextlib.contextmanager
def _silent_stderr() -> Iterator[None]:
    """Drop what is written to stderr, also by C++: torch 1.10 tells there of each constant that it exports."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, 'wb') as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def example_images(height: int, width: int) -> np.ndarray:
    """One image (1, H, W, 3) to export and compare with: coarse noise, since a grey one could hide a difference."""
    noise = np.random.default_rng(0).integers(0, 256, (1, -(-height // 16), -(-width // 16), 3), np.uint8)
    return np.ascontiguousarray(noise.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width])


def fused_network(model: torch.nn.Module, channels_last: bool) -> Network:
    """The network with batch norms worked into the convolutions before them, where that changes nothing.

    It does where a convolution is shared by several norms, as in RTMDet's head.
    """
    network = Network(model, channels_last)
    if _shares_parts(model):
        return network
    example = torch.from_numpy(example_images(_CHECK_SIDE, _CHECK_SIDE))
    fused = Network(fuse_conv_bn(copy.deepcopy(model)), channels_last).requires_grad_(False)
    with torch.inference_mode():
        try:
            check_same(fused(example), network(example))
        except ValueError:
            return network
    return fused


def _shares_parts(model: torch.nn.Module) -> bool:
    parts = [id(part) for module in model.modules() for part in module._modules.values() if part is not None]
    return len(parts) != len(set(parts))


def check_same(found: Tuple[torch.Tensor, ...], wanted: Tuple[torch.Tensor, ...]) -> None:
    """Raises ValueError where outputs differ by more than rounding."""
    for ours, theirs in zip(found, wanted):
        limit = _TOLERANCE * max(1.0, float(theirs.abs().max()))
        if ours.shape != theirs.shape or not float((ours - theirs).abs().max()) <= limit:
            raise ValueError('its outputs differ from those of torch')


def _structure(outputs: Any) -> Any:
    """The nesting of the outputs: lists as lists, a tensor as 1, None as None."""
    if isinstance(outputs, (list, tuple)):
        return [_structure(item) for item in outputs]
    return None if outputs is None else 1


def _leaves(outputs: Any) -> List[torch.Tensor]:
    if isinstance(outputs, (list, tuple)):
        return [leaf for item in outputs for leaf in _leaves(item)]
    return [] if outputs is None else [outputs]
