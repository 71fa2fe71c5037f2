"""What can be wrong with a network that is asked for."""

from __future__ import annotations


class NetworkError(ValueError):
    """No network can be built for the behavior; the message says which observation or setting is the reason."""
