"""List what a config may hold: the keys of each place, the types that a part of it may have, and the form of values.

mmengine takes a `type` for something to import, mmcv and mmdet evaluate a few words of a config as Python, and many of
their parts open files that a config names. So whatever comes from outside is held to this list; what is not on it, is
refused. A value is a number, true, false, None or a word: never a path, an address or an expression.
"""

from __future__ import annotations

import functools
import re
from typing import Callable, Container, Dict, FrozenSet, Iterator, Mapping, MutableMapping, NamedTuple

from executor.config.plain import ConfigDict
from executor.models.families import model_part_names

SCOPES = ('mmdet', 'mmengine', 'mmcv')  # that may stand before the name of a type, as in `mmdet.Resize`


class Refused(NamedTuple):
    """A part of a config that is not allowed, and what would be."""

    key: str  # dotted
    value: object
    wanted: str  # completes the sentence "<key> must be ..."


Place = Callable[[str, object], Iterator[Refused]]  # finds what is refused of the value of a key


def refused_parts(config: Mapping[str, object]) -> Iterator[Refused]:
    """Find every part of a config that is not allowed."""
    return _CONFIG('', dict(config.items()))  # mmengine's Config is no mapping


# --- the form of values ---------------------------------------------------------------------------------------------

# A dot stands between digits only (`regnetx_1.6gf`): a word names no file with an extension, and nothing to import.
_WORD = re.compile(r'(?:[\w -]|(?<=\d)\.(?=\d))*')
_NAME = re.compile(r'[\w.]+')  # of a key, or of a layer, such as `backbone.layer1`


def _plain(key: str, value: object) -> Iterator[Refused]:
    """Allow numbers, true, false, None and words, nested in lists and dicts; no types."""
    yield from _nested(_plain, key, value, 'a number, true, false, None or a word')


def _nested(inner: Place, key: str, value: object, wanted: str) -> Iterator[Refused]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name) or name in ('type', '_scope_'):
                yield Refused(f'{key}.{name}', item, 'left out')
            else:
                yield from inner(f'{key}.{name}', item)
    elif isinstance(value, (list, tuple)):
        for number, item in enumerate(value):
            yield from inner(f'{key}.{number}', item)
    elif not (value is None or isinstance(value, (bool, int, float)) or _is(value, _WORD)):
        yield Refused(key, value, wanted)


def _is(value: object, form: re.Pattern[str]) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _layers(key: str, value: object) -> Iterator[Refused]:
    """Allow the name of a layer, or a list of some."""
    names = value if isinstance(value, (list, tuple)) else [value]
    if not all(name is None or _is(name, _NAME) for name in names):
        yield Refused(key, value, 'names of layers')


def _file(key: str, value: object) -> Iterator[Refused]:
    """Allow text that names weights, which are read as data."""
    if not (value is None or isinstance(value, str)):
        yield Refused(key, value, 'the name of a file')


def _scope(key: str, value: object) -> Iterator[Refused]:
    if not (value is None or (isinstance(value, str) and value in SCOPES)):
        yield Refused(key, value, f'one of {", ".join(SCOPES)}')


def _one_of(*words: str) -> Place:
    def place(key: str, value: object) -> Iterator[Refused]:
        if not (isinstance(value, type) or _is_one_of(value, words)):
            yield Refused(key, value, f'one of {", ".join(words)}')

    return place


def _is_one_of(name: object, words: Container[str]) -> bool:
    return isinstance(name, str) and _unscoped(name) in words


def _unscoped(name: str) -> str:
    """Take the scope off the name of a type, where it is one that is known."""
    scope, dot, last = name.rpartition('.')
    return last if not dot or scope in SCOPES else name


# --- places ---------------------------------------------------------------------------------------------------------


def _section(places: Mapping[str, Place]) -> Place:
    """Make the place of a dict that has these keys and no others."""

    def place(key: str, value: object) -> Iterator[Refused]:
        if not isinstance(value, Mapping):
            if value is not None:
                yield Refused(key, value, 'a dict')
            return
        for name, item in value.items():
            inner = places.get(name)
            full = f'{key}.{name}' if key else str(name)
            if inner is None:
                yield Refused(full, item, f'one of the keys {", ".join(places)}')
            else:
                yield from inner(full, item)

    return place


