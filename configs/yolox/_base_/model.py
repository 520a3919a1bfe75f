"""YOLOX (Ge et al., YOLOX: Exceeding YOLO Series in 2021) as mmdet builds it; the sizes set widths and depths."""

norm_cfg = dict(type='BN', momentum=0.03, eps=0.001)
act_cfg = dict(type='Swish')
find_unused_parameters = False  # every step uses every parameter, which DDP needs to know

model = dict(
    type='YOLOX',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        pad_size_divisor=32,
        batch_augments=[
            # Multi-scale training: every 10 iterations another size, the same on all ranks.
            dict(type='BatchSyncRandomResize', random_size_range=(480, 800), size_divisor=32, interval=10)
        ],
    ),
    backbone=dict(
        type='CSPDarknet', out_indices=(2, 3, 4), spp_kernal_sizes=(5, 9, 13), norm_cfg=norm_cfg, act_cfg=act_cfg
    ),
    neck=dict(type='YOLOXPAFPN', upsample_cfg=dict(scale_factor=2, mode='nearest'), norm_cfg=norm_cfg, act_cfg=act_cfg),
    bbox_head=dict(
        type='YOLOXHead',
        num_classes=80,
        stacked_convs=2,
        strides=(8, 16, 32),
        norm_cfg=norm_cfg,
        act_cfg=act_cfg,
        loss_cls=dict(type='CrossEntropyLoss', use_sigmoid=True, reduction='sum', loss_weight=1.0),
        loss_bbox=dict(type='IoULoss', mode='square', eps=1e-16, reduction='sum', loss_weight=5.0),
        loss_obj=dict(type='CrossEntropyLoss', use_sigmoid=True, reduction='sum', loss_weight=1.0),
        loss_l1=dict(type='L1Loss', reduction='sum', loss_weight=1.0),
    ),
    train_cfg=dict(assigner=dict(type='SimOTAAssigner', center_radius=2.5)),
    test_cfg=dict(score_thr=0.01, nms=dict(type='nms', iou_threshold=0.65)),
)
