"""The table of experience: every field of a decision, declared once.

Grid, segments, store, replay and the batches of algorithms are all `Columns`, with other leading axes. A new field is
one line of the class below; whoever fills or reads it names it, and nobody else has to know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from typing import Annotated, Any, Final, NamedTuple, get_type_hints

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mlagents_envs.base_env import BehaviorSpec

Stored = NDArray[np.float32] | NDArray[np.uint8]
"""An observation as it is stored: images as uint8, 255 times their value, as long as that loses nothing."""


class Per(Enum):
    """What one entry of a field belongs to.

    Attributes:
      STEP: a decision. SEQUENCE: a decision, but only the first of a sequence is ever read.
    """

    STEP = auto()
    SEQUENCE = auto()


def _number(spec: BehaviorSpec, memory_size: int) -> tuple[int, ...]:
    return ()


def _memory(spec: BehaviorSpec, memory_size: int) -> tuple[int, ...]:
    return (memory_size,)


def _continuous(spec: BehaviorSpec, memory_size: int) -> tuple[int, ...]:
    return (spec.action_spec.continuous_size,)


def _discrete(spec: BehaviorSpec, memory_size: int) -> tuple[int, ...]:
    return (spec.action_spec.discrete_size,)


def _dimensions_and_branches(spec: BehaviorSpec, memory_size: int) -> tuple[int, ...]:
    return (spec.action_spec.continuous_size + spec.action_spec.discrete_size,)


def _choices(spec: BehaviorSpec, memory_size: int) -> tuple[int, ...]:
    return (sum(spec.action_spec.discrete_branches),)


class Field(NamedTuple):
    """How a field is stored.

    Attributes:
      dtype: of its arrays.
      shape: of one entry, from the behavior's spec and the size of its networks' memory.
      per: what an entry belongs to.
      initial: value before anything is written.
      on_policy: whether it is of no use to who learns from a replay buffer.
    """

    dtype: DTypeLike
    shape: Callable[[BehaviorSpec, int], tuple[int, ...]]
    per: Per = Per.STEP
    initial: Any = 0
    on_policy: bool = False


class Columns(NamedTuple):
    """Arrays [*leading axes, *shape of the field] of what decisions are made of.

    Attributes:
      observations: one per observation spec, float32 [*axes, *spec.shape]; images (rank 3) as uint8 (see `Stored`).
        There is one after the last decision of a segment, too.
      memory: float32 [*axes, memory size], of the networks before the decision.
      continuous: float32 [*axes, continuous size], as sampled, before clipping or squashing.
      discrete: int32 [*axes, branches].
      log_prob: float32 [*axes, continuous size + branches], under the policy that acted, column by column.
      allowed: bool [*axes, sum of branch sizes], True = could be chosen.
      reward: float32 [*axes], the agent's own, for the decision.
      group_reward: float32 [*axes], of its group, which every member gets.
      group_id: int32 [*axes], 0 without a group.
      group_size: int32 [*axes], agents of the behavior and team that decide in this round for the group, this one
        included; 0 without a group.
      tick: int32 [*axes], the worker's decision round, which joins the decisions of a group's agents; 0 where nobody is
        in a group.
    """

    observations: list[Stored]
    memory: Annotated[NDArray[np.float32], Field(np.float32, _memory, Per.SEQUENCE)]
    continuous: Annotated[NDArray[np.float32], Field(np.float32, _continuous)]
    discrete: Annotated[NDArray[np.int32], Field(np.int32, _discrete)]
    log_prob: Annotated[NDArray[np.float32], Field(np.float32, _dimensions_and_branches, on_policy=True)]
    allowed: Annotated[NDArray[np.bool_], Field(np.bool_, _choices, initial=True)]
    reward: Annotated[NDArray[np.float32], Field(np.float32, _number)]
    group_reward: Annotated[NDArray[np.float32], Field(np.float32, _number)]
    group_id: Annotated[NDArray[np.int32], Field(np.int32, _number)]
    group_size: Annotated[NDArray[np.int32], Field(np.int32, _number)]
    tick: Annotated[NDArray[np.int32], Field(np.int32, _number)]

    @classmethod
    def empty(cls, spec: BehaviorSpec, memory_size: int, *axes: int) -> Columns:
        """Return columns with these leading axes, before anything is written."""
        observations = [_observations(axes, o.shape) for o in spec.observation_specs]
        arrays = {
            name: np.full((*axes, *field.shape(spec, memory_size)), field.initial, field.dtype)
            for name, field in FIELDS.items()
        }
        return cls(observations, **arrays)

    def named(self) -> Iterator[tuple[str, NDArray[np.generic]]]:
        """Yield every array and its name, observations as `observations.0` and so on."""
        for i, observation in enumerate(self.observations):
            yield f"observations.{i}", observation
        for name in FIELDS:
            yield name, getattr(self, name)

    def part(self, index: Any, observed: Any) -> Columns:
        """Return an index of every array: `observed` of the observations, `index` of all other fields."""
        fields = {name: getattr(self, name)[index] for name in FIELDS}
        return Columns([column[observed] for column in self.observations], **fields)

    def write(self, index: Any, position: int, observation: Stored) -> None:
        """Write an observation, as floats or as stored elsewhere, at an index of the leading axes.

        An image that bytes cannot hold without loss turns the whole column into floats.
        """
        column = self.observations[position]
        if column.dtype == observation.dtype:
            column[index] = observation
        elif column.dtype == np.float32:
            column[index] = observation / np.float32(255.0)
        else:
            scaled = observation * np.float32(255.0)
            whole = np.rint(scaled)
            if np.all(np.abs(scaled - whole) < 1e-3) and whole.min(initial=0) >= 0 and whole.max(initial=0) <= 255:
                column[index] = whole
            else:
                self.observations[position] = _as_floats(column)
                self.observations[position][index] = observation

    def match(self, observations: Sequence[NDArray[np.generic]]) -> None:
        """Turn image columns into floats where these, of other `Columns`, are floats."""
        for i, other in enumerate(observations):
            if other.dtype != self.observations[i].dtype:
                self.observations[i] = _as_floats(self.observations[i])


def _declared() -> dict[str, Field]:
    hints = get_type_hints(Columns, include_extras=True)
    return {name: hint.__metadata__[0] for name, hint in hints.items() if hasattr(hint, "__metadata__")}


FIELDS: Final = _declared()
"""Name of every field but the observations -> how it is stored."""


def _observations(axes: tuple[int, ...], shape: tuple[int, ...]) -> Stored:
    """Return an empty column of observations: bytes for images."""
    if len(shape) == 3:
        return np.zeros((*axes, *shape), np.uint8)
    return np.zeros((*axes, *shape), np.float32)


def _as_floats(column: Stored) -> NDArray[np.float32]:
    return column.astype(np.float32) / np.float32(255.0)
