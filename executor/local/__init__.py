"""A task without the platform: its folder, drawn data, the demo."""
