"""EfficientDet (Tan et al., CVPR 2020) as TensorFlow's weights have it; the sizes set widths and depths."""

norm_cfg = dict(type='BN', momentum=0.01, eps=0.001)
find_unused_parameters = False  # every step uses every parameter, which DDP needs to know

strides = [8, 16, 32, 64, 128]
anchor_shapes = [(1.0, 1.0), (1.4, 0.7), (0.7, 1.4)]  # width, height; 1.4, not the square root of 2

model = dict(
    type='EfficientDet',
    data_preprocessor=dict(
        type='DetDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=128,  # which the neck's levels need
    ),
    backbone=dict(
        type='EfficientNet',
        out_indices=(3, 4, 5),
        conv_cfg=dict(type='SamePaddingConv2d'),
        norm_cfg=norm_cfg,
        act_cfg=dict(type='SiLU'),
    ),
    neck=dict(type='BiFPN', norm_cfg=norm_cfg),
    bbox_head=dict(
        type='EfficientDetHead',
        num_classes=80,
        norm_cfg=norm_cfg,
        anchor_generator=dict(
            type='YOLOAnchorGenerator',  # which takes sizes: width, height; of stride 8 first
            base_sizes=[
                [
                    (4 * stride * 2 ** (octave / 3) * width, 4 * stride * 2 ** (octave / 3) * height)
                    for octave in range(3)
                    for width, height in anchor_shapes
                ]
                for stride in strides
            ],
            strides=strides,
        ),
        bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
        loss_cls=dict(type='FocalLoss', use_sigmoid=True, gamma=1.5, alpha=0.25, loss_weight=1.0),
        # 50 times the Huber loss of delta 0.1, the mean of four coordinates; mmdet's is ten times that, and their sum.
        loss_bbox=dict(type='SmoothL1Loss', beta=0.1, loss_weight=1.25),
    ),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0, ignore_iof_thr=-1),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(
        nms_pre=1000, min_bbox_size=0, score_thr=0.01, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100
    ),
)
