"""Write what the platform reads: monitor.txt, result.yaml, infer-result.json and result.tsv, which nobody else writes.

Each is written to a file beside it and renamed, so a reader, and a kill at any moment, finds the old or the new one.
"""
