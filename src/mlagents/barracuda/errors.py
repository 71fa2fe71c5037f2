"""What goes wrong with Barracuda files."""

from __future__ import annotations


class BarracudaError(Exception):
    """A file is damaged or not a Barracuda model, or its layers cannot be evaluated; the message names the layer."""
