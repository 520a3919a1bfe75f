"""YOLOX on the backbone of YOLOv3, as Megvii trains it to compare the two."""

_base_ = ['./_base_/yolox_640.py', './_base_/schedule.py']

norm_cfg = dict(type='BN', momentum=0.03, eps=0.001)
act_cfg = dict(type='LeakyReLU', negative_slope=0.1)

model = dict(
    backbone=dict(
        _delete_=True,
        type='Darknet',
        depth=53,
        out_indices=(3, 4, 5),
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
        norm_eval=False,
    ),
    neck=dict(
        _delete_=True,
        type='YOLOXDarknetNeck',
        num_scales=3,
        in_channels=[1024, 512, 256],
        out_channels=[512, 256, 128],
        head_channels=256,
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
    ),
    bbox_head=dict(in_channels=256, feat_channels=256, act_cfg=act_cfg),
)
