"""Tasks without the platform: make a task folder of one's own data, check it, run it."""
