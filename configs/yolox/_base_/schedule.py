"""The official schedule: 300 epochs, SGD, learning rate 0.01 for a total batch of 64. The task scales it to its run."""

default_scope = 'mmdet'

max_epochs = 300
warmup_epochs = 5
closing_epochs = 15  # without mosaic, affine and mixup, with an L1 loss on boxes

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=10)
val_cfg = dict(type='ValLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4, nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
auto_scale_lr = dict(base_batch_size=64)

param_scheduler = [
    dict(type='QuadraticWarmupLR', by_epoch=True, begin=0, end=warmup_epochs, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.05,
        begin=warmup_epochs,
        T_max=max_epochs - closing_epochs,
        end=max_epochs - closing_epochs,
        by_epoch=True,
        convert_to_iter_based=True,
    ),
    dict(type='ConstantLR', by_epoch=True, factor=1, begin=max_epochs - closing_epochs, end=max_epochs),
]

custom_hooks = [
    # mmdet's hook closes one epoch more than it is told (it compares epoch + 1), hence the - 1.
    dict(type='YOLOXModeSwitchHook', num_last_epochs=closing_epochs - 1, priority=48),
    dict(type='SyncNormHook', priority=48),
    dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0001, update_buffers=True, priority=49),
]

# From pretrained weights, as measured in docs/training.md: another power of the total batch, and up to half of a short
# run without mosaic.
fine_tuning = dict(learning_rate_power=2 / 3, closing_share=0.5)
