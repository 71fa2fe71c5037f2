"""The example environments, one module each."""
