"""YOLOX: its post-processing, the neck of its Darknet53 model, and the names that Megvii gives its weights."""
