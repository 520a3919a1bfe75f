_base_ = ['./_base_/yolov3_608.py', './_base_/schedule.py']
