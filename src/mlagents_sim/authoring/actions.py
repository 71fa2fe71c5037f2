"""The actions of one agent, and which of them are forbidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.exception import UnityActionException


class ActionBuffers(NamedTuple):
    """What one agent does.

    Attributes:
      continuous: float32 [continuous size], as decided: not clipped.
      discrete: int32 [branches], an index each.
    """

    continuous: NDArray[np.float32]
    discrete: NDArray[np.int32]


class ActionMask:
    """Which discrete choices an agent must not make at this decision. At first all are allowed.

    Args:
      forbidden: bool [branch size] per branch; written in place.
    """

    def __init__(self, forbidden: Sequence[NDArray[np.bool_]]) -> None:
        self._forbidden = forbidden

    def set_action_enabled(self, branch: int, choice: int, is_enabled: bool) -> None:
        """Allow or forbid a choice.

        Raises:
          UnityActionException: there is no such branch or choice.
        """
        sizes = [len(choices) for choices in self._forbidden]
        if not (0 <= branch < len(sizes) and 0 <= choice < sizes[branch]):
            raise UnityActionException(f"There is no choice {choice} in branch {branch}; the branches have {sizes}.")
        self._forbidden[branch][choice] = not is_enabled
