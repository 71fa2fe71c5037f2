"""A policy as an `.onnx` file."""
