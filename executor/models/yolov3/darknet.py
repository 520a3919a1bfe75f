"""Give darknet's weights of YOLOv3, which come without names, the names of mmdet's parts.

Darknet writes what its cfg lists, convolution by convolution; others number the parts of that cfg. The networks are the
same, but that darknet joins what it pools in another order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Tuple

import torch
from mmdet.models.backbones import Darknet
from torch import Tensor

_ANCHORS = 3  # a level
_MOST_CLASSES = 10_000
_POOLED = 'neck.detect1.conv3.conv2'  # takes what is pooled, of four parts
_NUMBERED = re.compile(r'module_list\.(\d+)\.(\w+)\.(\w+)')


class Convolution(NamedTuple):
    """A convolution without bias and its batch norm, or with bias and none."""

    name: str  # of mmdet's part that holds both
    inputs: int
    outputs: int
    kernel: int
    normed: bool = True


def _backbone() -> Iterator[Convolution]:
    yield Convolution('backbone.conv1', 3, 32, 3)
    for stage, (blocks, (inputs, outputs)) in enumerate(zip(*Darknet.arch_settings[53]), start=1):
        yield Convolution(f'backbone.conv_res_block{stage}.conv', inputs, outputs, 3)
        for block in range(blocks):
            name = f'backbone.conv_res_block{stage}.res{block}'
            yield Convolution(f'{name}.conv1', outputs, outputs // 2, 1)
            yield Convolution(f'{name}.conv2', outputs // 2, outputs, 3)


def _convolutions(pooling: bool, classes: int) -> Iterator[Convolution]:
    """List YOLOv3's, in darknet's order: level by level, those of neck and head in turn."""
    yield from _backbone()
    inputs = 1024
    for level, c in enumerate((512, 256, 128)):
        if level:
            yield Convolution(f'neck.conv{level}', 2 * c, c, 1)
            inputs = 3 * c  # with as many again, twice, from the backbone
        block = f'neck.detect{level + 1}'
        yield Convolution(f'{block}.conv1', inputs, c, 1)
        yield Convolution(f'{block}.conv2', c, 2 * c, 3)
        if pooling and level == 0:
            yield Convolution(f'{block}.conv3.conv1', 2 * c, c, 1)
            yield Convolution(_POOLED, 4 * c, c, 1)
        else:
            yield Convolution(f'{block}.conv3', 2 * c, c, 1)
        yield Convolution(f'{block}.conv4', c, 2 * c, 3)
        yield Convolution(f'{block}.conv5', 2 * c, c, 1)
        yield Convolution(f'bbox_head.convs_bridge.{level}', c, 2 * c, 3)
        yield Convolution(f'bbox_head.convs_pred.{level}', 2 * c, _ANCHORS * (5 + classes), 1, normed=False)


def _in_mmdets_order(parameters: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Turn the four parts that are pooled around: darknet joins windows of 13, 9 and 5, then what was there before."""
    name = f'{_POOLED}.conv.weight'
    if name in parameters and parameters[name].shape[1] % 4 == 0:
        parameters[name] = torch.cat(parameters[name].chunk(4, dim=1)[::-1], dim=1)
    return parameters


# --- numbers without names ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Yolov3Numbers:
    """The numbers of YOLOv3, or with `pooling` of YOLOv3-SPP, for any number of classes."""

    name: str
    pooling: bool

    def fits(self, count: int) -> bool:
        """Tell whether so many numbers are such a network's."""
        return self._classes(count) is not None

    def to_mmdet(self, numbers: Tensor) -> Dict[str, Tensor]:
        """Give (N,) numbers that fit the names and shapes of parameters."""
        classes = self._classes(len(numbers))
        assert classes is not None, 'they fit'
        return _named(numbers, _convolutions(self.pooling, classes))

    def _classes(self, count: int) -> Optional[int]:
        none, one = (_count(_convolutions(self.pooling, classes)) for classes in (0, 1))
        classes, rest = divmod(count - none, one - none)
        return classes if rest == 0 and 1 <= classes <= _MOST_CLASSES else None


@dataclass(frozen=True)
class BackboneNumbers:
    """The numbers of Darknet-53 alone, which a training may start from."""

    name: str

    def fits(self, count: int) -> bool:
        """Tell whether so many numbers are the backbone's."""
        return count == _count(_backbone())

    def to_mmdet(self, numbers: Tensor) -> Dict[str, Tensor]:
        """Give (N,) numbers that fit the names and shapes of parameters."""
        return _named(numbers, _backbone())


def _parts(convolution: Convolution) -> List[Tuple[str, Tuple[int, ...]]]:
    """List the parameters of a convolution as darknet writes them, with their shapes."""
    name, inputs, outputs, kernel, normed = convolution
    shape = (outputs, inputs, kernel, kernel)
    if not normed:
        return [(f'{name}.bias', (outputs,)), (f'{name}.weight', shape)]
    norms = [(f'{name}.bn.{part}', (outputs,)) for part in ('bias', 'weight', 'running_mean', 'running_var')]
    return [*norms, (f'{name}.conv.weight', shape)]


def _count(convolutions: Iterable[Convolution]) -> int:
    return sum(_product(shape) for convolution in convolutions for _, shape in _parts(convolution))


def _named(numbers: Tensor, convolutions: Iterable[Convolution]) -> Dict[str, Tensor]:
    parts = [part for convolution in convolutions for part in _parts(convolution)]
    pieces = numbers.split([_product(shape) for _, shape in parts])
    return _in_mmdets_order({name: piece.reshape(shape) for (name, shape), piece in zip(parts, pieces)})


def _product(shape: Tuple[int, ...]) -> int:
    return int(torch.Size(shape).numel())


# --- numbered parts -------------------------------------------------------------------------------------------------


def fits(names: Iterable[str]) -> bool:
    """Tell whether parameter names are those of a darknet cfg's numbered parts."""
    return any(_NUMBERED.fullmatch(name) for name in names)


def to_mmdet(parameters: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Give the parameters mmdet's names, where there are as many convolutions as in YOLOv3 or YOLOv3-SPP."""
    matches = {name: _NUMBERED.fullmatch(name) for name in parameters}
    numbers = sorted({int(match.group(1)) for match in matches.values() if match})
    for pooling in (False, True):
        convolutions = list(_convolutions(pooling, classes=1))
        if len(convolutions) == len(numbers):
            break
    else:
        return dict(parameters)
    by_number = dict(zip(numbers, convolutions))
    named = {}
    for name, match in matches.items():
        if match:
            convolution = by_number[int(match.group(1))]
            part = '' if not convolution.normed else '.bn' if 'norm' in match.group(2).lower() else '.conv'
            named[f'{convolution.name}{part}.{match.group(3)}'] = parameters[name]
    return _in_mmdets_order(named)
