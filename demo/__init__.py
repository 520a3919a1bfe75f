"""Drawn data, task folders without the platform, and the demo that runs on them."""
