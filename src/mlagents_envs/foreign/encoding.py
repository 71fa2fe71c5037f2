"""Gymnasium spaces as specs: observations become float32 arrays, actions leave as the space wants them.

Observations, by kind of space:

| space | observation |
|---|---|
| `Box` with three axes, height and width at least 20 | image (channels, height, width) |
| `Box` with two axes of at least 20, dtype uint8 | image with one channel |
| any other `Box` | vector, flattened |
| `Discrete`, `MultiDiscrete` | one-hot vector |
| `MultiBinary` | vector of 0 and 1 |
| `Dict`, `Tuple` | one observation per entry |

The channels of an image are the first or the last axis, the shorter of the two. uint8 images are divided by 255, so
they lie in [0, 1]; other numbers stay what they are. Smaller images are vectors because convolutions need 20 pixels.

Actions: a `Box` is continuous, `Discrete`, `MultiDiscrete` and `MultiBinary` are branches. Policies act in [-1, 1];
-1 is the lower bound of the box, 1 its upper bound, linearly between. A box that is open on one side gets a range
as wide as that of policies, which begins or ends at its bound: [3, inf] is used from 3 to 5. Where both bounds are
infinite the number is passed on as it is. A bound is infinite, too, if it is the largest float of its type.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.exception import UnityActionException, UnityObservationException
from mlagents_envs.foreign.masks import MASK_KEY
from mlagents_envs.logging_util import get_logger

logger = get_logger(__name__)

_LEAST_IMAGE_SIDE = 20  # of the default image encoder

_Array = NDArray[Any]
_Path = tuple[Any, ...]


class _Leaf(NamedTuple):
    """One observation: where it is in the value, and how it becomes float32 [n, *shape]."""

    path: _Path
    space: spaces.Space[Any]
    spec: ObservationSpec
    encode: Callable[[_Array], _Array]

    def value(self, observation: Any) -> Any:
        for key in self.path:
            observation = observation[key]
        return observation


class ObservationEncoder:
    """Observations of one space as arrays.

    Args:
      space: of one agent's observations.
      masked: a `Dict` has the key `action_mask`, which is no observation.

    Attributes:
      specs: one per observation.

    Raises:
      UnityObservationException: the space, or one inside it, has no fixed size.
    """

    def __init__(self, space: spaces.Space[Any], *, masked: bool = False) -> None:
        leaves = [leaf for leaf in _leaves(space, ()) if not (masked and leaf.path[0] == MASK_KEY)]
        if not leaves:
            raise UnityObservationException(
                f"The observation space {space} holds no observation; at least one is needed."
            )
        self._leaves = leaves
        self.specs = [leaf.spec for leaf in leaves]

    def encode_batch(self, batch: Any) -> list[NDArray[np.float32]]:
        """Return one float32 [n, *shape] per spec from a value of the space's batched form, which is copied."""
        return [self._encode(leaf, leaf.value(batch)) for leaf in self._leaves]

    def encode(self, observations: Sequence[Any]) -> list[NDArray[np.float32]]:
        """Do as `encode_batch`, from n values of the space."""
        return [
            self._encode(leaf, [leaf.value(one) for one in observations])
            if observations
            else np.zeros((0, *leaf.spec.shape), np.float32)
            for leaf in self._leaves
        ]

    @staticmethod
    def _encode(leaf: _Leaf, values: Any) -> NDArray[np.float32]:
        try:
            array = np.asarray(values)
            return np.array(leaf.encode(array), np.float32).reshape(len(array), *leaf.spec.shape)
        except (ValueError, TypeError, IndexError) as error:
            shapes = " and ".join(sorted({str(np.shape(value)) for value in values}))
            raise UnityObservationException(
                f"Observation {leaf.spec.name!r} has shape {shapes}; its space {leaf.space} says otherwise: {error}."
            ) from error


def _leaves(space: spaces.Space[Any], path: _Path) -> Iterator[_Leaf]:
    if isinstance(space, spaces.Dict):
        for key, inner in space.spaces.items():
            yield from _leaves(inner, (*path, key))
    elif isinstance(space, spaces.Tuple):
        for position, inner in enumerate(space.spaces):
            yield from _leaves(inner, (*path, position))
    else:
        shape, encode = _encoding(space, path)
        yield _Leaf(path, space, _spec(shape, "/".join(map(str, path)) or "observation"), encode)


def _encoding(space: spaces.Space[Any], path: _Path) -> tuple[tuple[int, ...], Callable[[_Array], _Array]]:
    """Return the shape of the observation, and the function from [n, ...] values to [n, *shape] numbers."""
    if isinstance(space, spaces.Box):
        return _box_encoding(space)
    if isinstance(space, spaces.Discrete):
        return (int(space.n),), lambda values: values[:, np.newaxis] == np.arange(space.n) + space.start
    if isinstance(space, spaces.MultiDiscrete):
        sizes, start = space.nvec.ravel(), np.asarray(space.start).ravel()
        column, choice = np.repeat(np.arange(len(sizes)), sizes), np.concatenate([np.arange(n) for n in sizes])
        return (int(sizes.sum()),), lambda values: (values.reshape(len(values), -1) - start)[:, column] == choice
    if isinstance(space, spaces.MultiBinary):
        return (int(np.prod(space.shape)),), lambda values: values
    where = f" at {'/'.join(map(str, path))}" if path else ""
    raise UnityObservationException(
        f"Observations in a {type(space).__name__} space{where} have no fixed size. Known are Box, Discrete, "
        "MultiDiscrete, MultiBinary, and Dict and Tuple of these; wrap the environment, for example with "
        "gymnasium.wrappers.TransformObservation."
    )


