"""YOLOv3-SPP: its neck."""
