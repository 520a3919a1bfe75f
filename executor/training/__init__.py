"""Training as one task: config, data, hooks, stages."""
