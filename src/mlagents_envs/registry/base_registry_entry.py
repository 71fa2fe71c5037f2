"""What a registry knows of an environment before it is made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlagents_envs.base_env import BaseEnv


class BaseRegistryEntry(ABC):
    """An environment that can be made by name.

    Args:
      identifier: the name in the registry.
      expected_reward: the mean episode reward of a well-trained agent; None if unknown.
      description: what the agents do, in a sentence.
      pretrained: an .onnx model shipped with the environment.
      parameters: environment parameter -> one line that says what it does, with default and range.
    """

    def __init__(
        self,
        identifier: str,
        expected_reward: float | None,
        description: str | None,
        *,
        pretrained: Path | None = None,
        parameters: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._identifier = identifier
        self._expected_reward = expected_reward
        self._description = description
        self._pretrained = pretrained
        self._parameters = MappingProxyType(dict(parameters))

    @property
    def identifier(self) -> str:
        """The name in the registry."""
        return self._identifier

    @property
    def expected_reward(self) -> float | None:
        """The mean episode reward of a well-trained agent; None if unknown."""
        return self._expected_reward

    @property
    def description(self) -> str | None:
        """What the agents do."""
        return self._description

    @property
    def pretrained(self) -> Path | None:
        """An .onnx model shipped with the environment; None if there is none."""
        return self._pretrained

    @property
    def parameters(self) -> Mapping[str, str]:
        """Environment parameter -> one line that says what it does, with default and range."""
        return self._parameters

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.identifier!r}: {self.description})"

    @abstractmethod
    def make(self, **kwargs: Any) -> BaseEnv:
        """Make the environment.

        Args:
          **kwargs: keyword arguments of `mlagents_envs.environment.UnityEnvironment`. Environments that run
            in this process use `seed`, `num_areas`, `side_channels` and `worker_id`, and ignore the rest.
        """
