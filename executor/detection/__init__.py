"""Inference and mining as one task: a sweep over the candidates, into the results that are asked for."""
