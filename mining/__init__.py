"""Score how much each candidate image is worth labelling: arrays in, one number an image out.

Pure: no files, no processes, no ranks, no clock. `catalog` names the algorithms, `base` says what a scorer is given.
"""
