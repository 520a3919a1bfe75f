_base_ = ['./_base_/yolov5_640.py', './_base_/schedule.py']

model = dict(
    backbone=dict(channels=[64, 128, 256, 512, 1024], blocks=[3, 6, 9, 3]),
    neck=dict(in_channels=[256, 512, 1024], num_csp_blocks=3),
    bbox_head=dict(in_channels=[256, 512, 1024]),
)
