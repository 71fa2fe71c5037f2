"""Soft actor-critic (arXiv:1801.01290), with automatic temperatures (arXiv:1812.05905), for every kind of action."""
