"""Registration of environments that run in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from mlagents_envs.base_env import checked_areas
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_sim.academy import World
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.parameters import EnvironmentParameters, Parameter

MakeWorld = Callable[[int, np.random.Generator, EnvironmentParameters], World]
"""(number of areas, source of all randomness, parameters) -> a world that was not reset yet."""


class SimEntry(BaseRegistryEntry):
    """An environment of this package, by name.

    Args:
      identifier: the name in the registry.
      expected_reward: the mean episode reward of a well-trained agent.
      description: what the agents do, in a sentence.
      make_world: makes the world; the place to import what is heavy.
      num_areas: how many areas there are if `make` is not told.
      parameters: what trainers may change.
      model: where an .onnx model lies if one is shipped; a folder with one <behavior>.onnx each for several behaviors.
    """

    def __init__(
        self,
        identifier: str,
        expected_reward: float,
        description: str,
        make_world: MakeWorld,
        *,
        num_areas: int,
        parameters: Mapping[str, Parameter] = MappingProxyType({}),
        model: Path | None = None,
    ) -> None:
        super().__init__(
            identifier,
            expected_reward,
            description,
            pretrained=model if model and model.exists() else None,
            parameters={name: str(parameter) for name, parameter in parameters.items()},
        )
        self._make_world = make_world
        self._num_areas = num_areas
        self._world_parameters = parameters

    @property
    def num_areas(self) -> int:
        """How many areas there are if `make` is not told."""
        return self._num_areas

    def make(
        self,
        seed: int = 0,
        num_areas: int | None = None,
        side_channels: list[SideChannel] | None = None,
        worker_id: int = 0,
        **_: Any,
    ) -> SimEnvironment:
        """Make the environment.

        Args:
          seed: the same seed and the same actions give the same observations, bit for bit.
          num_areas: copies of the training area; None for as many as usual.
          side_channels: as for `UnityEnvironment`.
          worker_id: not used: there is no port to choose.

        Raises:
          ValueError: `num_areas` is less than 1 or more than `MOST_AREAS`.
        """
        areas = checked_areas(self._num_areas if num_areas is None else num_areas)
        rng = np.random.default_rng(seed % 2**32)
        parameters = EnvironmentParameters(self.identifier, self._world_parameters)
        return SimEnvironment(self._make_world(areas, rng, parameters), side_channels, rng)
