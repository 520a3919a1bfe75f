"""YOLOX: its post-processing, and the names that Megvii gives its weights."""
