"""Proximal policy optimisation (arXiv:1707.06347)."""
