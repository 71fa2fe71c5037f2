"""Environments of Gymnasium and PettingZoo by name, which need no registration: `gym:CartPole-v1`."""

from __future__ import annotations

from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry

LIBRARIES = {"gym": "Gymnasium", "pettingzoo": "PettingZoo"}
"""What stands before the colon: also the extra that installs the library."""


def is_foreign(name: str) -> bool:
    """Return whether the name is one of an environment of another library."""
    kind, colon, _ = name.partition(":")
    return bool(colon) and kind in LIBRARIES


class ForeignEntry(BaseRegistryEntry):
    """An environment of another library; nothing is known of it before it is made.

    Args:
      identifier: `gym:` or `pettingzoo:`, and the library's name of the environment.
    """

    def __init__(self, identifier: str) -> None:
        kind, _, name = identifier.partition(":")
        super().__init__(identifier, None, f"{name} of {LIBRARIES[kind]}")

    def make(
        self,
        *,
        seed: int = 0,
        num_areas: int | None = None,
        side_channels: list[Any] | None = None,
        **kwargs: Any,
    ) -> BaseEnv:
        """Make the environment; see `make_foreign`. Other arguments than `render_mode` are ignored.

        Raises:
          UnityException: the library is not installed, has no such environment, or it cannot be learned.
        """
        from mlagents_envs.foreign.by_name import make_foreign

        mode = {"render_mode": kwargs["render_mode"]} if kwargs.get("render_mode") else {}
        return make_foreign(self.identifier, seed=seed, num_areas=num_areas, side_channels=side_channels, **mode)
