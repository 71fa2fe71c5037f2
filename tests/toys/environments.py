"""The built-in environments, as parameters of a test."""

from __future__ import annotations

import pytest

from mlagents_envs.registry import default_registry

QUICK = {"Basic", "3DBall", "GridWorld", "PushBlock"}
"""Vectors and images, continuous and discrete actions with masks; between them they have what the others have."""


def environments():
    """Return all names; a test of the other ones than `QUICK` is slow."""
    return [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in default_registry]
