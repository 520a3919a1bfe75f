_base_ = ['./_base_/efficientdet.py', './_base_/schedule.py']

model = dict(
    backbone=dict(arch='b0'),
    neck=dict(in_channels=[40, 112, 320], out_channels=64, stacked_layers=3),
    bbox_head=dict(in_channels=64, stacked_convs=3),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipelines.d0}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipelines.d0}}))
