"""What a dataset is made of, in numbers: boxes, sizes, overlaps, equal files, drift. numpy and files' bytes alone."""
