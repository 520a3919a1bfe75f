"""Look at the machine: its cores, GPUs and memory, and failures that are its own."""
