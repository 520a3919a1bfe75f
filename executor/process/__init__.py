"""Run a task in processes: the light parent, the worker that it outlives, and the ranks."""
