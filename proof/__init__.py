"""Proofs that an image and a machine with GPUs do what they should, on shapes drawn on the spot."""
