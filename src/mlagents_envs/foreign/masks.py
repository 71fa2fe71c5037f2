"""Masks of discrete actions, in the forms that environments of other libraries give them.

Of one agent: numbers, 1 = allowed, in any sequence; with several branches all side by side, or one sequence per
branch. None, for the agent or a branch, allows everything. A branch in which nothing is allowed allows everything,
as after the last step of an episode.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.exception import UnityActionException

MASK_KEY = "action_mask"
"""Where PettingZoo and Gymnasium environments say what is allowed: in the observation or in the info."""

_Allowed = NDArray[np.bool_]


def has_mask(space: spaces.Space[Any], spec: ActionSpec) -> bool:
    """Return whether observations carry a mask of discrete actions, as those of PettingZoo's board games do.

    Raises:
      UnityActionException: they carry something of that name that does not fit the branches.
    """
    if not (isinstance(space, spaces.Dict) and MASK_KEY in space.spaces and spec.discrete_size):
        return False
    mask, branches = space[MASK_KEY], spec.discrete_branches
    parts = mask.spaces if isinstance(mask, spaces.Tuple) else [mask]
    shapes = [part.shape for part in parts]
    if shapes not in ([(sum(branches),)], [(size,) for size in branches]):
        raise UnityActionException(f"The observation's {MASK_KEY} is {mask}; {_expected(branches)}.")
    return True


def join_columns(masks: Any) -> _Allowed:
    """Return bool [n, sum of branches] from a batch of the mask's space: [n, k], or a tuple of these."""
    return _is_set(np.concatenate(masks, axis=1) if isinstance(masks, tuple) else masks)


def join_rows(masks: Sequence[Any], spec: ActionSpec) -> _Allowed:
    """Return bool [n, sum of branches] from the mask of each agent.

    Raises:
      UnityActionException: a mask does not fit the branches, or there are none.
    """
    size = sum(spec.discrete_branches)
    if isinstance(masks, np.ndarray) and masks.dtype != object and masks.shape[1:] == (size,):
        return _is_set(masks)
    return np.stack([_row(mask, spec) for mask in masks]) if len(masks) else np.ones((0, size), np.bool_)


def forbidden(allowed: _Allowed, spec: ActionSpec) -> list[_Allowed] | None:
    """Return a mask as `DecisionSteps` has it, True = forbidden; None if there is no agent."""
    if len(allowed) == 0:
        return None
    bounds = np.cumsum((0, *spec.discrete_branches)).tolist()
    masks = [~allowed[:, start:end] for start, end in pairwise(bounds)]
    for mask in masks:
        mask[mask.all(axis=1)] = False
    return masks


def _row(mask: Any, spec: ActionSpec) -> _Allowed:
    branches = spec.discrete_branches
    if mask is None:
        return np.ones(sum(branches), np.bool_)
    if branches and isinstance(mask, Sequence | np.ndarray):
        if _shape(mask) == (sum(branches),):
            return _is_set(mask)
        parts = [np.ones(size) if part is None else part for part, size in zip(mask, branches, strict=False)]
        if len(mask) == len(branches) and [_shape(part) for part in parts] == [(size,) for size in branches]:
            return _is_set(np.concatenate([np.asarray(part) for part in parts]))
    raise UnityActionException(f"The {MASK_KEY} of an agent is {mask!r}; {_expected(branches)}.")


def _is_set(numbers: Any) -> _Allowed:
    allowed: _Allowed = np.asarray(numbers) != 0
    return allowed


def _shape(value: Any) -> tuple[int, ...] | None:
    """Return the shape of numbers; None if rows are of different lengths, or not all are numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        return None
    return array.shape if array.dtype.kind in "biuf" else None


def _expected(branches: tuple[int, ...]) -> str:
    if not branches:
        return "expected none, for the actions are continuous"
    parts = f", or one list per branch of {' and '.join(map(str, branches))}" if len(branches) > 1 else ""
    return f"expected {sum(branches)} numbers, 1 = allowed{parts}"
