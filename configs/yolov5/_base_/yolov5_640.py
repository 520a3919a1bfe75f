"""Images of 640 x 640 with mosaic. The task fills in index, classes and batch size."""

_base_ = './model.py'

train_size = (640, 640)  # width, height
test_size = (640, 640)
grey = 114.0
grey_pad = dict(img=(grey, grey, grey))

train_pipeline = [
    dict(type='Mosaic', img_scale=train_size, pad_val=grey),
    dict(
        type='RandomAffine',
        max_rotate_degree=0.0,
        max_translate_ratio=0.1,
        scaling_ratio_range=(0.5, 1.5),
        max_shear_degree=0.0,
        border=(-train_size[0] // 2, -train_size[1] // 2),
        border_val=(grey, grey, grey),
    ),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
    dict(type='FilterAnnotations', min_gt_bbox_wh=(2, 2), keep_empty=False),
    dict(type='PackDetInputs'),
]

test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=test_size, keep_ratio=True),
    dict(type='Pad', size_divisor=32, pad_val=grey_pad),
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
