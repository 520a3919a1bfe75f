"""The authors' schedule: 300 epochs, SGD, learning rate 0.01 for a total batch of 64. The task scales it to its run."""

default_scope = 'mmdet'

max_epochs = 300
warmup_epochs = 3

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=10)
val_cfg = dict(type='ValLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.01, momentum=0.937, weight_decay=5e-4, nesterov=True),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
auto_scale_lr = dict(base_batch_size=64)

param_scheduler = [
    dict(type='LinearLR', by_epoch=True, begin=0, end=warmup_epochs, start_factor=0.001, convert_to_iter_based=True),
    dict(
        type='LinearLR',
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        start_factor=1.0,
        end_factor=0.01,
        convert_to_iter_based=True,
    ),
]

custom_hooks = [dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0001, update_buffers=True, priority=49)]
