_base_ = ['./_base_/yolov5_640.py', './_base_/schedule.py']

model = dict(
    backbone=dict(channels=[80, 160, 320, 640, 1280], blocks=[4, 8, 12, 4]),
    neck=dict(in_channels=[320, 640, 1280], num_csp_blocks=4),
    bbox_head=dict(in_channels=[320, 640, 1280]),
)
