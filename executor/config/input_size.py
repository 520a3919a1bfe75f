"""Change the size of the network's input: the table of the places where a config holds sizes, by kinds of transforms.

The size of a config is the one that its test resizes images to; all others keep their proportion to it.
"""

from __future__ import annotations

import logging
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple, cast

from mmengine.config import Config

from executor.config.allowed import LOADERS
from executor.config.our_data import outer_pipeline
from executor.config.plain import ConfigDict
from executor.contract.errors import ParameterError

logger = logging.getLogger(__name__)

Size = Tuple[int, int]  # (width, height)

_DIVISOR = 32  # the stride of the coarsest maps of most detectors


def set_input_size(config: Config, wanted: Sequence[int]) -> None:
    """Make training, validation and test work at another size, in a config that has not been scaled to a run yet.

    Args:
        config: ours or mmdet's, or that of a package; changed in place.
        wanted: (width, height), or one number for the longer side, the shorter in the config's proportion; or nothing.

    Raises:
        ParameterError: the size is none of this detector's, or the config holds none that could be changed.
    """
    if not wanted:
        return
    known = _test_size(config)
    preprocessor = config['model'].get('data_preprocessor') or {}
    divisor = max(_DIVISOR, int(preprocessor.get('pad_size_divisor') or 1))
    _check_sides(wanted, divisor)
    scaling = _Scaling(known, cast(Size, (*wanted, *wanted)[:2]), divisor)
    if len(wanted) == 1:
        ratio = wanted[0] / max(known)
        shorter = scaling.side(min(known), ratio)
        scaling = scaling._replace(wanted=(wanted[0], shorter) if known[0] >= known[1] else (shorter, wanted[0]))
    if scaling.wanted == known:
        return
    _check_anchors(config['model'])
    schedules = [config, config.get('published_schedule') or {}]
    hooks = [schedule.get('custom_hooks') for schedule in schedules]  # one may switch to another pipeline
    for part in (preprocessor, *hooks, *(config.get(name) for name in LOADERS)):
        _change(part, scaling)
    told = 'input_size: %d x %d instead of %d x %d, all other sizes of training and test in proportion'
    logger.info(told, *scaling.wanted, *known)


def _test_size(config: Config) -> Size:
    loader = config.get('test_dataloader') or config['val_dataloader']
    for transform in outer_pipeline(loader['dataset']):
        scale = transform.get('scale')
        if transform['type'] in ('Resize', 'FixScaleResize') and isinstance(scale, (tuple, list)):
            return scale[0], scale[1]
    raise ParameterError(
        'input_size', 'input_size cannot change this detector: its test resizes images to no size: leave it empty'
    )


def _check_sides(wanted: Sequence[int], divisor: int) -> None:
    found = ','.join(map(str, wanted))
    nearest = [','.join(map(str, sides)) for sides in (_below(wanted, divisor), _above(wanted, divisor))]
    if found not in nearest:
        fitting = ' or '.join(size for size in nearest if '0' not in size.split(','))
        raise ParameterError(
            'input_size', f'input_size must be multiples of {divisor} for this detector, found {found}: use {fitting}'
        )


