"""What samplers of a cluster play in tests; a module of its own, since it is imported in their processes."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np

from mlagents.rollout.source import EnvironmentSource
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.side_channel import SideChannel
from mlagents_envs.side_channel.environment_parameters_channel import decode_parameter
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel, encode_stat
from toys.contest import Race
from toys.walk import NAME, Walk


class SlowWalk(Walk):
    """A walk that writes down how many decisions it has played; one stands still when a file says so."""

    def __init__(self, seed: int, pid_folder: str, pause_file: str) -> None:
        super().__init__("continuous", agents=4, seed=seed)
        self._pause_file = pause_file
        self._steps_done = 0
        path = os.path.join(pid_folder, f"{seed}-{os.getpid()}") if pid_folder else os.devnull
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY)

    def step(self) -> None:
        super().step()
        self._steps_done += 1
        os.pwrite(self._file, f"{4 * self._steps_done}".encode(), 0)
        if self._pause_file:
            time.sleep(0.005)
            while os.path.exists(self._pause_file):
                time.sleep(0.05)


@dataclass(frozen=True)
class NamedSource(EnvironmentSource):
    """Its environments are of Python, whatever `env` says."""

    def is_named(self) -> bool:
        return True


@dataclass(frozen=True)
class WalkSource(NamedSource):
    """Makes walks; each leaves a file SEED-PID in `pid_folder`, with the number of decisions that it has played.

    Seed 1 stands still while `pause_file` exists, and takes 5 ms a step.
    """

    pid_folder: str = ""
    pause_file: str = ""

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        seed = self.seed + worker
        return SlowWalk(seed, self.pid_folder, self.pause_file if seed == 1 else "")


class TellingWalk(Walk):
    """A walk that reports at every step, as statistics, its seed and each environment parameter that it was told.

    Of a sampler it reports the seed. `broken`: the reward of agent 2 is not a number in every step.
    """

    def __init__(self, seed: int, side_channels: list[SideChannel], broken: bool) -> None:
        super().__init__("continuous", agents=4, seed=seed)
        self._manager = SideChannelManager(side_channels)
        self._told = {"seed": float(seed)}
        self._broken = broken

    def _hear(self) -> None:
        for _, payload in iter_frames(self._manager.generate_side_channel_messages()):
            name, value = decode_parameter(payload)
            self._told[name] = value if isinstance(value, float) else float(value.seed)

    def reset(self) -> None:
        self._hear()
        super().reset()

    def step(self) -> None:
        self._hear()
        super().step()
        frames = [
            pack_frame(StatsSideChannel.CHANNEL_ID, encode_stat(name, value, StatsAggregationMethod.MOST_RECENT))
            for name, value in self._told.items()
        ]
        self._manager.process_side_channel_message(b"".join(frames))
        if self._broken:
            self.get_steps(NAME)[0].reward[2] = np.nan


@dataclass(frozen=True)
class TellingSource(NamedSource):
    """Makes walks that tell; those of the seed `broken_seed` are broken."""

    broken_seed: int = -1

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        seed = self.seed + worker
        return TellingWalk(seed, side_channels, seed == self.broken_seed)


@dataclass(frozen=True)
class RaceSource(NamedSource):
    """Makes races of two teams."""

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        return Race(seed=self.seed + worker)


@dataclass(frozen=True)
class DyingSource(NamedSource):
    """Makes nothing: the process dies of it."""

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        os._exit(1)
