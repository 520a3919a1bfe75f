"""The authors' schedule: 300 epochs, SGD, learning rate 0.08 for a total batch of 64. The task scales it to its run."""

default_scope = 'mmdet'

max_epochs = 300
warmup_epochs = 1

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs, val_interval=10)
val_cfg = dict(type='ValLoop')

optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.08, momentum=0.9, weight_decay=4e-5),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0, custom_keys=dict(fusion_weights=dict(decay_mult=0.0))),
    clip_grad=dict(max_norm=10, norm_type=2),
)
auto_scale_lr = dict(base_batch_size=64)

param_scheduler = [
    dict(type='LinearLR', by_epoch=True, begin=0, end=warmup_epochs, start_factor=0.1, convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        T_max=max_epochs - warmup_epochs,
        eta_min=0.0,
        convert_to_iter_based=True,
    ),
]

custom_hooks = [dict(type='EMAHook', ema_type='ExpMomentumEMA', momentum=0.0002, update_buffers=True, priority=49)]
