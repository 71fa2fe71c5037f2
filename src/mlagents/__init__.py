"""Train, run and export agents; `train` starts a run from Python, `load` brings a trained model back."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlagents_envs import __version__

if TYPE_CHECKING:
    from mlagents.background import train
    from mlagents.predictor import load

__all__ = ["__version__", "load", "train"]


def __getattr__(name: str) -> Any:
    if name == "load":  # only who loads a model needs its runtime
        return import_module("mlagents.predictor").load
    if name == "train":
        return import_module("mlagents.background").train
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
