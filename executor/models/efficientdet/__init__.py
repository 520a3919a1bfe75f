"""EfficientDet: its neck and head on mmdet's EfficientNet, and the names that effdet gives TensorFlow's weights."""
