"""Checkpoints as data: read, recognised, matched, chosen, written."""
