"""Images of 640 x 640 with mosaic and mixup: s, m, l and x. The task fills in index, classes and batch size."""

_base_ = './model.py'

train_size = (640, 640)  # width, height
test_size = (640, 640)
grey = 114.0
grey_pad = dict(img=(grey, grey, grey))

train_pipeline = [
    dict(type='Mosaic', img_scale=train_size, pad_val=grey),
    dict(type='RandomAffine', scaling_ratio_range=(0.1, 2), border=(-train_size[0] // 2, -train_size[1] // 2)),
    dict(type='MixUp', img_scale=train_size, ratio_range=(0.8, 1.6), pad_val=grey),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    # For the closing epochs, when mosaic, affine and mixup are switched off.
    dict(type='Resize', scale=train_size, keep_ratio=True),
    dict(type='Pad', pad_to_square=True, pad_val=grey_pad),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
    dict(type='PackDetInputs'),
]

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=test_size, keep_ratio=True),
    dict(type='Pad', pad_to_square=True, pad_val=grey_pad),
    dict(type='LoadAnnotations', with_bbox=True),
    dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
]

train_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(
            type='YmirDataset', pipeline=[dict(type='LoadImageFromFile'), dict(type='LoadAnnotations', with_bbox=True)]
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='YmirDataset', test_mode=True, pipeline=test_pipeline),
)
