"""3DBall behind a pause of 8 ms a step, in which no CPU is used: from here, a Unity build on another core."""

from __future__ import annotations

import time
from typing import Any

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry import BaseRegistryEntry, default_registry

PAUSE_S = 0.008


class _Entry(BaseRegistryEntry):
    def __init__(self) -> None:
        super().__init__("Sleeping3DBall", None, None)

    def make(self, **kwargs: Any) -> BaseEnv:
        """Return the environment, whose `step` sleeps first."""
        env = default_registry["3DBall"].make(**kwargs)
        step = env.step

        def sleep_and_step() -> None:
            time.sleep(PAUSE_S)
            step()

        env.step = sleep_and_step  # type: ignore[method-assign]
        return env


ENTRY = _Entry()
