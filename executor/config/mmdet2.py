"""Make a config of mmdet 2, read as data, into one of mmdet 3.

Its model, how it prepares images and the size that it tests at are its own. What only a training needs is of the base,
today's config of the same name: more than the form of a schedule and of augmentations has changed.
"""

from __future__ import annotations

import logging
from typing import Iterator, List, Mapping, Sequence, Tuple

from executor.config.allowed import OUR_DATASET
from executor.config.our_data import outer_pipeline
from executor.config.plain import ConfigDict
from executor.contract.shown import shown

logger = logging.getLogger(__name__)

_TRAINING_SIZES = ('input_size', 'size_multiplier', 'random_size_range', 'random_size_interval')  # the base has its own
_NORMALISING = ('mean', 'std', 'bgr_to_rgb', 'rgb_to_bgr', 'pad_size_divisor')
# They change nothing in a test, or make tensors of the image, or read the true boxes.
_NOT_NEEDED = (
    *('RandomFlip', 'ImageToTensor', 'ToTensor', 'ToDataContainer', 'DefaultFormatBundle', 'Collect'),
    'LoadAnnotations',
)
_META_KEYS = ('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')


def is_mmdet2(config: Mapping[str, object]) -> bool:
    """Tell whether a config is one of mmdet 2, which has its datasets in one place."""
    return 'data' in config and 'train_dataloader' not in config


def architecture_of(config: Mapping[str, object]) -> str:
    """Name the detector of a config and its parts, for a message."""
    model = config.get('model')
    parts = [model, *(model.get(key) for key in ('backbone', 'neck'))] if isinstance(model, dict) else []
    types = [shown(part['type']) for part in parts if isinstance(part, dict) and 'type' in part]
    return ', '.join(types) or 'no detector'


def as_mmdet3(old: ConfigDict, base: ConfigDict) -> ConfigDict:
    """Put what is a model's own in its config of mmdet 2 into `base`, whose values stay as they are.

    Raises:
        ValueError: its test prepares images in a way that is not known.
        ArithmeticError, AttributeError, LookupError, TypeError: it has not the form of such a config.
    """
    pipeline, normalising = _preparation(old)
    before = {key: value for key, value in base['model']['data_preprocessor'].items() if key not in _NORMALISING}
    model = {key: value for key, value in old['model'].items() if key not in ('pretrained', *_TRAINING_SIZES)}
    # Before 2.8 they stood beside the model.
    beside = {key: old[key] for key in ('train_cfg', 'test_cfg') if key in old and key not in model}
    loader = {**base['val_dataloader'], 'dataset': {'type': OUR_DATASET, 'pipeline': pipeline}}
    return {
        **base,
        'model': {**model, **beside, 'data_preprocessor': {**before, **normalising}},
        'val_dataloader': loader,
        'test_dataloader': loader,
    }


def _preparation(old: ConfigDict) -> Tuple[List[ConfigDict], ConfigDict]:
    """Part the transforms of a test into those of mmdet 3 and what its data preprocessor does."""
    data = old['data']
    pipeline: List[ConfigDict] = []
    normalising: ConfigDict = {}
    for transform in _transforms(outer_pipeline(data.get('test') or data['val'])):
        kind = transform['type']
        if kind == 'Normalize':
            normalising.update(mean=transform['mean'], std=transform['std'], bgr_to_rgb=transform.get('to_rgb', True))
        elif kind == 'Pad' and set(transform) == {'type', 'size_divisor'}:
            normalising['pad_size_divisor'] = transform['size_divisor']
        elif kind == 'Pad':
            pipeline.append({**_padding(normalising), **transform})
        elif kind == 'Resize':
            scale = {'scale': transform['img_scale'], 'keep_ratio': transform.get('keep_ratio', True)}
            pipeline.append({**{key: value for key, value in transform.items() if key != 'img_scale'}, **scale})
        elif kind == 'LoadImageFromFile':
            pipeline.append(transform)
        elif kind not in _NOT_NEEDED:
            raise ValueError(f'its test has a transform {shown(kind)}')
    packed = {'type': 'PackDetInputs', 'meta_keys': _META_KEYS}
    return [*pipeline, {'type': 'LoadAnnotations', 'with_bbox': True}, packed], normalising


def _transforms(pipeline: Sequence[ConfigDict]) -> Iterator[ConfigDict]:
    """List the transforms of a test one after the other, each with the size that it is told."""
    for transform in pipeline:
        if transform['type'] != 'MultiScaleFlipAug':
            yield transform
            continue
        scale = transform['img_scale']
        if isinstance(scale, list) or transform.get('flip'):
            scale = scale[0] if isinstance(scale, list) else scale
            logger.warning('the model was tested on several copies of an image: it sees one, of %s', shown(scale))
        for inner in transform['transforms']:
            yield {'img_scale': scale, **inner} if inner['type'] == 'Resize' else inner


def _padding(normalising: ConfigDict) -> ConfigDict:
    """Give the grey that becomes 0 where an image is normalised later than mmdet 2 did, before it padded."""
    if 'mean' not in normalising:
        return {}
    mean = [int(round(value)) for value in normalising['mean']]
    return {'pad_val': {'img': tuple(mean[::-1] if normalising['bgr_to_rgb'] else mean)}}
