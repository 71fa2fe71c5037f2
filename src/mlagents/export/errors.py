"""What goes wrong when a policy is exported."""

from __future__ import annotations


class ExportError(Exception):
    """A policy cannot be written, or the written model does not do what the policy does."""
