"""Training at 320 to 640, testing at 416, gentler augmentation and no mixup: nano and tiny."""

_base_ = './yolox_640.py'

train_size = (640, 640)  # width, height
test_size = (416, 416)
grey = 114.0
grey_pad = dict(img=(grey, grey, grey))

model = dict(
    data_preprocessor=dict(
        batch_augments=[dict(type='BatchSyncRandomResize', random_size_range=(320, 640), size_divisor=32, interval=10)]
    )
)

train_pipeline = [
    dict(type='Mosaic', img_scale=train_size, pad_val=grey),
    dict(type='RandomAffine', scaling_ratio_range=(0.5, 1.5), border=(-train_size[0] // 2, -train_size[1] // 2)),
    dict(type='YOLOXHSVRandomAug'),
    dict(type='RandomFlip', prob=0.5),
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

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
