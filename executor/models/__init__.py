"""Detector families: one table of what belongs to each, and the parts of our own."""
