"""YOLOv3: the neck with pooling."""
