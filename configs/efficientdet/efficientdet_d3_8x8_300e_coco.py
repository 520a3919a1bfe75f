_base_ = ['./_base_/efficientdet.py', './_base_/schedule.py']

model = dict(
    backbone=dict(arch='b3'),
    neck=dict(in_channels=[48, 136, 384], out_channels=160, stacked_layers=6),
    bbox_head=dict(in_channels=160, stacked_convs=4),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipelines.d3}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipelines.d3}}))
