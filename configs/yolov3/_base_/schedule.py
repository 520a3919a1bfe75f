"""mmdet's schedule: 273 epochs, SGD, learning rate 0.001 for a total batch of 64. The task scales it to its run."""

default_scope = 'mmdet'

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=273, val_interval=7)
val_cfg = dict(type='ValLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=35, norm_type=2),
)
auto_scale_lr = dict(base_batch_size=64)

param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=False, begin=0, end=2000),  # iterations
    dict(type='MultiStepLR', by_epoch=True, milestones=[218, 246], gamma=0.1),
]
