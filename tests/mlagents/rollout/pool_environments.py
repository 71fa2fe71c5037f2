"""An environment for tests of the pools, and its source."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

import numpy as np

from mlagents.rollout.source import EnvironmentSource
from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.side_channel import SideChannel
from mlagents_envs.side_channel.environment_parameters_channel import decode_parameter
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.side_channel.stats_side_channel import (
    StatsAggregationMethod,
    StatsSideChannel,
    encode_stat,
)

RAISE, KILL, HANG, SLEEP = 100.0, 101.0, 102.0, 103.0
"""First continuous action of the first walker that makes the environment fail, or take half a second."""


def spec(*shapes: tuple[int, ...], actions: ActionSpec) -> BehaviorSpec:
    unspecified = DimensionProperty.UNSPECIFIED
    observations = [
        ObservationSpec(shape, (unspecified,) * len(shape), ObservationType.DEFAULT, f"obs {i}")
        for i, shape in enumerate(shapes)
    ]
    return BehaviorSpec(observations, actions)


WALKER = spec((8,), (3, 4, 4), actions=ActionSpec(2, (3, 2)))
LATECOMER = spec((5,), actions=ActionSpec(0, (4,)))


class Scene(BaseEnv):
    """Walkers with random observations; their reward is the sum of their continuous actions plus `bonus`.

    Parameters: `agents` walkers (3), `bonus` (0), `late` = step at which a second behavior appears (never).
    Each step sends the statistic "walked" in steps that are a multiple of five.
    """

    def __init__(self, seed: int, side_channels: list[SideChannel], child: bool = False):
        self._rng = np.random.default_rng(seed)
        self._manager = SideChannelManager(side_channels)
        self._parameters = {"agents": 3.0, "bonus": 0.0, "late": np.inf}
        self._specs: dict[str, BehaviorSpec] = {}
        self._actions: dict[str, ActionTuple] = {}
        self._steps: dict[str, tuple[DecisionSteps, TerminalSteps]] = {}
        self._time = 0
        self._child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(99)"]) if child else None

    @property
    def behavior_specs(self) -> BehaviorMapping:
        return BehaviorMapping(self._specs)

    def reset(self) -> None:
        for _, payload in iter_frames(self._manager.generate_side_channel_messages()):
            name, value = decode_parameter(payload)
            assert isinstance(value, float)
            self._parameters[name] = value
        self._time = 0
        self._actions.clear()
        self._observe()

    def step(self) -> None:
        walk = self._actions.get("Walker?team=0")
        if walk is not None and len(walk.continuous):
            _act_up(walk.continuous[0, 0])
        self._time += 1
        if self._time % 5 == 0:
            stat = encode_stat("walked", float(self._time), StatsAggregationMethod.SUM)
            self._manager.process_side_channel_message(pack_frame(StatsSideChannel.CHANNEL_ID, stat))
        self._observe()
        self._actions.clear()

    def _observe(self) -> None:
        agents = int(self._parameters["agents"])
        self._specs["Walker?team=0"] = WALKER
        self._steps["Walker?team=0"] = self._report("Walker?team=0", agents)
        if self._time >= self._parameters["late"]:
            self._specs["Latecomer?team=0"] = LATECOMER
            self._steps["Latecomer?team=0"] = self._report("Latecomer?team=0", self._time % 3)

    def _report(self, name: str, agents: int) -> tuple[DecisionSteps, TerminalSteps]:
        spec, rng = self._specs[name], self._rng
        ids = rng.permutation(1000)[:agents].astype(np.int32)
        reward = np.full(agents, self._parameters["bonus"], np.float32)
        action = self._actions.get(name)
        if action is not None:
            reward[: len(action.continuous)] += action.continuous.sum(axis=1)[:agents]
        ended = np.flatnonzero(rng.random(agents) < (0.3 if self._time else 0.0))
        masks = [rng.random((agents, size)) < 0.5 for size in spec.action_spec.discrete_branches]

        def obs(rows: int) -> list[np.ndarray]:
            return [rng.random((rows, *o.shape), np.float32) for o in spec.observation_specs]

        decision = DecisionSteps(obs(agents), reward, ids, masks if agents else None, ids // 10, reward * np.float32(2))
        interrupted = rng.random(len(ended)) < 0.5
        terminal = TerminalSteps(obs(len(ended)), reward[ended], interrupted, ids[ended], ids[ended] // 10)
        return decision, terminal

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        self._actions[behavior_name] = action

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        raise NotImplementedError

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        return self._steps[behavior_name]

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.wait()


def _act_up(order: float) -> None:
    if order == RAISE:
        raise ArithmeticError("the ball fell through the floor")
    if order == KILL:
        os.kill(os.getpid(), signal.SIGKILL)
    if order == HANG:
        time.sleep(99)
    if order == SLEEP:
        time.sleep(0.5)


@dataclass(frozen=True)
class SceneSource(EnvironmentSource):
    """Makes a `Scene`; with `child`, one that starts a process of its own."""

    child: bool = False

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        return Scene(self.seed + worker, side_channels, self.child)


@dataclass(frozen=True)
class FailingSource(EnvironmentSource):
    """Raises what `env` says when it is asked for an environment."""

    def make(self, worker: int, side_channels: list[SideChannel]) -> BaseEnv:
        if self.env == "modules":
            raise LookupError(" ".join(sys.modules))
        if self.env == "exit":
            os._exit(3)
        raise _Unpicklable(worker, "no licence")


class _Unpicklable(Exception):
    def __init__(self, worker: int, reason: str):
        super().__init__(f"worker {worker}: {reason}")
