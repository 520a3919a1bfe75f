"""What this machine has: cores, GPUs, shared memory, memory that can end."""
