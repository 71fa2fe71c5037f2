"""Registered environments as PettingZoo environments, by name."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from mlagents_envs._imported_names import names_of
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.envs.unity_aec_env import UnityAECEnv
from mlagents_envs.exception import UnityWorkerInUseException
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


_FIRST_PORT = 6000
_LAST_PORT = 65535


class PettingZooEnvFactory:
    """Makes PettingZoo environments of one registered environment.

    Args:
      env_id: its name in the registry.
    """

    def __init__(self, env_id: str) -> None:
        self.env_id = env_id

    def env(self, seed: int | None = None, **kwargs: Any) -> UnityAECEnv:
        """Make one.

        Args:
          seed: of the environment and of the action spaces.
          **kwargs: as for `UnityEnvironment`. Without `side_channels` there are channels for the engine's
            configuration, parameters and statistics; without `base_port` the first free one from 6000 on is used.

        Raises:
          KeyError: no environment of that name is registered.
        """
        entry = default_registry[self.env_id]
        kwargs.setdefault(
            "side_channels", [EngineConfigurationChannel(), EnvironmentParametersChannel(), StatsSideChannel()]
        )
        ports = [kwargs.pop("base_port")] if "base_port" in kwargs else range(_FIRST_PORT, _LAST_PORT)

        def make(seed: int) -> BaseEnv:
            for port in ports[:-1]:
                with suppress(UnityWorkerInUseException):
                    return entry.make(seed=seed, base_port=port, **kwargs)
            return entry.make(seed=seed, base_port=ports[-1], **kwargs)

        return UnityAECEnv(make, seed)
