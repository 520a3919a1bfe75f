"""YOLOv5: its network, what it learns from, and the names that ultralytics gives its weights."""
