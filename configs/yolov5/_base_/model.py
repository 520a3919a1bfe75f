"""YOLOv5 as its weights of 6.0 to 7.0 have it; the sizes set widths and depths."""

norm_cfg = dict(type='BN', momentum=0.03, eps=0.001)
act_cfg = dict(type='SiLU')
find_unused_parameters = False  # every step uses every parameter, which DDP needs to know

# The authors weigh boxes, objectness and classes by 0.05, 1 and 0.5, and add up what a batch of 64 images has lost.
# Here a loss is the mean of a batch, as everywhere in mmdet, and the learning rate follows the batch.
batch = 64

model = dict(
    type='YOLOV5',
    data_preprocessor=dict(
        type='DetDataPreprocessor', mean=[0, 0, 0], std=[255.0, 255.0, 255.0], bgr_to_rgb=True, pad_size_divisor=32
    ),
    backbone=dict(type='YOLOV5CSPDarknet', focus=False, norm_cfg=norm_cfg, act_cfg=act_cfg),
    neck=dict(type='YOLOV5PAFPN', norm_cfg=norm_cfg, act_cfg=act_cfg),
    bbox_head=dict(
        type='YOLOV5Head',
        num_classes=80,
        featmap_strides=[8, 16, 32],
        anchor_generator=dict(
            type='YOLOAnchorGenerator',
            base_sizes=[  # width, height; of stride 8 first
                [(10, 13), (16, 30), (33, 23)],
                [(30, 61), (62, 45), (59, 119)],
                [(116, 90), (156, 198), (373, 326)],
            ],
            strides=[8, 16, 32],
        ),
        bbox_coder=dict(type='YOLOV5BBoxCoder'),
        largest_ratio=4.0,
        balance=[4.0, 1.0, 0.4],
        box_weight=0.05 * batch,
        objectness_weight=1.0 * batch,
        class_weight=0.5 * batch,
    ),
    test_cfg=dict(score_thr=0.001, nms_pre=30000, nms=dict(type='nms', iou_threshold=0.6), max_per_img=300),
)
