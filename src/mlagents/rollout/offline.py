"""A sampler without environments: behaviors that learn from recordings alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from mlagents.data.segments import WeightsId
from mlagents.rollout.collected import Assignment, Collected, Sampling, Weights
from mlagents.rollout.env_pool import never
from mlagents.rollout.parameters import ParameterValue
from mlagents_envs.base_env import BehaviorSpec


class OfflineSampler:
    """A `Sampler` that shows its behaviors and collects nothing.

    Args:
      specs: of the behaviors, by name.
    """

    def __init__(self, specs: Mapping[str, BehaviorSpec]) -> None:
        self._specs = dict(specs)
        self._added: set[str] = set()

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Name -> spec of every behavior."""
        return self._specs

    def reset(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Nothing plays."""

    def missing(self) -> Mapping[str, BehaviorSpec]:
        """Return the behaviors that were not added yet."""
        return {name: spec for name, spec in self._specs.items() if name not in self._added}

    def add(self, name: str, spec: BehaviorSpec, sampling: Sampling, weights: Weights) -> None:
        """Note that a behavior is known."""
        self._added.add(name)

    def publish(self, weights: Mapping[WeightsId, Weights]) -> None:
        """Nobody acts."""

    def apply(self, parameters: Mapping[str, ParameterValue], assignment: Assignment) -> None:
        """Nobody plays."""

    def collect(self, stop: Callable[[], bool] = never) -> Sequence[Collected]:
        """Return nothing, at once."""
        return []

    def weights_in_play(self) -> Collection[WeightsId]:
        """Return nothing: nobody plays."""
        return ()

    def state_dict(self) -> dict[str, Any] | None:
        """Return that there is nothing to go on with."""
        return None

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Nothing is played."""

    def close(self) -> None:
        """Nothing runs."""
