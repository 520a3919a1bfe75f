_base_ = ['./_base_/efficientdet.py', './_base_/schedule.py']

model = dict(
    backbone=dict(arch='b2'),
    neck=dict(in_channels=[48, 120, 352], out_channels=112, stacked_layers=5),
    bbox_head=dict(in_channels=112, stacked_convs=3),
)
train_dataloader = dict(dataset=dict(pipeline={{_base_.train_pipelines.d2}}))
val_dataloader = dict(dataset=dict(pipeline={{_base_.test_pipelines.d2}}))
