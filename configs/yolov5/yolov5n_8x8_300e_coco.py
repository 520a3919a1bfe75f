_base_ = ['./_base_/yolov5_640.py', './_base_/schedule.py']

model = dict(
    backbone=dict(channels=[16, 32, 64, 128, 256], blocks=[1, 2, 3, 1]),
    neck=dict(in_channels=[64, 128, 256], num_csp_blocks=1),
    bbox_head=dict(in_channels=[64, 128, 256]),
)
