"""Which keys mean which action, for people who play."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Keys(NamedTuple):
    """What keys of one meaning do while one of them is held.

    Attributes:
      names: `up`, `down`, `left`, `right`, `space`, or what stands on the key: `w`, `1`.
      meaning: for people, in a few words.
      choice: a branch and what is chosen in it; None for keys that choose nothing.
      number: a continuous action and its value; None for keys that set none.
    """

    names: tuple[str, ...]
    meaning: str
    choice: tuple[int, int] | None = None
    number: tuple[int, float] | None = None


RUN_OR_TURN: Final = (
    Keys(("up", "w"), "run ahead", choice=(0, 1)),
    Keys(("down", "s"), "run back", choice=(0, 2)),
    Keys(("right", "d"), "turn right", choice=(0, 3)),
    Keys(("left", "a"), "turn left", choice=(0, 4)),
)
"""For agents that move as `mlagents_sim.physics.rules.run_or_turn` says."""

RUN_TURN_OR_STEP: Final = (
    *RUN_OR_TURN,
    Keys(("q",), "step to the left", choice=(0, 5)),
    Keys(("e",), "step to the right", choice=(0, 6)),
)
"""For agents that move as `mlagents_sim.physics.rules.run_turn_or_step` says."""


def write_actions(
    keys: Sequence[Keys], held: Iterable[str], continuous: NDArray[np.float32], discrete: NDArray[np.int32]
) -> None:
    """Write what the held keys mean.

    Args:
      keys: all that mean something.
      held: names of keys. Of two that contradict each other the later one counts.
      continuous: float32 [..., continuous size], written in place.
      discrete: int32 [..., branches], likewise.
    """
    by_name = {name: each for each in keys for name in each.names}
    for each in (by_name[name] for name in held if name in by_name):
        if each.choice is not None:
            discrete[..., each.choice[0]] = each.choice[1]
        if each.number is not None:
            continuous[..., each.number[0]] = each.number[1]
