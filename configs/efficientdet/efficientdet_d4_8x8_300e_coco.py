_base_ = ['./_base_/efficientdet.py', './_base_/schedule.py']

model = dict(
    backbone=dict(arch='b4'),
    neck=dict(in_channels=[56, 160, 448], out_channels=224, stacked_layers=7),
    bbox_head=dict(in_channels=224, stacked_convs=4),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipelines.d4}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipelines.d4}}))
