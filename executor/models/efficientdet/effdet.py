"""Give TensorFlow's weights of EfficientDet, which effdet renames, the names of mmdet's parts and ours.

effdet calls them tf_efficientdet_d0 and so on. They put y before x, and their classes are the 90 ids of COCO, of which
80 are in use.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, Iterator, List, Mapping, Tuple

from torch import Tensor

from executor.models.held import HeldModel

_SIZES = {64: 0, 88: 1, 112: 2, 160: 3, 224: 4}  # by the channels of the neck
_FITTING = 'choose weights of EfficientDet d0 to d4, which effdet calls tf_efficientdet_d0 to tf_efficientdet_d4'
# Each is missing in a network that is built otherwise: without TensorFlow's biases, or as one of the kind lite.
_NEEDED = (
    *('fpn.resample.3.conv.conv.bias', 'backbone.blocks.0.0.se.conv_reduce.weight'),
    *('class_net.predict.conv_pw.bias', 'box_net.predict.conv_pw.bias'),
)
_ANCHORS = 9
_LEVELS = 5
_IDS = 90
_UNUSED_IDS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
CLASSES = [number - 1 for number in range(1, _IDS + 1) if number not in _UNUSED_IDS]  # in COCO's order

_LAYERS = (1, 2, 3, 4, 4, 5, 5)  # of mmdet's backbone, by stage: it joins those of one stride
# The parts of a block; those of the first stage expand nothing.
_FIRST = {
    **{'conv_dw': 'depthwise_conv.conv', 'bn1': 'depthwise_conv.bn'},
    **{'conv_pw': 'linear_conv.conv', 'bn2': 'linear_conv.bn'},
}
_OTHER = {
    **{'conv_pw': 'expand_conv.conv', 'bn1': 'expand_conv.bn'},
    **{'conv_dw': 'depthwise_conv.conv', 'bn2': 'depthwise_conv.bn'},
    **{'conv_pwl': 'linear_conv.conv', 'bn3': 'linear_conv.bn'},
}
_SQUEEZING = {'se.conv_reduce': 'se.conv1.conv', 'se.conv_expand': 'se.conv2.conv'}
_SEPARABLE = {'conv_dw': 'depthwise', 'conv_pw': 'pointwise', 'bn': 'norm'}
# Which node of the neck takes which of the backbone's levels, before all that fuse.
_TAKES = {(3, 0): 'to_down.0', (2, 1): 'to_down.1', (1, 2): 'to_down.2', (4, 1): 'to_up.0', (5, 2): 'to_up.1'}
_NODES = ('down.3', 'down.2', 'down.1', 'down.0', 'up.0', 'up.1', 'up.2', 'up.3')


def fits(names: Iterable[str]) -> bool:
    """Tell whether parameter names are those of a network of effdet's, whichever."""
    return any(name.startswith(('class_net.', 'box_net.', 'fpn.cell.')) for name in names)


def to_mmdet(parameters: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Give the parameters mmdet's names and order, of COCO's classes those in use.

    Raises:
        ValueError: they are of another network.
    """
    for name in _NEEDED:
        if name not in parameters:
            raise ValueError(f'{name} is missing: {_FITTING}')
    parts = dict(_parts(parameters))
    renamed = {}
    for name, value in parameters.items():
        part, _, kind = name.rpartition('.')
        if part not in parts:
            raise ValueError(f'{name} is of no part of EfficientDet as it is read: {_FITTING}')
        kind = 'fusion_weights' if kind == 'edge_weights' else kind
        renamed[f'{parts[part]}.{kind}'] = _in_order(part, value)
    return renamed


def held_model(parameters: Mapping[str, Tensor]) -> HeldModel:
    """Tell what network the parameters are of.

    Raises:
        ValueError: of another than is known.
    """
    own = to_mmdet(parameters)
    channels = len(own['neck.to_coarse.pointwise.bias'])
    if channels not in _SIZES:
        raise ValueError(f'a neck of {channels} channels is of another EfficientDet: {_FITTING}')
    size = _SIZES[channels]
    return HeldModel(
        name=f'EfficientDet-d{size}',
        config_file=f'configs/efficientdet/efficientdet_d{size}_8x8_300e_coco.py',
        head='EfficientDetHead',
        changes={},
        needed={'backbone': {'arch': f'b{size}'}},
    )


def _parts(parameters: Mapping[str, Tensor]) -> Iterator[Tuple[str, str]]:
    """List the parts that hold parameters, by both names."""
    yield 'backbone.conv_stem', 'backbone.layers.0.conv'
    yield 'backbone.bn1', 'backbone.layers.0.bn'
    blocks = [_count(parameters, rf'backbone\.blocks\.{stage}\.(\d+)\.') for stage in range(len(_LAYERS))]
    for stage, layer in enumerate(_LAYERS):
        before = blocks[stage - 1] if layer in _LAYERS[:stage] else 0
        for block in range(blocks[stage]):
            for theirs, ours in {**(_OTHER if stage else _FIRST), **_SQUEEZING}.items():
                yield f'backbone.blocks.{stage}.{block}.{theirs}', f'backbone.layers.{layer}.{before + block}.{ours}'
    yield from _taking('fpn.resample.3', 'to_coarse')
    for (node, level), ours in _TAKES.items():
        yield from _taking(f'fpn.cell.0.fnode.{node}.combine.resample.{level}', ours)
    for cell in range(_count(parameters, r'fpn\.cell\.(\d+)\.')):
        for node, ours in enumerate(_NODES):
            theirs, ours = f'fpn.cell.{cell}.fnode.{node}', f'neck.layers.{cell}.{ours}'
            yield f'{theirs}.combine', ours  # the weights alone
            yield from _separable(f'{theirs}.after_combine.conv', f'{ours}.convolution')
    for net, branch in (('class_net', 'bbox_head.classes'), ('box_net', 'bbox_head.boxes')):
        for place in range(_count(parameters, rf'{net}\.conv_rep\.(\d+)\.')):
            yield from _separable(f'{net}.conv_rep.{place}', f'{branch}.convolutions.{place}')
            for level in range(_LEVELS):
                yield f'{net}.bn_rep.{place}.{level}.bn', f'{branch}.norms.{place}.{level}'
        yield from _separable(f'{net}.predict', f'{branch}.predict')


def _taking(theirs: str, ours: str) -> List[Tuple[str, str]]:
    return [(f'{theirs}.conv.conv', f'neck.{ours}.pointwise'), (f'{theirs}.conv.bn', f'neck.{ours}.norm')]


def _separable(theirs: str, ours: str) -> List[Tuple[str, str]]:
    return [(f'{theirs}.{their_part}', f'{ours}.{part}') for their_part, part in _SEPARABLE.items()]


def _count(parameters: Mapping[str, Tensor], pattern: str) -> int:
    """Count the numbers that a pattern finds at the beginning of names."""
    return len({found.group(1) for found in map(re.compile(pattern).match, parameters) if found})


def _in_order(part: str, value: Tensor) -> Tensor:
    """Put the outputs of the head in mmdet's order."""
    if part == 'box_net.predict.conv_pw':
        by_anchor = value.reshape(_ANCHORS, 4, *value.shape[1:])
        return by_anchor[:, [1, 0, 3, 2]].reshape(value.shape)
    if part == 'class_net.predict.conv_pw' and len(value) == _ANCHORS * _IDS:
        by_anchor = value.reshape(_ANCHORS, _IDS, *value.shape[1:])
        return by_anchor[:, CLASSES].reshape(-1, *value.shape[1:])
    return value
