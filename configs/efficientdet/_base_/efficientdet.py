"""Images of one size, with the authors' jitter of scale. The task fills in index, classes and batch size."""

_base_ = './model.py'

sides = dict(d0=512, d1=640, d2=768, d3=896, d4=1024)
mean_pad = dict(img=(104, 116, 124))  # the mean colour, BGR

train_pipelines = {
    size: [
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='RandomResize', scale=(side, side), ratio_range=(0.1, 2.0), keep_ratio=True),
        dict(type='RandomCrop', crop_size=(side, side), allow_negative_crop=True),
        dict(type='RandomFlip', prob=0.5),
        dict(type='Pad', size=(side, side), pad_val=mean_pad),
        dict(type='FilterAnnotations', min_gt_bbox_wh=(1, 1), keep_empty=False),
        dict(type='PackDetInputs'),
    ]
    for size, side in sides.items()
}

test_pipelines = {
    size: [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(side, side), keep_ratio=True),
        dict(type='Pad', pad_to_square=True, pad_val=mean_pad),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackDetInputs', meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor')),
    ]
    for size, side in sides.items()
}

train_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=True), dataset=dict(type='YmirDataset', pipeline=train_pipelines['d0'])
)
val_dataloader = dict(
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(type='YmirDataset', test_mode=True, pipeline=test_pipelines['d0']),
)
