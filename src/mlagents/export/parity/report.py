"""How closely a written model must agree with its policy, and how closely it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.nn.distributions import CLIP

TOLERANCE = 1e-5
SQUASHED_TOLERANCE = CLIP * TOLERANCE
"""The same error of the mean: clipping divides it by `CLIP`, tanh passes small means on as they are."""

_MOST_TOLERANCE = 1e-3


class ExportError(Exception):
    """A policy cannot be written, or the written model does not do what the policy does."""


@dataclass(frozen=True)
class ParityReport:
    """How closely a model file agrees with its policy.

    Attributes:
      allowed: output -> greatest error that was allowed, see `tolerance`.
      max_error: output -> greatest error. For continuous actions and memory it is the difference; for discrete
        actions, the difference of their probabilities; for deterministic discrete actions, how much less
        log-probability the file's choice has than the best action.
      rows: agents compared.
      steps: in a row.
      format: of the file, "onnx" or "nn".
      api_version: of its inputs and outputs.
      opset: operator set of an ONNX file, else None.
    """

    max_error: Mapping[str, float]
    allowed: Mapping[str, float]
    rows: int
    steps: int
    format: str
    api_version: int
    opset: int | None

    def plain(self) -> dict[str, Any]:
        """Return the report as JSON knows it."""
        return asdict(self)


def tolerance(usual: float, rounding: float) -> float:
    """Return the error that is allowed: the usual one, or where rounding alone makes more, four times that, to 1e-3."""
    return max(usual, min(4 * rounding, _MOST_TOLERANCE))


class Comparison:
    """Errors of outputs as they gather.

    Args:
      seed: of what is compared, for messages.

    Attributes:
      steps: compared so far.
    """

    def __init__(self, seed: int) -> None:
        self.steps = 0
        self._seed = seed
        self._errors: dict[str, float] = {}
        self._allowed: dict[str, float] = {}

    def add(self, output: str, error: NDArray[np.float32], allowed: float) -> None:
        """Take in the errors [rows, columns] of an output in the present step.

        Raises:
          ExportError: one is greater than what is allowed, or NaN.
        """
        wrong = ~(error <= allowed)  # so that NaN is wrong too
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            raise ExportError(
                f"output {output} of the written model differs from the policy by {error[row, column]:.3g}"
                f" (allowed: {allowed:.3g}) in row {row}, column {column}; {wrong.sum()} of {wrong.size} values"
                f" differ, in step {self.steps}, with observations drawn with seed {self._seed}"
            )
        self._errors[output] = max(self._errors.get(output, 0.0), float(error.max()))
        self._allowed[output] = max(self._allowed.get(output, 0.0), allowed)

    def report(self, rows: int, format: str, api_version: int, opset: int | None) -> ParityReport:
        """Return what was compared."""
        return ParityReport(self._errors, self._allowed, rows, self.steps, format, api_version, opset)
