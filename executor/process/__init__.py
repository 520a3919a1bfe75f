"""The processes of a task: the light parent, the worker it outlives, and the ranks."""
