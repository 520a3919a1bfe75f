_base_ = ['./_base_/efficientdet.py', './_base_/schedule.py']

model = dict(
    backbone=dict(arch='b1'),
    neck=dict(in_channels=[40, 112, 320], out_channels=88, stacked_layers=4),
    bbox_head=dict(in_channels=88, stacked_convs=3),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipelines.d1}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipelines.d1}}))
