"""Training, inference and mining of mmdet's detectors as a YMIR task."""

__version__ = '0.1.0'
