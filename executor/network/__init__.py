"""A dense network up to its head maps: in torch, and in ONNX Runtime."""
