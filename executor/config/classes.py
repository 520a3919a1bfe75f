"""Set the number of classes in a detector's config."""

from __future__ import annotations

from typing import List, Sequence, Tuple, Union

from mmengine.config import Config

from executor.config.plain import ConfigDict
from executor.contract.errors import ParameterError

NO_MASKS = 'config_file names a detector that learns masks, but YMIR exports boxes: choose one for boxes'


def set_classes(config: Config, class_names: Sequence[str]) -> None:
    """Set the number of classes of every box head: `bbox_head`, `roi_head.bbox_head` (one or a cascade).

    The predecessor overwrote every key called num_classes, at any depth. A detector that has none of the known heads
    is an error rather than a model of 80 classes.
    """
    model = config['model']
    detector = model.get('detector', model)  # semi-supervised wrappers hold one
    roi_head = detector.get('roi_head') or {}
    if 'mask_head' in roi_head or 'mask_head' in detector or 'panoptic_head' in detector:
        raise ParameterError('config_file', NO_MASKS)
    heads = _as_heads(detector.get('bbox_head')) + _as_heads(roi_head.get('bbox_head'))
    heads = [head for head in heads if 'num_classes' in head]
    if not heads:
        raise ParameterError(
            'config_file',
            f'the detector of config_file ({model.get("type")}) has no bbox_head or roi_head.bbox_head with '
            'num_classes: choose another detector',
        )
    for head in heads:
        head['num_classes'] = len(class_names)
        for loss in head.values():
            if isinstance(loss, dict) and 'num_classes' in loss:
                loss['num_classes'] = len(class_names)


def _as_heads(value: Union[None, ConfigDict, List[ConfigDict], Tuple[ConfigDict, ...]]) -> List[ConfigDict]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