def _box_encoding(space: spaces.Box) -> tuple[tuple[int, ...], Callable[[_Array], _Array]]:
    shape, is_bytes = tuple(map(int, space.shape)), space.dtype == np.uint8
    divisor = np.float32(255 if is_bytes else 1)
    if len(shape) == 3 and sorted(shape)[1] >= _LEAST_IMAGE_SIDE:
        if shape[2] <= shape[0]:
            return (shape[2], *shape[:2]), lambda values: np.moveaxis(values, 3, 1) / divisor
        return shape, lambda values: values / divisor
    if len(shape) == 2 and is_bytes and min(shape) >= _LEAST_IMAGE_SIDE:
        return (1, *shape), lambda values: values / divisor
    return (int(np.prod(shape)),), lambda values: values


def _spec(shape: tuple[int, ...], name: str) -> ObservationSpec:
    even = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    properties = (DimensionProperty.NONE, even, even) if len(shape) == 3 else (DimensionProperty.NONE,)
    return ObservationSpec(shape, properties, ObservationType.DEFAULT, name)


class ActionDecoder:
    """Actions of a behavior in the form of a space.

    Args:
      space: of one agent's actions.

    Attributes:
      spec: continuous size, or branches.

    Raises:
      UnityActionException: the space is no `Box`, `Discrete`, `MultiDiscrete` or `MultiBinary`.
    """

    def __init__(self, space: spaces.Space[Any]) -> None:
        self._shape: tuple[int, ...] = tuple(space.shape or ())
        self._dtype = space.dtype
        self._whole = space.dtype is not None and np.issubdtype(space.dtype, np.integer)
        self._start: _Array = np.zeros(1, np.int64)
        if isinstance(space, spaces.Box):
            self.spec = ActionSpec.create_continuous(int(np.prod(space.shape)))
            self._low, self._high = _bounds(space)
            low, high = _used_range(self._low, self._high)
            self._middle, self._half = (high + low) / 2.0, (high - low) / 2.0
        elif isinstance(space, spaces.Discrete):
            self.spec = ActionSpec.create_discrete((int(space.n),))
            self._start = np.array([space.start])
        elif isinstance(space, spaces.MultiDiscrete):
            self.spec = ActionSpec.create_discrete(tuple(map(int, space.nvec.ravel())))
            self._start = np.asarray(space.start).ravel()
        elif isinstance(space, spaces.MultiBinary):
            self.spec = ActionSpec.create_discrete((2,) * int(np.prod(space.shape)))
        else:
            raise UnityActionException(
                f"Actions in a {type(space).__name__} space cannot be learned. Known are Box, Discrete, MultiDiscrete "
                "and MultiBinary; wrap the environment, for example with gymnasium.wrappers.TransformAction."
            )

    def decode(self, actions: ActionTuple) -> _Array:
        """Return the actions of n agents as an array [n, *shape] of the space.

        Raises:
          UnityActionException: a number is not finite, or a choice is not among those of its branch.
        """
        values = self._branches(actions.discrete) if self.spec.discrete_size else self._numbers(actions.continuous)
        return np.asarray(values, self._dtype).reshape(len(values), *self._shape)

    def _numbers(self, continuous: NDArray[np.float32]) -> _Array:
        if not np.isfinite(continuous).all():
            raise UnityActionException(f"Continuous actions must be finite; got {continuous.tolist()}.")
        numbers: _Array = self._middle + self._half * continuous
        np.minimum(np.maximum(numbers, self._low, out=numbers), self._high, out=numbers)
        return np.rint(numbers) if self._whole else numbers

    def _branches(self, discrete: NDArray[np.int32]) -> _Array:
        if ((discrete < 0) | (discrete >= self.spec.discrete_branches)).any():
            raise UnityActionException(
                f"Discrete actions must be from 0 to below {self.spec.discrete_branches}; got {discrete.tolist()}."
            )
        return discrete + self._start


def _bounds(space: spaces.Box) -> tuple[_Array, _Array]:
    """Return float64 (lower, upper); infinite where the space says so, or has the largest number that there is."""
    low, high = (bound.astype(np.float64).ravel() for bound in (space.low, space.high))
    dtype: Any = space.dtype
    largest = np.finfo(dtype).max if np.issubdtype(dtype, np.floating) else np.inf
    below, above = space.bounded_below.ravel(), space.bounded_above.ravel()
    return np.where(below & (low > -largest), low, -np.inf), np.where(above & (high < largest), high, np.inf)


def _used_range(low: _Array, high: _Array) -> tuple[_Array, _Array]:
    """Return what -1 and 1 mean; a range of width 2 where the box is open, which is said where it starts at a bound."""
    below, above = np.isfinite(low), np.isfinite(high)
    first = np.where(below, low, np.where(above, high - 2.0, -1.0))
    last = np.where(above, high, np.where(below, low + 2.0, 1.0))
    for index in np.flatnonzero(below != above):
        logger.warning(
            f"Action {index} is bounded on one side only, [{low[index]:g}, {high[index]:g}]: -1 to 1 is used as "
            f"{first[index]:g} to {last[index]:g}. For another range wrap the environment with "
            "gymnasium.wrappers.RescaleAction or TransformAction."
        )
    return first, last
