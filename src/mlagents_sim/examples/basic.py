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
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import VectorSensor

START: Final = 10
SMALL_GOAL: Final = 7
LARGE_GOAL: Final = 17
LAST_POSITION: Final = 20
OBSERVATION_SIZE: Final = 20
STEP_REWARD: Final = -0.01
SMALL_REWARD: Final = 0.1
LARGE_REWARD: Final = 1.0

# The picture for spectators
FLOOR_COLOR: Final = (71, 74, 79)
LINE_COLOR: Final = (137, 139, 143)
GOAL_COLOR: Final = (140, 238, 151)
AGENT_COLOR: Final = (62, 195, 255)
SUPERSAMPLING: Final = 4

# Everything that can happen, by position.
_MOVES = np.array([0, -1, 1])  # stay, left, right
_NEXT = np.clip(np.arange(LAST_POSITION + 1)[:, np.newaxis] + _MOVES, 0, LAST_POSITION)
_ONE_HOT = np.eye(LAST_POSITION + 1, OBSERVATION_SIZE, dtype=np.float32)
_REWARD = np.full(LAST_POSITION + 1, STEP_REWARD, np.float32)
_REWARD[SMALL_GOAL] += SMALL_REWARD
_REWARD[LARGE_GOAL] += LARGE_REWARD
_IS_GOAL = np.isin(np.arange(LAST_POSITION + 1), (SMALL_GOAL, LARGE_GOAL))


class BasicAgents(AgentBatch):
    """One agent per line. It observes its position, 0 to 20, as one of 20 numbers.

    Attributes:
      position: [agents].
    """

    keys = (
        Keys(("left", "a"), "go left", choice=(0, 1)),
        Keys(("right", "d"), "go right", choice=(0, 2)),
        Keys(("space",), "stay", choice=(0, 0)),
    )

    def __init__(self, count: int) -> None:
        sensors = [VectorSensor(OBSERVATION_SIZE)]
        super().__init__("Basic?team=0", count, sensors, ActionSpec.create_discrete((len(_MOVES),)))
        self.position: NDArray[np.intp] = np.full(count, START)

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Go back to the start."""
        self.position[rows] = START

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return the position, one-hot."""
        return [_ONE_HOT[self.position[rows]]]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return where everybody is."""
        return {"position": self.position}

    def act(self) -> None:
        """Move; every step costs a little, a goal pays and ends the episode."""
        self.position = _NEXT[self.position, self.actions.discrete[:, 0]]
        self.add_reward(_REWARD[self.position])
        self.end_episode(_IS_GOAL[self.position])


class BasicWorld(World):
    """Lines, and a decision on every step."""

    step_seconds = 0.15
    turn_based = True

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.lines = BasicAgents(areas)
        super().__init__([self.lines], 1, parameters)

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return the lines from goal to goal, one below the other, with large dots for large goals."""
        from PIL import Image, ImageDraw

        cell = SUPERSAMPLING * width / (LARGE_GOAL - SMALL_GOAL + 2)
        apart = SUPERSAMPLING * height / (len(self.lines) + 1)
        size = min(cell, apart)
        image = Image.new("RGB", (SUPERSAMPLING * width, SUPERSAMPLING * height), FLOOR_COLOR)
        draw = ImageDraw.Draw(image)
        for line, position in enumerate(self.lines.position.tolist()):
            y = (line + 1) * apart
            draw.line((cell, y, image.width - cell, y), LINE_COLOR, round(0.06 * size))
            for goal, radius in ((SMALL_GOAL, 0.18), (LARGE_GOAL, 0.4)):
                x, reach = cell * (goal - SMALL_GOAL + 1), radius * size
                draw.ellipse((x - reach, y - reach, x + reach, y + reach), GOAL_COLOR)
            x, reach = cell * (position - SMALL_GOAL + 1), 0.36 * size
            draw.rounded_rectangle((x - reach, y - reach, x + reach, y + reach), 0.3 * reach, AGENT_COLOR)
        return np.asarray(image.resize((width, height), Image.Resampling.BOX))


ENTRY = SimEntry(
    "Basic",
    expected_reward=0.93,
    description="Walk along a line to the farther and larger of two goals.",
    make_world=BasicWorld,
    num_areas=1,
    model=Path(__file__).with_name("models") / "Basic.onnx",
)
