"""Checkpoints as data: read, matched, chosen, written."""
