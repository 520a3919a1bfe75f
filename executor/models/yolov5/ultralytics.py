"""Give the weights of ultralytics' YOLOv5 the names of mmdet's parts, and tell what network they are of.

Its parts are numbered in the order of the forward pass. In release 5.0 the first sorts pixels into channels, and
pooling comes before the last block of the backbone; from 6.0 on the first is a plain convolution, and pooling is last.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, Iterator, List, Mapping, Tuple

from torch import Tensor

from executor.models.held import HeldModel

_STEM_OF_5 = 'model.0.conv.conv.weight'
_ANCHORS = 'model.24.anchors'  # (3, A, 2), in strides
_NOT_PARTS = (_ANCHORS, 'model.24.anchor_grid')
_STAGES = (1, 2, 3, 4)
_STRIDES = (8, 16, 32)
_NECK = (13, 17, 20, 23)  # its blocks
_SIZES = {16: 'n', 32: 's', 48: 'm', 64: 'l', 80: 'x'}  # by the channels of the first part
_FITTING = 'choose weights of YOLOv5 n, s, m, l or x as the releases 5.0 to 7.0 build them'


def fits(names: Iterable[str]) -> bool:
    """Tell whether parameter names are those of a network of ultralytics', whichever."""
    return any(name.startswith('model.0.') for name in names)


def to_mmdet(parameters: Mapping[str, Tensor]) -> Dict[str, Tensor]:
    """Give the parameters mmdet's names; anchors are none.

    Raises:
        ValueError: they are of another network.
    """
    names = dict(_parts(_STEM_OF_5 in parameters, _blocks_of_stages(parameters), _blocks_of_neck(parameters)))
    renamed = {}
    for name, value in parameters.items():
        if name not in _NOT_PARTS:
            part = next((part for part in _beginnings(name) if part in names), None)
            if part is None:
                raise ValueError(f'{name} is of no part of YOLOv5 as it is read: {_FITTING}')
            renamed[names[part] + name[len(part) :]] = value
    return renamed


def held_model(parameters: Mapping[str, Tensor]) -> HeldModel:
    """Tell what network the parameters are of.

    Raises:
        ValueError: of another than is known.
    """
    own = to_mmdet(parameters)
    focus = _STEM_OF_5 in parameters
    stem = 'backbone.stem.conv.conv' if focus else 'backbone.stem.conv'
    try:
        channels = [own[f'{name}.weight'].shape[0] for name in (stem, *(f'backbone.stage{n}.0.conv' for n in _STAGES))]
        widths = [own[f'bbox_head.convs_pred.{level}.weight'].shape[1] for level in range(len(_STRIDES))]
    except (KeyError, IndexError):
        raise ValueError(f'a convolution of YOLOv5 is missing or is none: {_FITTING}')
    size = _SIZES.get(channels[0])
    return HeldModel(
        name=f'YOLOv5{size or ""}{" of release 5.0" if focus else ""}',
        config_file=f'configs/yolov5/yolov5{size or "s"}_8x8_300e_coco.py',
        head='YOLOV5Head',
        changes={
            'backbone': {'channels': channels, 'blocks': _blocks_of_stages(parameters), 'focus': focus},
            'neck': {'in_channels': widths, 'num_csp_blocks': _blocks_of_neck(parameters)},
            'bbox_head': {'in_channels': widths, **_anchor_sizes(parameters)},
        },
    )


def _parts(focus: bool, stages: List[int], neck: int) -> Iterator[Tuple[str, str]]:
    """List the parts that hold parameters, by both names."""
    yield ('model.0.conv', 'backbone.stem.conv') if focus else ('model.0', 'backbone.stem')
    last, pooling = (9, 8) if focus else (8, 9)
    for stage, (block, count) in enumerate(zip((2, 4, 6, last), stages), start=1):
        yield f'model.{2 * stage - 1}', f'backbone.stage{stage}.0'
        yield from _cross_stage(f'model.{block}', f'backbone.stage{stage}.{block - 2 * stage + 1}', count)
    for convolution in (1, 2):
        yield f'model.{pooling}.cv{convolution}', f'backbone.stage4.{pooling - 7}.conv{convolution}'
    for place, (before, block) in enumerate(((10, 13), (14, 17))):
        yield f'model.{before}', f'neck.reduce_layers.{place}'
        yield from _cross_stage(f'model.{block}', f'neck.top_down_blocks.{place}', neck)
    for place, (before, block) in enumerate(((18, 20), (21, 23))):
        yield f'model.{before}', f'neck.downsamples.{place}'
        yield from _cross_stage(f'model.{block}', f'neck.bottom_up_blocks.{place}', neck)
    for level in range(len(_STRIDES)):
        yield f'model.24.m.{level}', f'bbox_head.convs_pred.{level}'


def _cross_stage(theirs: str, ours: str, blocks: int) -> Iterator[Tuple[str, str]]:
    for number, name in enumerate(('main_conv', 'short_conv', 'final_conv'), start=1):
        yield f'{theirs}.cv{number}', f'{ours}.{name}'
    for block in range(blocks):
        for number in (1, 2):
            yield f'{theirs}.m.{block}.cv{number}', f'{ours}.blocks.{block}.conv{number}'


def _beginnings(name: str) -> Iterator[str]:
    """Give what a parameter's name may begin with, the longest first."""
    while '.' in name:
        name = name.rpartition('.')[0]
        yield name


def _blocks_of_stages(parameters: Mapping[str, Tensor]) -> List[int]:
    return [_count(parameters, block) for block in (2, 4, 6, 9 if _STEM_OF_5 in parameters else 8)]


def _blocks_of_neck(parameters: Mapping[str, Tensor]) -> int:
    return min(_count(parameters, block) for block in _NECK)  # more are of another network


def _count(parameters: Mapping[str, Tensor], block: int) -> int:
    """Count the bottlenecks of a block; those of other kinds have other kernels."""
    inner = re.compile(rf'model\.{block}\.m\.\d+\.cv2\.conv\.weight')
    return sum(bool(inner.fullmatch(name)) and value.shape[2:] == (3, 3) for name, value in parameters.items())


def _anchor_sizes(parameters: Mapping[str, Tensor]) -> Dict[str, object]:
    """Give the anchors' sizes in pixels as a part of the head's config; nothing where they are not there."""
    anchors = parameters.get(_ANCHORS)
    if anchors is None or anchors.dim() != 3 or anchors.shape[::2] != (len(_STRIDES), 2):
        return {}
    levels = [(level.float() * stride).tolist() for level, stride in zip(anchors, _STRIDES)]
    return {'anchor_generator': {'base_sizes': [[tuple(size) for size in level] for level in levels]}}
