"""Numbers of a validation: COCO AP and counts."""
