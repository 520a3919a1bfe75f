"""One interface for every detector and device: prepared images in, what was found in each of them out."""