def _below(sides: Sequence[int], divisor: int) -> List[int]:
    return [side // divisor * divisor for side in sides]


def _above(sides: Sequence[int], divisor: int) -> List[int]:
    return [-(-side // divisor) * divisor for side in sides]


def _check_anchors(model: object) -> None:
    """Refuse detectors whose layers and anchors are laid out for one size, as those of SSD are."""
    if isinstance(model, dict):
        if 'SSDAnchorGenerator' in str(model.get('type')):
            problem = 'input_size cannot change this detector: its layers and anchors are made for one size'
            raise ParameterError('input_size', f'{problem}: leave it empty, or choose another detector')
        for part in model.values():
            _check_anchors(part)
    elif isinstance(model, (list, tuple)):
        for part in model:
            _check_anchors(part)


class _Scaling(NamedTuple):
    """The way from the size that a config has to another; what comes out are multiples of `divisor`."""

    known: Size
    wanted: Size
    divisor: int

    def side(self, side: float, factor: float) -> int:
        """Scale one side; mmdet's words for no side, 0 and -1, stay."""
        return int(side) if side <= 0 else max(1, round(side * factor / self.divisor)) * self.divisor

    def size(self, size: Sequence[float]) -> Size:
        """Scale (width, height); one that lies the other way than the config's, as mmdet writes some, stays so."""
        known, wanted = self.known, self.wanted
        if (size[0] - size[1]) * (known[0] - known[1]) < 0:
            known, wanted = known[::-1], wanted[::-1]
        return self.side(size[0], wanted[0] / known[0]), self.side(size[1], wanted[1] / known[1])

    def sizes(self, value: Any) -> Any:
        """Scale one size, a side of a square, or several sizes."""
        if isinstance(value, (int, float)):
            return self.size((value, value))
        return type(value)(map(self.sizes, value)) if isinstance(value[0], (tuple, list)) else self.size(value)

    def turned(self, size: Sequence[float]) -> Size:
        """Scale (height, width)."""
        return self.size(size[::-1])[::-1]

    def border(self, border: Sequence[float]) -> Tuple[float, ...]:
        """Scale what is cut off a mosaic: half of the picture, on each side and negative."""
        signs = [-1 if side < 0 else 1 for side in border]
        return tuple(sign * side // 2 for sign, side in zip(signs, self.size([2 * abs(side) for side in border])))

    def heights(self, heights: Sequence[float]) -> Tuple[int, ...]:
        """Scale the least and the largest height of a batch."""
        return tuple(self.side(height, self.wanted[1] / self.known[1]) for height in heights)

    def longest(self, sides: Sequence[float]) -> Tuple[int, ...]:
        """Scale sides that are for either direction."""
        return tuple(max(1, round(side * max(self.wanted) / max(self.known))) for side in sides)


_SIZED: Mapping[str, Mapping[str, Callable[[_Scaling, Any], Any]]] = {
    **dict.fromkeys(('Resize', 'FixScaleResize', 'RandomResize'), {'scale': _Scaling.sizes}),
    'RandomChoiceResize': {'scales': _Scaling.sizes},
    **dict.fromkeys(('Mosaic', 'CachedMosaic', 'MixUp', 'CachedMixUp'), {'img_scale': _Scaling.sizes}),
    'RandomAffine': {'border': _Scaling.border},
    'RandomCrop': {'crop_size': _Scaling.sizes},
    'Pad': {'size': _Scaling.sizes},
    'BatchSyncRandomResize': {'random_size_range': _Scaling.heights},
    'BatchFixedSizePad': {'size': _Scaling.turned},
    'BatchResize': {'scale': _Scaling.sizes},
}
# Crops whose numbers are shares of the image, or bounds for both sides.
_CROPS: Mapping[str, Dict[str, Callable[[_Scaling, Any], Any]]] = {
    'relative': {},
    'relative_range': {},
    'absolute_range': {'crop_size': _Scaling.longest},
}


def _change(node: object, scaling: _Scaling) -> None:
    """Change every size at and below a part of a config."""
    if isinstance(node, dict):
        for key, scaled in _CROPS.get(str(node.get('crop_type')), _SIZED.get(str(node.get('type')), {})).items():
            if node.get(key) is not None:
                node[key] = scaled(scaling, node[key])
        for part in node.values():
            _change(part, scaling)
    elif isinstance(node, (list, tuple)):
        for part in node:
            _change(part, scaling)
        _pad_to_size([part for part in node if isinstance(part, dict)])


def _pad_to_size(pipeline: Sequence[ConfigDict]) -> None:
    """Pad to the size itself what was padded to a square, where the size is none."""
    size: Optional[Size] = None
    for transform in pipeline:
        if transform.get('type') == 'Resize' and isinstance(transform.get('scale'), (tuple, list)):
            size = transform['scale']
        if transform.get('type') == 'Pad' and size and size[0] != size[1] and transform.pop('pad_to_square', False):
            transform['size'] = size
