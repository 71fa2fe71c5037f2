"""What samplers of a cluster play in tests; a module of its own, since it is imported in their processes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

from mlagents.rollout.source import EnvironmentSource
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.side_channel import SideChannel
from toys.walk import Walk


class SlowWalk(Walk):
    """A walk whose step takes 5 ms and is written down; one of them stands still when a file says so."""

    def __init__(self, seed: int, pid_folder: str, pause_file: str) -> None:
        super().__init__("continuous", agents=4, seed=seed)
        self._pause_file = pause_file
        if pid_folder:
            with open(os.path.join(pid_folder, f"{seed}-{os.getpid()}"), "w"):
                pass

    def step(self) -> None:
        super().step()
        if self._pause_file:
            time.sleep(0.005)
            while os.path.exists(self._pause_file):
                time.sleep(0.05)


@dataclass(frozen=True)
class WalkSource(EnvironmentSource):
    """Makes walks; each leaves a file SEED-PID in `pid_folder`, and seed 1 stands still while `pause_file` exists."""

    pid_folder: str = ""
    pause_file: str = ""

    def is_named(self) -> bool:
        return True

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        seed = self.seed + worker
        return SlowWalk(seed, self.pid_folder, self.pause_file if seed == 1 else "")
