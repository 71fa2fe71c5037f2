"""A model file of either format."""

from __future__ import annotations

import os
from pathlib import Path

from mlagents.inference.barracuda_model import BarracudaModel
from mlagents.inference.model import Model, OnnxModel
from mlagents_envs.base_env import BehaviorSpec

SUFFIXES = (".onnx", ".nn")
"""Of model files; where both formats are there, the first is taken."""


def load_model(path: str | os.PathLike[str], behavior_spec: BehaviorSpec) -> Model:
    """Return a trained model, told by the suffix of its file: .nn is Barracuda, everything else ONNX.

    Raises:
      ModelError: see `BarracudaModel` and `OnnxModel`.
    """
    if Path(path).suffix == ".nn":
        return BarracudaModel(path, behavior_spec)
    return OnnxModel(path, behavior_spec)
