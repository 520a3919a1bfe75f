"""Weights of EfficientDet as effdet names and shapes them, of any size; nobody trained them."""

from __future__ import annotations

import math
from typing import Iterator, Tuple

import torch

Shapes = Iterator[Tuple[str, Tuple[int, ...]]]

# Of d0 to d4: width and depth of the backbone, channels and layers of the neck, convolutions of the head.
_SIZES = (
    *((1.0, 1.0, 64, 3, 3), (1.0, 1.1, 88, 4, 3), (1.1, 1.2, 112, 5, 3)),
    *((1.2, 1.4, 160, 6, 4), (1.4, 1.8, 224, 7, 4)),
)
_STAGES = ((3, 16, 1), (3, 24, 2), (5, 40, 2), (3, 80, 3), (5, 112, 3), (5, 192, 4), (3, 320, 1))  # kernel, out, blocks
_TAKEN = {1: (2, 320), 2: (1, 112), 3: (0, 40), 4: (1, 112), 5: (2, 320)}  # by a node: a level, and its channels
_FUSED = (2, 2, 2, 2, 3, 3, 3, 2)  # by each node


def effdet_parameters(size: int = 0, classes: int = 90) -> dict[str, torch.Tensor]:
    """Random parameters of tf_efficientdet_d0 to d4, or of one that somebody trained for other classes."""
    generator = torch.Generator().manual_seed(1)
    made = {}
    for name, shape in _shapes(*_SIZES[size], classes):
        if len(shape) == 4:
            made[name] = torch.randn(shape, generator=generator) / math.prod(shape[1:]) ** 0.5
        else:
            made[name] = torch.ones(shape) if name.endswith(('weight', 'weights', 'var')) else torch.zeros(shape)
    return made


def _shapes(width: float, depth: float, channels: int, layers: int, convolutions: int, classes: int) -> Shapes:
    stem = inputs = _rounded(32 * width)
    yield 'backbone.conv_stem.weight', (stem, 3, 3, 3)
    yield from _norm('backbone.bn1', stem)
    for stage, (kernel, outputs, blocks) in enumerate(_STAGES):
        for block in range(math.ceil(blocks * depth)):
            yield from _block(f'backbone.blocks.{stage}.{block}', inputs, _rounded(outputs * width), kernel, stage > 0)
            inputs = _rounded(outputs * width)
    yield from _taking('fpn.resample.3', _rounded(320 * width), channels)
    for node, (level, inputs) in _TAKEN.items():
        yield from _taking(f'fpn.cell.0.fnode.{node}.combine.resample.{level}', _rounded(inputs * width), channels)
    for cell in range(layers):
        for node, fused in enumerate(_FUSED):
            name = f'fpn.cell.{cell}.fnode.{node}'
            yield f'{name}.combine.edge_weights', (fused,)
            yield from _separable(f'{name}.after_combine.conv', channels, channels)
            yield from _norm(f'{name}.after_combine.conv.bn', channels)
    for net, outputs in (('class_net', 9 * classes), ('box_net', 9 * 4)):
        for place in range(convolutions):
            yield from _separable(f'{net}.conv_rep.{place}', channels, channels)
            for level in range(5):
                yield from _norm(f'{net}.bn_rep.{place}.{level}.bn', channels)
        yield from _separable(f'{net}.predict', channels, outputs)


def _block(name: str, inputs: int, outputs: int, kernel: int, expands: bool) -> Shapes:
    inner = inputs * 6 if expands else inputs
    if expands:
        yield f'{name}.conv_pw.weight', (inner, inputs, 1, 1)
    yield f'{name}.conv_dw.weight', (inner, 1, kernel, kernel)
    yield from _convolution(f'{name}.se.conv_reduce', inner, inputs // 4)
    yield from _convolution(f'{name}.se.conv_expand', inputs // 4, inner)
    yield f'{name}.{"conv_pwl" if expands else "conv_pw"}.weight', (outputs, inner, 1, 1)
    for number, channels in enumerate((inner, inner, outputs) if expands else (inner, outputs), start=1):
        yield from _norm(f'{name}.bn{number}', channels)


def _taking(name: str, inputs: int, outputs: int) -> Shapes:
    yield from _convolution(f'{name}.conv.conv', inputs, outputs)
    yield from _norm(f'{name}.conv.bn', outputs)


def _separable(name: str, channels: int, outputs: int) -> Shapes:
    yield f'{name}.conv_dw.weight', (channels, 1, 3, 3)
    yield from _convolution(f'{name}.conv_pw', channels, outputs)


def _convolution(name: str, inputs: int, outputs: int) -> Shapes:
    yield f'{name}.weight', (outputs, inputs, 1, 1)
    yield f'{name}.bias', (outputs,)


def _norm(name: str, channels: int) -> Shapes:
    for part in ('weight', 'bias', 'running_mean', 'running_var'):
        yield f'{name}.{part}', (channels,)
    yield f'{name}.num_batches_tracked', ()


def _rounded(channels: float) -> int:
    """Round to a multiple of 8, but not down by more than a tenth."""
    rounded = int(channels + 4) // 8 * 8
    return rounded if rounded >= 0.9 * channels else rounded + 8
