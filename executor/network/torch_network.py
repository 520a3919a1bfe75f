"""Run a dense network in torch: on a GPU, and on CPUs where ONNX Runtime cannot."""

from __future__ import annotations

import numpy as np
import torch

from executor.models.adapter import RawOutputs
from executor.network.dense import Network


class TorchNetwork:
    """The network on a device; on CUDA in half precision.

    Args:
        network: the network.
        device: with its number, since the threads that call have no current one.
        plain: whether the network is convolutions alone, which lose nothing in half precision; of any other network,
            torch chooses the operations that stay in single precision.
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
        """Run (B, H, W, 3) uint8 BGR."""
        with torch.inference_mode(), torch.autocast(self._device.type, enabled=self._mixed):
            images = torch.from_numpy(pixels).to(self._device, non_blocking=True)
            return RawOutputs(self._network(images), self._network.structure)
