"""Proof that a model file does what its policy does, whatever its format."""
