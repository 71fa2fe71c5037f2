"""Basic: walk along a line to one of two goals; the larger reward is the farther one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.rows import Rows
from mlagents_sim.sensors import VectorSensor

START: Final = 10
SMALL_GOAL: Final = 7
LARGE_GOAL: Final = 17
LAST_POSITION: Final = 20
OBSERVATION_SIZE: Final = 20
STEP_REWARD: Final = -0.01
SMALL_REWARD: Final = 0.1
LARGE_REWARD: Final = 1.0

# Everything that can happen, by position.
_MOVES = np.array([0, -1, 1])  # stay, left, right
_NEXT = np.clip(np.arange(LAST_POSITION + 1)[:, np.newaxis] + _MOVES, 0, LAST_POSITION)
_ONE_HOT = np.eye(LAST_POSITION + 1, OBSERVATION_SIZE, dtype=np.float32)
_REWARD = np.full(LAST_POSITION + 1, STEP_REWARD, np.float32)
_REWARD[SMALL_GOAL] += SMALL_REWARD
_REWARD[LARGE_GOAL] += LARGE_REWARD
_IS_GOAL = np.isin(np.arange(LAST_POSITION + 1), (SMALL_GOAL, LARGE_GOAL))


class BasicAgents(AgentBatch):
    """One agent per line. It observes its position, 0 to 20, as one of 20 numbers."""

    def __init__(self, count: int) -> None:
        sensors = [VectorSensor(OBSERVATION_SIZE)]
        super().__init__("Basic?team=0", count, sensors, ActionSpec.create_discrete((len(_MOVES),)))
        self._position: NDArray[np.intp] = np.full(count, START)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Back to the start."""
        self._position[rows] = START

    def observe(self, rows: Rows) -> Sequence[ArrayLike]:
        """The position, one-hot."""
        return [_ONE_HOT[self._position[rows]]]

    def memory(self) -> Mapping[str, NDArray[Any]]:
        """Where everybody is."""
        return {"position": self._position}

    def act(self) -> None:
        """Move; every step costs a little, a goal pays and ends the episode."""
        self._position = _NEXT[self._position, self.actions.discrete[:, 0]]
        self.add_reward(_REWARD[self._position])
        self.end_episode(_IS_GOAL[self._position])


def make_world(areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> World:
    """One line per area, and a decision on every step."""
    return World([BasicAgents(areas)], 1, parameters)


ENTRY = SimEntry(
    "Basic",
    expected_reward=0.93,
    description="Walk along a line to the farther and larger of two goals.",
    make_world=make_world,
    num_areas=1,
    model=Path(__file__).with_name("models") / "Basic.onnx",
)