def _part(types: Mapping[str, Place]) -> Place:
    """Make the place of a dict whose `type` is one of these, which have each a place for its other keys."""

    def place(key: str, value: object) -> Iterator[Refused]:
        if value is None:
            return
        if not isinstance(value, Mapping):
            yield Refused(key, value, 'a dict with a type')
            return
        kind = value.get('type')
        name = kind.__name__ if isinstance(kind, type) else _unscoped(str(kind))  # a class: our own configs import it
        others = {other: item for other, item in value.items() if other not in ('type', '_scope_')}
        inner = types.get(name)
        if '_scope_' in value:
            yield from _scope(f'{key}._scope_', value['_scope_'])
        if inner is not None:
            yield from inner(key, others)
            return
        yield Refused(f'{key}.type', kind, f'one of {", ".join(types)}')
        for other, item in others.items():
            yield Refused(f'{key}.{other}', item, 'of a type that is allowed')

    return place


def _many(inner: Place) -> Place:
    """Make the place of one thing, or of lists of such."""

    def place(key: str, value: object) -> Iterator[Refused]:
        if not isinstance(value, (list, tuple)):
            yield from inner(key, value)
            return
        for number, item in enumerate(value):
            yield from place(f'{key}.{number}', item)

    return place


def _types(table: Mapping[str, str], **places: Place) -> Dict[str, Place]:
    """Make a place for each type of a table from its keys; they are plain but for those that have a place here."""
    return {name: _section(_keys(words, **places)) for name, words in table.items()}


def _keys(words: str, **places: Place) -> Dict[str, Place]:
    return {key: places.get(key, _plain) for key in words.split()}


# --- the model ------------------------------------------------------------------------------------------------------

_NMS = ('nms', 'soft_nms', 'nms_match')  # mmcv evaluates this word, which no registry has
# Types that mmdet's layers look up themselves.
_OWN_WORDS = (
    *('RoIAlign', 'RoIPool', 'DeformRoIPoolPack', 'ModulatedDeformRoIPoolPack'),
    *('dilation', 'offset', 'conv', 'interpolation_conv', 'last_conv'),
)


def _model(key: str, value: object) -> Iterator[Refused]:
    """Allow layers, losses and their helpers in each other, with plain values. What else they take, they check."""
    yield from _model_part(model_part_names(), key, value)


def _model_part(names: FrozenSet[str], key: str, value: object) -> Iterator[Refused]:
    inner = functools.partial(_model_part, names)
    if not isinstance(value, Mapping):
        yield from _nested(inner, key, value, 'a number, true, false, None or a word')
        return
    others = dict(value)
    kind = others.pop('type', None)
    yield from _scope(f'{key}._scope_', others.pop('_scope_', None))
    if key.rpartition('.')[2].startswith('nms'):
        if not (kind is None or _is_one_of(kind, _NMS)):
            yield Refused(f'{key}.type', kind, f'one of {", ".join(_NMS)}')
    elif not (kind is None or isinstance(kind, type) or _is_one_of(kind, names.union(_OWN_WORDS, _NMS))):
        yield Refused(f'{key}.type', kind, 'a layer, a loss or a helper of mmdet’s detectors')
    yield from _file(f'{key}.pretrained', others.pop('pretrained', None))
    if _is_one_of(kind, ('Pretrained',)) or (kind is None and key.endswith('.init_cfg')):
        yield from _file(f'{key}.checkpoint', others.pop('checkpoint', None))
        yield from _layers(f'{key}.prefix', others.pop('prefix', None))
    yield from _nested(inner, key, others, '')


# --- data -----------------------------------------------------------------------------------------------------------

_LEVEL = 'prob level min_mag max_mag'
_MOVE = f'{_LEVEL} reversal_prob img_border_value mask_border_value seg_ignore_label interpolation'
_RESIZE = 'scale scale_factor keep_ratio clip_object_border backend interpolation'
_FLIP = 'prob direction'
_MOSAIC = 'img_scale center_ratio_range bbox_clip_border pad_val prob'
_MIXUP = 'img_scale ratio_range flip_ratio pad_val max_iters bbox_clip_border'
_CACHE = 'max_cached_images random_pop prob'
_RESIZES = ('Resize', 'FixScaleResize', 'ResizeShortestEdge')


