"""YOLOv3 with spatial pyramid pooling in front of its first head, as darknet's yolov3-spp.cfg has it."""

_base_ = './yolov3_d53_8x8_273e_coco.py'

model = dict(neck=dict(type='YOLOV3SPPNeck'))
