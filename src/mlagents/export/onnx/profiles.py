"""Which Unity package reads which model: operator set and version of the model API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Profile:
    """How an ONNX model is written.

    Attributes:
      opset: operator set, see `mlagents.export.onnx.writer.OPSETS`.
      api_version: names and shapes of inputs and outputs, see `mlagents.export.onnx.policy_graph`.
    """

    opset: int = 9
    api_version: Literal[2, 3] = 3


DEFAULT = Profile()
"""Every Unity package from 2.0 on reads it."""

PROFILES: Mapping[str, Profile] = {
    "default": DEFAULT,
    "barracuda1": Profile(9, 2),
    "barracuda": Profile(9, 3),
    "sentis1": Profile(15, 3),
    "inference2": Profile(15, 3),
}
"""By name. barracuda1: packages 1.x with Barracuda 1; barracuda: packages 2.x with Barracuda 2 and 3; sentis1: packages
3.x with Sentis 1; inference2: packages 4.x with Sentis 2 or Inference Engine 2. The last two read sets 7 to 15."""
