"""Cut a dense detector off at its raw head maps, fuse its norms into its convolutions, and run that in torch."""

from __future__ import annotations

import copy
from typing import Any, Iterator, List, Tuple, Union

import numpy as np
import torch
from mmcv.cnn.utils.fuse_conv_bn import fuse_conv_bn
from torch.nn import functional

# What a head's `forward` returns and its `predict_by_feat` takes: sequences of tensors, nested as that head has them.
RawOutputs = Any
Structure = Union[List['Structure'], int, None]  # the nesting: sequences as lists, a tensor as 1, None as None

# The runtime may sum in another order than torch; what differs more is another network.
_TOLERANCE = 1e-3
CHECK_SIDE = 320  # of the image to compare on, where the network takes any size


class Network(torch.nn.Module):
    """mmdet's preprocessing and the detector's backbone, neck and head in one: images in, raw head outputs out."""

    def __init__(self, model: torch.nn.Module, channels_last: bool) -> None:
        """`channels_last`: lay feature maps out pixel by pixel, which suits convolutions and few other operations."""
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
        self.structure: Structure = None  # known after the first forward
        self.eval()

    def forward(self, pixels: torch.Tensor) -> Tuple[torch.Tensor, ...]:
        """Turn (B, H, W, 3) BGR, uint8 or float32, into the flat outputs, which `nested` nests again."""
        outputs = self.model(self.normalised(pixels), mode='tensor')
        self.structure = _structure(outputs)
        return tuple(leaves(outputs))

    def normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalise and pad (B, H, W, 3) to (B, 3, H', W') of the model's dtype, as mmdet's preprocessor does."""
        images = pixels.permute(0, 3, 1, 2).to(torch.float32)  # channels last, as the pixels are
        if not self._channels_last:
            images = images.contiguous()
        if self._swap:
            images = images.flip(1)
        if self._normalise:
            images = (images - self.mean) / self.std
        if self.divisor > 1:
            # torch 1.10 exports the remainder of a negative number with the wrong sign.
            below, right = ((self.divisor - side % self.divisor) % self.divisor for side in images.shape[2:])
            if torch.onnx.is_in_onnx_export() or below or right:
                images = functional.pad(images, (0, right, 0, below), value=self._pad_value)
        return images.to(next(self.model.parameters()).dtype)


class TorchNetwork:
    """The network on a device, with its number; on CUDA in half precision.

    A `plain` network is convolutions alone, which lose nothing in half precision; of any other, torch chooses the
    operations that stay in single precision.
    """

    def __init__(self, network: Network, device: torch.device, plain: bool) -> None:
        self._network = network.to(device)
        self._device = device
        self._mixed = device.type == 'cuda' and not plain
        self.divisor = network.divisor
        if plain:
            self._network.to(memory_format=torch.channels_last)
        if plain and device.type == 'cuda':
            self._network.model.half()

    def __call__(self, pixels: np.ndarray) -> RawOutputs:
        """Run (B, H, W, 3) uint8 BGR."""
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._mixed):
            outputs = self._network(on_device(torch.from_numpy(pixels), self._device))
            return nested(self._network.structure, iter(outputs))


def on_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Put a tensor of the CPU on a device; a GPU copies it in the calling thread's stream, and nobody waits for it."""
    if device.type == 'cuda':
        tensor = tensor.pin_memory()  # CUDA waits for a copy from other memory, whatever it is asked
    return tensor.to(device, non_blocking=True)


def example_images(height: int, width: int) -> np.ndarray:
    """Make an image (1, H, W, 3) to export and compare with: coarse noise, since a grey one could hide a difference."""
    noise = np.random.default_rng(0).integers(0, 256, (1, -(-height // 16), -(-width // 16), 3), np.uint8)
    return np.ascontiguousarray(noise.repeat(16, axis=1).repeat(16, axis=2)[:, :height, :width])


def fused_network(model: torch.nn.Module, channels_last: bool) -> Network:
    """Build the network, its batch norms fused into the convolutions before them where that changes nothing.

    It does change the outputs where several norms share a convolution, as in RTMDet's head.
    """
    network = Network(model, channels_last)
    parts = [id(part) for module in model.modules() for part in module._modules.values() if part is not None]
    if len(parts) != len(set(parts)):
        return network
    example = torch.from_numpy(example_images(CHECK_SIDE, CHECK_SIDE))
    fused = Network(fuse_conv_bn(copy.deepcopy(model)), channels_last).requires_grad_(False)
    with torch.inference_mode():
        try:
            check_same(fused(example), network(example))
        except ValueError:
            return network
    return fused


def check_same(found: RawOutputs, wanted: RawOutputs) -> None:
    """Raise ValueError where outputs differ by more than rounding, however they are nested."""
    ours, theirs = leaves(found), leaves(wanted)
    if len(ours) != len(theirs) or not all(map(_is_same, ours, theirs)):
        raise ValueError('its outputs differ from those of torch')


def _is_same(ours: torch.Tensor, theirs: torch.Tensor) -> bool:
    limit = _TOLERANCE * max(1.0, float(theirs.abs().max()))
    return ours.shape == theirs.shape and float((ours - theirs).abs().max()) <= limit


def nested(structure: Structure, tensors: Iterator[torch.Tensor]) -> RawOutputs:
    """Nest flat outputs as the model's `forward` returned them."""
    if isinstance(structure, list):
        return [nested(item, tensors) for item in structure]
    return None if structure is None else next(tensors)


def _structure(outputs: RawOutputs) -> Structure:
    if isinstance(outputs, (list, tuple)):
        return [_structure(item) for item in outputs]
    return None if outputs is None else 1


def leaves(outputs: RawOutputs) -> List[torch.Tensor]:
    """Flatten outputs, however they are nested."""
    if isinstance(outputs, (list, tuple)):
        return [leaf for item in outputs for leaf in leaves(item)]
    return [] if outputs is None else [outputs]
