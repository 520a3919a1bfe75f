"""Networks as ultralytics saves them: whole, as objects of classes that are not at hand, with much beside them."""

from __future__ import annotations

import argparse
import contextlib
import sys
import types
from pathlib import Path
from typing import Any, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn


def tiny_parameters(
    classes: int = 3, focus: bool = False, width: int = 8, blocks: Sequence[int] = (1, 2, 3, 1), neck: int = 1
) -> dict[str, torch.Tensor]:
    """Random parameters of a YOLOv5 under ultralytics' names, of any width and depth."""
    generator = torch.Generator().manual_seed(1)
    made: dict[str, torch.Tensor] = {}

    def convolution(name: str, inputs: int, outputs: int, kernel: int) -> None:
        made[f'{name}.conv.weight'] = torch.randn(outputs, inputs, kernel, kernel, generator=generator) / inputs**0.5
        for part, value in (('weight', 1.0), ('bias', 0.0), ('running_mean', 0.0), ('running_var', 1.0)):
            made[f'{name}.bn.{part}'] = torch.full((outputs,), value)
        made[f'{name}.bn.num_batches_tracked'] = torch.tensor(7)

    def cross_stage(name: str, inputs: int, outputs: int, count: int) -> None:
        half = outputs // 2
        for part, (before, after) in {'cv1': (inputs, half), 'cv2': (inputs, half), 'cv3': (outputs, outputs)}.items():
            convolution(f'{name}.{part}', before, after, 1)
        for number in range(count):
            convolution(f'{name}.m.{number}.cv1', half, half, 1)
            convolution(f'{name}.m.{number}.cv2', half, half, 3)

    c1, c2, c3, c4, c5 = (width * 2**power for power in range(5))
    convolution('model.0.conv' if focus else 'model.0', 12 if focus else 3, c1, 3 if focus else 6)
    last, pooling = (9, 8) if focus else (8, 9)
    for stage, (block, inputs, outputs) in enumerate(((2, c1, c2), (4, c2, c3), (6, c3, c4), (last, c4, c5))):
        convolution(f'model.{2 * stage + 1}', inputs, outputs, 3)
        cross_stage(f'model.{block}', outputs, outputs, blocks[stage])
    convolution(f'model.{pooling}.cv1', c5, c5 // 2, 1)
    convolution(f'model.{pooling}.cv2', 2 * c5, c5, 1)
    for before, block, inputs, outputs in ((10, 13, c5, c4), (14, 17, c4, c3)):
        convolution(f'model.{before}', inputs, outputs, 1)
        cross_stage(f'model.{block}', 2 * outputs, outputs, neck)
    for before, block, inputs, outputs in ((18, 20, c3, c4), (21, 23, c4, c5)):
        convolution(f'model.{before}', inputs, inputs, 3)
        cross_stage(f'model.{block}', 2 * inputs, outputs, neck)
    made['model.24.anchors'] = torch.arange(1.0, 19.0).reshape(3, 3, 2) / 4
    for level, inputs in enumerate((c3, c4, c5)):
        made[f'model.24.m.{level}.weight'] = torch.randn(3 * (5 + classes), inputs, 1, 1, generator=generator) / inputs
        made[f'model.24.m.{level}.bias'] = torch.zeros(3 * (5 + classes))
    return made


def save(path: Path, parameters: Mapping[str, torch.Tensor], names: Any, **others: Any) -> Path:
    """Save a network with these parameters as a release does; `others` replace what a training leaves beside it."""
    with _classes() as (layer, module):
        torch.save({'model': _network(layer, module, parameters, names).half(), 'ema': None, **others}, str(path))
    return path


def save_of_a_training(
    path: Path, averaged: Mapping[str, torch.Tensor], last: Mapping[str, torch.Tensor], names: Any
) -> Path:
    """Save what a user's training leaves: two networks, its arguments, and the state of its optimizer."""
    with _classes() as (layer, module):
        content = {
            'epoch': 3,
            'best_fitness': np.array([0.5]),
            'model': _network(layer, module, last, names).half(),
            'ema': _network(layer, module, averaged, names).half(),
            'updates': 12,
            'optimizer': {'state': {0: {'momentum_buffer': torch.ones(3)}}, 'param_groups': [{'lr': 0.01}]},
            'opt': argparse.Namespace(weights=Path('yolov5n.pt'), epochs=3),
            'git': {'remote': None, 'commit': 'abc'},
            'date': '2023-01-01T00:00:00',
        }
        torch.save(content, str(path))
    return path


@contextlib.contextmanager
def _classes() -> Iterator[tuple[type, type]]:
    """Classes of the names that ultralytics' have, which a pickle finds; afterwards nobody does."""
    names = ('models', 'models.yolo', 'models.common')
    assert not any(name in sys.modules for name in names)
    modules = {name: types.ModuleType(name) for name in names}
    classes = tuple(
        type(name, (nn.Module,), {'__module__': m}) for m, name in (('models.common', 'C3'), ('models.yolo', 'Model'))
    )
    for one in classes:
        setattr(modules[one.__module__], one.__name__, one)
    sys.modules.update(modules)
    try:
        yield classes[0], classes[1]
    finally:
        for name in names:
            del sys.modules[name]


def _network(layer: type, model: type, parameters: Mapping[str, torch.Tensor], names: Any) -> nn.Module:
    network = model()
    network.names, network.yaml, network.stride = names, {'nc': len(names)}, torch.tensor([8.0, 16.0, 32.0])
    for name, value in parameters.items():
        *path, last = name.split('.')
        part = network
        for word in path:
            if word not in part._modules:
                part.add_module(word, layer())
            part = part._modules[word]
        buffer = last.startswith(('running', 'num', 'anchor'))
        part.register_buffer(last, value) if buffer else part.register_parameter(last, nn.Parameter(value))
    return network
