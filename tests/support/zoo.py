"""Reference outputs of upstream networks (`shared/data/zoo`), whose weights and image a formula makes."""

from __future__ import annotations

import gzip
import importlib.util
import json
from pathlib import Path
from types import MappingProxyType
from typing import Any, Mapping, Sequence

import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from executor.config.read import load_config
from executor.models.families import register_parts

TOLERANCE = 1e-3  # of raw outputs; one wrong tensor changes some sample by 0.005 or more


class Zoo:
    """One fixture: what an upstream network gives."""

    def __init__(self, data: Path, name: str) -> None:
        """`data`: the folder `shared/data`."""
        folder = data / 'zoo'
        self.fixture: Mapping[str, Any] = json.loads(gzip.decompress((folder / f'{name}.json.gz').read_bytes()))
        spec = importlib.util.spec_from_file_location('zoo_fill', folder / 'fill.py')
        self._fill = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._fill)

    def weights(self) -> dict[str, torch.Tensor]:
        """The state dict under the upstream's names."""
        fill = self.fixture['fill']
        made = {
            key: torch.from_numpy(np.asarray(self._fill.filled(key, shape, **fill)))
            for key, shape in self.fixture['keys']
        }
        made.update({key: torch.tensor(value) for key, value in self.fixture['constants'].items()})
        return made

    def image(self) -> torch.Tensor:
        """(1, 3, H, W) of whole numbers 0..255, in the network's order of channels."""
        size = self.fixture['input']
        return torch.from_numpy(self._fill.image(size['height'], size['width']))

    def largest_difference(self, outputs: Mapping[str, torch.Tensor]) -> float:
        """Of the samples of every raw output; `outputs` by the upstream's names."""
        return max(self.differences(outputs))

    def differences(self, outputs: Mapping[str, torch.Tensor]) -> list[float]:
        differences = []
        for output in self.fixture['outputs']:
            mine = outputs[output['name']]
            assert list(mine.shape) == output['shape']
            flat = mine.flatten()
            differences += [abs(float(flat[index]) - value) for index, value in output['samples']]
        return differences


def built(config_file: str, changes: Mapping[str, Any] = MappingProxyType({})) -> torch.nn.Module:
    """The detector of a config with `changes` to its model, in evaluation mode."""
    register_parts()
    init_default_scope('mmdet')
    config = load_config(config_file)
    config.merge_from_dict({'model': dict(changes)})
    for part in config.model.values():
        if isinstance(part, dict):
            part.pop('init_cfg', None)  # which may name a download
    return MODELS.build(config.model).eval()


def parameter_count(model: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def outputs_of(model: torch.nn.Module, image: torch.Tensor) -> Sequence[Any]:
    with torch.no_grad():
        return model(image, mode='tensor')
