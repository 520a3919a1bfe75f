"""How much a candidate image is worth labelling: four algorithms, arrays in and one number an image out.

Pure: no files, no processes, no ranks, no clock. `base` says what a scorer gets and what it wants of the detector.
"""
