"""How learners and reward signals look from outside, and how they fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import FlatSegments, Segment
from mlagents.nn.policy import Policy


class NonFiniteUpdate(RuntimeError):
    """An update met a loss or weight that is not finite; the weights are those before the update."""


@runtime_checkable
class Learner(Protocol):
    """A training algorithm: experience in, better policy out.

    Attributes:
      steps: agent decisions learned from so far; schedules and `max_steps` count these.
      version: number of updates so far; a policy of the same version has the same weights.
    """

    steps: int
    version: int

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""

    def snapshot(self) -> Policy:
        """Return the policy with a copy of its newest weights."""

    def reserve(self, lanes: int) -> None:
        """Prepare for this many agents at once."""

    def extend(self, segments: Iterable[Segment]) -> None:
        """Add copies of experience, counting its decisions as steps."""

    def ready(self) -> bool:
        """Return whether `update` has enough experience."""

    def update(self) -> dict[str, float]:
        """Learn, and return statistics by tag.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights stay as they were.
        """

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        """Return what must survive: `tensors` by name, and plain values.

        Args:
          experience: include, as `experience`, what was added and not learned from yet, if `tensors` do not have it.
        """

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; without `experience`, there is none."""

    def initialize_from(self, state: Mapping[str, Any]) -> None:
        """Take over the weights in what `state_dict` of another run returned, and nothing else."""


@runtime_checkable
class OnPolicy(Protocol):
    """What a `Learner` offers besides, if only experience of its newest weights is of use to it.

    Samplers on other machines then play no more than it waits for, and what they played with older weights is dropped.
    """

    def missing(self) -> int:
        """Return how many decisions `update` still waits for."""


@runtime_checkable
class Signals(Protocol):
    """What a learner needs to know of reward signals; K of them.

    Attributes:
      names: of the signals. gamma: float32 [K], their discounts.
      learn_by_themselves: whether there are models behind them, which `learn`.
    """

    names: tuple[str, ...]
    gamma: NDArray[np.float32]
    learn_by_themselves: bool

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows, K]."""

    def terminated(self, rows: FlatSegments) -> NDArray[np.bool_]:
        """Return bool [rows, K]: after which decisions nothing follows, as each signal counts it."""

    def learn(
        self, rows: FlatSegments, rewards: NDArray[np.float32], rng: np.random.Generator, epochs: int, batch_size: int
    ) -> dict[str, float]:
        """Let the models behind signals learn from all decisions, and return statistics by tag."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps of these models, as trees of arrays."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""


@runtime_checkable
class Intrinsic(Protocol):
    """A reward signal that is not the environment's, but that of a model.

    Attributes:
      respects_ends: whether nothing follows an episode's end; otherwise its returns go on as if it were cut.
    """

    respects_ends: bool

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows], strength applied."""

    def learn(self, rows: FlatSegments, rng: np.random.Generator, epochs: int, batch_size: int) -> dict[str, float]:
        """Learn from all decisions and return statistics by tag."""

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps, as trees of arrays."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