def _pipeline(key: str, value: object) -> Iterator[Refused]:
    """Allow transforms, some of which hold others."""
    yield from _many(_part(_TRANSFORMS))(key, value)


_TRANSFORMS: Mapping[str, Place] = _types(
    {
        'LoadImageFromFile': 'to_float32 color_type',
        'LoadAnnotations': 'with_bbox with_label with_mask with_seg poly2mask box_type',
        'LoadEmptyAnnotations': 'with_bbox with_label',
        'PackDetInputs': 'meta_keys',
        'Compose': 'transforms',
        'RandomApply': 'transforms prob',
        'RandomChoice': 'transforms prob',
        'RandomOrder': 'transforms',
        'AutoAugment': 'policies prob',
        'RandAugment': 'aug_space aug_num prob',
        'Resize': _RESIZE,
        'FixScaleResize': _RESIZE,
        'FixShapeResize': 'width height pad_val keep_ratio clip_object_border backend interpolation',
        'ResizeShortestEdge': f'scale max_size resize_type {_RESIZE}',
        'RandomResize': f'scale ratio_range resize_type {_RESIZE}',
        'RandomChoiceResize': f'scales resize_type {_RESIZE}',
        'Pad': 'size size_divisor pad_to_square pad_val padding_mode',
        'Normalize': 'mean std to_rgb',
        'RandomFlip': f'{_FLIP} swap_seg_labels',
        'RandomFlip_GLIP': _FLIP,
        'CenterCrop': 'crop_size auto_pad pad_cfg clip_object_border',
        'RandomCrop': 'crop_size crop_type allow_negative_crop recompute_bbox bbox_clip_border',
        'MinIoURandomCrop': 'min_ious min_crop_size bbox_clip_border',
        'RandomCenterCropPad': 'crop_size ratios border mean std to_rgb test_mode test_pad_mode test_pad_add_pix '
        'bbox_clip_border',
        'Expand': 'mean to_rgb ratio_range seg_ignore_label prob',
        'RandomShift': 'prob max_shift_px filter_thr_px',
        'RandomAffine': 'max_rotate_degree max_translate_ratio scaling_ratio_range max_shear_degree border border_val '
        'bbox_clip_border',
        'RandomErasing': 'n_patches ratio squared bbox_erased_thr img_border_value',
        'CutOut': 'n_holes cutout_shape cutout_ratio fill_in',
        'Mosaic': _MOSAIC,
        'CachedMosaic': f'{_MOSAIC} {_CACHE}',
        'MixUp': _MIXUP,
        'CachedMixUp': f'{_MIXUP} {_CACHE}',
        'FilterAnnotations': 'min_gt_bbox_wh min_gt_mask_area by_box by_mask keep_empty',
        'YOLOXHSVRandomAug': 'hue_delta saturation_delta value_delta',
        'PhotoMetricDistortion': 'brightness_delta contrast_range saturation_range hue_delta swap_channels',
        'RandomGrayscale': 'prob keep_channels channel_weights color_format',
        **dict.fromkeys(('AutoContrast', 'Brightness', 'Color', 'ColorTransform', 'Contrast', 'Equalize'), _LEVEL),
        **dict.fromkeys(('Invert', 'Posterize', 'Sharpness', 'Solarize', 'SolarizeAdd'), _LEVEL),
        **dict.fromkeys(('GeomTransform', 'Rotate', 'ShearX', 'ShearY', 'TranslateX', 'TranslateY'), _MOVE),
    },
    transforms=_pipeline,
    policies=_pipeline,
    aug_space=_pipeline,
    pad_cfg=_pipeline,
    resize_type=_one_of(*_RESIZES),
)

# Beside the four wrappers, the dataset is always ours; `executor/training/data.py` says which files it reads.
OUR_DATASET = 'YmirDataset'
WRAPPERS = {
    'ClassBalancedDataset': 'dataset oversample_thr filter_empty_gt',
    'ConcatDataset': 'datasets',
    'MultiImageMixDataset': 'dataset pipeline skip_type_keys max_refetch',
    'RepeatDataset': 'dataset times',
}


