"""Evaluate detections: numbers only."""
