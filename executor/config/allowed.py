"""List what a config may hold: the keys of each place, the types that a part of it may have, and the form of values.

mmengine takes a `type` for something to import, mmcv and mmdet evaluate a few words of a config as Python, and many of
their parts open files that a config names. So whatever comes from outside is held to this list; what is not on it, is
refused.
"""

from __future__ import annotations

import functools
from typing import FrozenSet, Iterator, Mapping

from executor.config.places import (
    Place,
    Refused,
    file,
    is_one_of,
    keys,
    layers,
    many,
    nested,
    one_of,
    part,
    plain,
    scope,
    section,
    types,
)
from executor.models.families import model_part_names


def refused_parts(config: Mapping[str, object]) -> Iterator[Refused]:
    """Find every part of a config that is not allowed."""
    return _CONFIG('', dict(config.items()))  # mmengine's Config is no mapping


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
        yield from nested(inner, key, value, 'a number, true, false, None or a word')
        return
    others = dict(value)
    kind = others.pop('type', None)
    yield from scope(f'{key}._scope_', others.pop('_scope_', None))
    if key.rpartition('.')[2].startswith('nms'):
        if not (kind is None or is_one_of(kind, _NMS)):
            yield Refused(f'{key}.type', kind, f'one of {", ".join(_NMS)}')
    elif not (kind is None or isinstance(kind, type) or is_one_of(kind, names.union(_OWN_WORDS, _NMS))):
        yield Refused(f'{key}.type', kind, 'a layer, a loss or a helper of mmdet’s detectors')
    yield from file(f'{key}.pretrained', others.pop('pretrained', None))
    if is_one_of(kind, ('Pretrained',)) or (kind is None and key.endswith('.init_cfg')):
        yield from file(f'{key}.checkpoint', others.pop('checkpoint', None))
        yield from layers(f'{key}.prefix', others.pop('prefix', None))
    yield from nested(inner, key, others, '')


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
    yield from many(part(_TRANSFORMS))(key, value)


_TRANSFORMS: Mapping[str, Place] = types(
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
    resize_type=one_of(*_RESIZES),
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
    yield from many(part(types(table, dataset=_dataset, datasets=_dataset, pipeline=_pipeline)))(key, value)


LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
_LOADER = section(
    {
        **keys('batch_size num_workers persistent_workers pin_memory drop_last'),
        **keys('prefetch_factor timeout num_batch_per_epoch'),
        'sampler': part(
            types(
                {
                    'DefaultSampler': 'shuffle seed round_up',
                    'InfiniteSampler': 'shuffle seed',
                    'ClassAwareSampler': 'num_sample_class seed',
                }
            )
        ),
        'batch_sampler': part(types({'AspectRatioBatchSampler': 'drop_last'})),
        'collate_fn': part(types({'pseudo_collate': '', 'default_collate': ''})),
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

HOOKS = types(
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
    ema_type=one_of(*_AVERAGES),
    switch_pipeline=_pipeline,
)

_SCHEDULE: Mapping[str, Place] = {
    'train_cfg': section({'type': one_of('EpochBasedTrainLoop', 'IterBasedTrainLoop'), **keys(_LOOP)}),
    'param_scheduler': many(part(dict.fromkeys(_CURVES, plain))),
    'custom_hooks': many(part(HOOKS)),
    'optim_wrapper': part(
        types(
            {'OptimWrapper': _WRAPPER, 'AmpOptimWrapper': f'{_WRAPPER} loss_scale dtype'},
            optimizer=part(dict.fromkeys(_OPTIMIZERS, plain)),
            clip_grad=section(keys(_CLIPPING, type=one_of('norm', 'value'))),
            constructor=one_of('DefaultOptimWrapperConstructor', 'LearningRateDecayOptimizerConstructor'),
        )
    ),
    'auto_scale_lr': section(keys('base_batch_size enable')),
    'fine_tuning': section(keys('learning_rate_power closing_share')),
}

# --- the whole ------------------------------------------------------------------------------------------------------

# What a model package may hold; the rest of its config is dropped unseen.
PACKAGE: Mapping[str, Place] = {
    'model': _model,
    'find_unused_parameters': plain,
    **dict.fromkeys(LOADERS, _LOADER),
    **_SCHEDULE,
    'published_schedule': section(_SCHEDULE),
}

# What the user's options may name beside that.
OPTIONS: Mapping[str, Place] = {
    **PACKAGE,
    'load_from': file,
    'val_cfg': part(types({'ValLoop': 'fp16'})),
    'test_cfg': part(types({'TestLoop': 'fp16'})),
    'activation_checkpointing': layers,
    'efficient_conv_bn_eval': layers,
    'sync_bn': plain,
    'randomness': section(keys('seed deterministic diff_rank_seed')),
    'default_hooks': section({'logger': part(types({'LoggerHook': 'interval ignore_last log_metric_by_epoch'}))}),
    'env_cfg': section(
        {
            'cudnn_benchmark': plain,
            'mp_cfg': section(keys('mp_start_method opencv_num_threads')),
            'dist_cfg': section({'backend': plain}),
        }
    ),
    'log_processor': part(types({'LogProcessor': 'window_size by_epoch num_digits'})),
    'model_wrapper_cfg': part(
        types(
            {
                'MMDistributedDataParallel': 'find_unused_parameters broadcast_buffers static_graph bucket_cap_mb '
                'gradient_as_bucket_view detect_anomalous_params device_ids'
            }
        )
    ),
}

_CONFIG = section(OPTIONS)