def _dataset(key: str, value: object) -> Iterator[Refused]:
    table = {**WRAPPERS, OUR_DATASET: 'pipeline'}
    yield from _many(_part(_types(table, dataset=_dataset, datasets=_dataset, pipeline=_pipeline)))(key, value)


LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_LOADER = _section(
    {
        **_keys('batch_size num_workers persistent_workers pin_memory drop_last'),
        **_keys('prefetch_factor timeout num_batch_per_epoch'),
        'sampler': _part(
            _types(
                {
                    'DefaultSampler': 'shuffle seed round_up',
                    'InfiniteSampler': 'shuffle seed',
                    'ClassAwareSampler': 'num_sample_class seed',
                }
            )
        ),
        'batch_sampler': _part(_types({'AspectRatioBatchSampler': 'drop_last'})),
        'collate_fn': _part(_types({'pseudo_collate': '', 'default_collate': ''})),
        'dataset': _dataset,
    }
)

# --- the schedule ---------------------------------------------------------------------------------------------------

_CURVES = (
    *('ConstantLR', 'CosineAnnealingLR', 'CosineRestartLR', 'ExponentialLR', 'LinearLR', 'MultiStepLR', 'OneCycleLR'),
    *('PolyLR', 'StepLR', 'QuadraticWarmupLR', 'ConstantMomentum', 'CosineAnnealingMomentum', 'LinearMomentum'),
    *('MultiStepMomentum', 'PolyMomentum', 'StepMomentum', 'QuadraticWarmupMomentum'),
)
_OPTIMIZERS = ('SGD', 'Adam', 'AdamW', 'Adamax', 'Adadelta', 'Adagrad', 'ASGD', 'NAdam', 'RAdam', 'RMSprop', 'Rprop')
_WRAPPER = 'optimizer constructor paramwise_cfg clip_grad accumulative_counts'
_CLIPPING = 'type max_norm norm_type error_if_nonfinite foreach clip_value'
_AVERAGES = ('ExponentialMovingAverage', 'ExpMomentumEMA', 'MomentumAnnealingEMA', 'StochasticWeightAverage')
_LOOP = 'by_epoch max_epochs max_iters val_interval val_begin dynamic_intervals'

HOOKS = _types(
    {
        'CheckInvalidLossHook': 'interval priority',
        'EMAHook': 'ema_type momentum gamma interval update_buffers strict_load begin_iter begin_epoch priority',
        'EmptyCacheHook': 'before_epoch after_epoch after_iter priority',
        'MeanTeacherHook': 'momentum interval skip_buffer priority',
        'MemoryProfilerHook': 'interval priority',
        'NumClassCheckHook': 'priority',
        'PipelineSwitchHook': 'switch_epoch switch_pipeline priority',
        'SetEpochInfoHook': 'priority',
        'SyncBuffersHook': 'priority',
        'SyncNormHook': 'priority',
        'YOLOXModeSwitchHook': 'num_last_epochs skip_type_keys priority',
    },
    ema_type=_one_of(*_AVERAGES),
    switch_pipeline=_pipeline,
)

_SCHEDULE: Mapping[str, Place] = {
    'train_cfg': _section({'type': _one_of('EpochBasedTrainLoop', 'IterBasedTrainLoop'), **_keys(_LOOP)}),
    'param_scheduler': _many(_part(dict.fromkeys(_CURVES, _plain))),
    'custom_hooks': _many(_part(HOOKS)),
    'optim_wrapper': _part(
        _types(
            {'OptimWrapper': _WRAPPER, 'AmpOptimWrapper': f'{_WRAPPER} loss_scale dtype'},
            optimizer=_part(dict.fromkeys(_OPTIMIZERS, _plain)),
            clip_grad=_section(_keys(_CLIPPING, type=_one_of('norm', 'value'))),
            constructor=_one_of('DefaultOptimWrapperConstructor', 'LearningRateDecayOptimizerConstructor'),
        )
    ),
    'auto_scale_lr': _section(_keys('base_batch_size enable')),
}

# --- the whole ------------------------------------------------------------------------------------------------------

