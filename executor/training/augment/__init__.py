"""mmdet's training transforms for YOLOX and its like: drawn as mmdet draws them, composed, and applied at once."""
