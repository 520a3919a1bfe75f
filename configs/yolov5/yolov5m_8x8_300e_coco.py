_base_ = ['./_base_/yolov5_640.py', './_base_/schedule.py']

model = dict(
    backbone=dict(channels=[48, 96, 192, 384, 768], blocks=[2, 4, 6, 2]),
    neck=dict(in_channels=[192, 384, 768], num_csp_blocks=2),
    bbox_head=dict(in_channels=[192, 384, 768]),
)