# What a model package may hold; the rest of its config is dropped unseen.
PACKAGE: Mapping[str, Place] = {
    'model': _model,
    'find_unused_parameters': _plain,
    **dict.fromkeys(LOADERS, _LOADER),
    **_SCHEDULE,
    'published_schedule': _section(_SCHEDULE),
}

# What the user's options may name beside that.
OPTIONS: Mapping[str, Place] = {
    **PACKAGE,
    'load_from': _file,
    'val_cfg': _part(_types({'ValLoop': 'fp16'})),
    'test_cfg': _part(_types({'TestLoop': 'fp16'})),
    'activation_checkpointing': _layers,
    'efficient_conv_bn_eval': _layers,
    'sync_bn': _plain,
    'randomness': _section(_keys('seed deterministic diff_rank_seed')),
    'default_hooks': _section({'logger': _part(_types({'LoggerHook': 'interval ignore_last log_metric_by_epoch'}))}),
    'env_cfg': _section(
        {
            'cudnn_benchmark': _plain,
            'mp_cfg': _section(_keys('mp_start_method opencv_num_threads')),
            'dist_cfg': _section({'backend': _plain}),
        }
    ),
    'log_processor': _part(_types({'LogProcessor': 'window_size by_epoch num_digits'})),
    'model_wrapper_cfg': _part(
        _types(
            {
                'MMDistributedDataParallel': 'find_unused_parameters broadcast_buffers static_graph bucket_cap_mb '
                'gradient_as_bucket_view detect_anomalous_params device_ids'
            }
        )
    ),
}

_CONFIG = _section(OPTIONS)


# --- data of others -------------------------------------------------------------------------------------------------

_HOW_FILES_ARE_READ = ('backend_args', 'file_client_args', 'imdecode_backend', 'ignore_empty')


def kept_of_package(config: Mapping[str, object]) -> ConfigDict:
    """Keep of a package's config what a training or a detection takes from one.

    The weights of a backbone are named without a folder: they are looked for in the image alone.
    """
    kept = {key: config[key] for key in PACKAGE if key in config}
    return {key: _without_folders(value) if key == 'model' else value for key, value in kept.items()}


def _without_folders(value: object) -> object:
    if isinstance(value, dict):
        named = {key: None if key == 'pretrained' else _without_folders(item) for key, item in value.items()}
        checkpoint = named.get('checkpoint')
        return {**named, 'checkpoint': checkpoint.rpartition('/')[2]} if isinstance(checkpoint, str) else named
    return type(value)(map(_without_folders, value)) if isinstance(value, (list, tuple)) else value


def put_our_data(config: MutableMapping[str, object]) -> None:
    """Replace the innermost dataset of each loader by ours under the same pipeline, and drop how files are read.

    Types lose their scope: what is done with a loader, a schedule or an image depends on some of their names.
    """
    for key in set(PACKAGE).difference(('model',)):
        if key in config:
            config[key] = _without_reading(config[key])
    for loader in (config[key] for key in LOADERS if key in config):
        if isinstance(loader, dict) and 'dataset' in loader:
            loader['dataset'] = _with_our_dataset(loader['dataset'])


def _without_reading(value: object) -> object:
    if isinstance(value, dict):
        read = {key: _without_reading(item) for key, item in value.items() if key not in _HOW_FILES_ARE_READ}
        kind = read.get('type')
        return {**read, 'type': _unscoped(kind)} if isinstance(kind, str) else read
    return type(value)(map(_without_reading, value)) if isinstance(value, (list, tuple)) else value


def _with_our_dataset(dataset: object) -> object:
    if not isinstance(dataset, dict):
        return dataset
    words = WRAPPERS.get(_unscoped(str(dataset.get('type'))))
    if words is None:
        return {'type': OUR_DATASET, **{key: item for key, item in dataset.items() if key == 'pipeline'}}
    wrapper = {key: item for key, item in dataset.items() if key in ('type', *words.split())}
    if 'dataset' in wrapper:
        wrapper['dataset'] = _with_our_dataset(wrapper['dataset'])
    if isinstance(wrapper.get('datasets'), (list, tuple)):
        wrapper['datasets'] = [_with_our_dataset(one) for one in wrapper['datasets'][:1]]  # an epoch is once through
    return wrapper
