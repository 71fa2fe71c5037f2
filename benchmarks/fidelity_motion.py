"""How bodies of the example environments move, measured by stepping them; beside it what Unity's do.

The cubes run on the spot: after every physics step they are put back to where there is floor, and nothing in reach.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples import grid_world
from mlagents_sim.examples.ball3d import Ball3DWorld
from mlagents_sim.physics.boxes import Boxes

AHEAD, RIGHT = 1, 3
RECORDING, DEFINITION, BENCHMARK, PLAY = "recording", "definition", "benchmark", "play"
STEPS_TO_TOP_SPEED = 600


class Row(NamedTuple):
    """One figure of the comparison.

    Attributes:
      environment: its name.
      figure: what it is, with its unit.
      unity: what it is in Unity; None if nobody knows.
      here: what it is here.
      source: how Unity's value is known: RECORDING, DEFINITION (computed from what the environment is made of),
        BENCHMARK (what a good agent is to reach) or PLAY.
    """

    environment: str
    figure: str
    unity: float | None
    here: float
    source: str


class Cube(NamedTuple):
    """A game in which a cube runs about on a floor.

    Attributes:
      environment: its name.
      module: where its ENTRY is.
      spot: where the cube runs on the spot, m.
      turn: the actions that turn right, and what a decision turns in Unity, degrees.
      ahead: the actions that run ahead.
      lost: what friction takes in a physics step of coasting in Unity, m/s: 2 m g dt (1 - drag dt).
      top_speed: in Unity, m/s.
      drag: 1/s.
      source: how the last two are known.
    """

    environment: str
    module: str
    spot: tuple[float, float, float]
    ahead: Sequence[int]
    turn: Sequence[int]
    turn_deg: float
    lost: float
    top_speed: float
    drag: float
    source: str


CUBES = (
    Cube("PushBlock", "push_block", (0.0, 0.5, 0.0), [AHEAD], [RIGHT], 20.0, 0.2708, 31.1, 4.0, DEFINITION),
    Cube("Hallway", "hallway", (0.0, 1.0, -20.0), [AHEAD], [RIGHT], 18.0, 0.4520, 24.7, 2.0, RECORDING),
    Cube("Pyramids", "pyramids", (15.5, 0.5, 0.0), [AHEAD], [RIGHT], 20.0, 0.2260, 42.3, 2.0, RECORDING),
    Cube("WallJump", "wall_jump", (0.0, 0.95, -10.0), [1, 0, 0, 0], [0, 2, 0, 0], 30.0, 0.6216, 56.5, 2.0, DEFINITION),
)


class Runner:
    """The cube of one area of a game.

    Args:
      cube: which game.

    Raises:
      ImportError: the game is not there.
    """

    def __init__(self, cube: Cube) -> None:
        module = importlib.import_module(f"mlagents_sim.examples.{cube.module}")
        env: SimEnvironment = module.ENTRY.make(seed=1, num_areas=1)
        env.reset()
        self.world = env._world
        self.boxes: Boxes = self.world.areas.boxes if cube.environment == "WallJump" else self.world.boxes
        self.spot = np.array(cube.spot)
        self._clear_the_floor(cube.environment, module)

    def _clear_the_floor(self, environment: str, module: Any) -> None:
        if environment == "Hallway":
            self.boxes.position[0, module.SIGN_O : module.SIGN_X + 1] = module.AWAY
        elif environment == "PushBlock":
            self.boxes.position[0, module.BLOCK] = (9.0, 0.375, 9.0)
        elif environment == "WallJump":
            self.boxes.position[0, module.BLOCK] = (7.0, module.BLOCK_HEIGHT_M, -5.0)

    def place(self, velocity: Sequence[float] | NDArray[np.floating] = (0.0, 0.0, 0.0), height: float = 0.0) -> None:
        """Put the cube on its spot, or so high above it, looking along +z."""
        self.boxes.position[0, 0] = self.spot + np.array((0.0, height, 0.0))
        self.boxes.velocity[0, 0] = velocity
        self.boxes.yaw[0, 0] = self.boxes.spin[0, 0] = 0.0

    def step(self, action: Sequence[int], *, on_the_spot: bool = True) -> NDArray[np.float64]:
        """One physics step; returns the velocity, float64 [3], m/s."""
        place = self.boxes.position[0, 0].copy()
        for agents in self.world.agents:
            agents.arrays.discrete[:] = action
            agents.arrays.step_count[:] = 0
        if self.world.advance(1) != (1, False):
            raise RuntimeError("an episode ended where none can")
        velocity: NDArray[np.float64] = self.boxes.velocity[0, 0].copy()
        if on_the_spot:
            self.boxes.position[0, 0] = place
        return velocity

    @property
    def nothing(self) -> list[int]:
        """The actions that do nothing."""
        return [0] * self.world.agents[0].arrays.discrete.shape[1]


def cube_rows(cube: Cube) -> list[Row]:
    """Measure turning, friction and top speed of a cube."""
    runner, name = Runner(cube), cube.environment
    runner.place()
    for _ in range(runner.world.decision_period):
        runner.step(cube.turn)
    turned = float(np.degrees(runner.boxes.yaw[0, 0]))
    runner.place((0.0, 0.0, 20.0))
    lost = 20.0 * (1.0 - 0.02 * cube.drag) - float(runner.step(runner.nothing)[2])
    runner.place()
    for _ in range(STEPS_TO_TOP_SPEED):
        speed = float(runner.step(cube.ahead)[2])
    return [
        Row(name, "turn of a decision, degrees", cube.turn_deg, turned, DEFINITION),
        Row(name, "speed lost to friction in a step, m/s", cube.lost, lost, cube.source),
        Row(name, "top speed, m/s", cube.top_speed, speed, cube.source),
    ]


def hallway_rows(cube: Cube) -> list[Row]:
    """Fit a line through the distances of each decision of running ahead and of the next."""
    runner = Runner(cube)
    runner.place()
    covered = []
    for _ in range(12):
        start = float(runner.boxes.position[0, 0, 2])
        for _ in range(runner.world.decision_period):
            runner.step(cube.ahead, on_the_spot=False)
        covered.append(float(runner.boxes.position[0, 0, 2]) - start)
    slope, intercept = np.polyfit(covered[1:-1], covered[2:], 1)
    figure = "distances of two decisions, d' = a d + b:"
    return [
        Row(cube.environment, f"{figure} a", 0.96**6, float(slope), RECORDING),
        Row(cube.environment, f"{figure} b, m", 0.644, float(intercept), RECORDING),
    ]


def pyramids_rows(cube: Cube) -> list[Row]:
    """Five steps of coasting, and five of falling from rest."""
    runner = Runner(cube)
    runner.place((0.0, 0.0, 28.27))
    for _ in range(5):
        coasting = float(runner.step(runner.nothing)[2])
    runner.place(height=100.0)
    for _ in range(5):
        falling = float(runner.step(runner.nothing)[1])
    return [
        Row(cube.environment, "coasting at 28.27 m/s, after a decision, m/s", 22.01, coasting, RECORDING),
        Row(cube.environment, "falling from rest, after a decision, m/s", -0.8694, falling, RECORDING),
    ]


def wall_jump_rows(cube: Cube) -> list[Row]:
    """How high a jump leads."""
    runner = Runner(cube)
    runner.place()
    heights = []
    for step in range(60):
        runner.step([0, 0, 0, 1 if step < 5 else 0], on_the_spot=False)
        heights.append(runner.boxes.position[0, 0, 1])
    return [Row(cube.environment, "height of a jump, m", 2.75, float(max(heights)) - cube.spot[1], DEFINITION)]


def ball_rows(world: Ball3DWorld) -> list[Row]:
    """Measure a ball that falls, and a platform that turns."""
    areas, agents = world.areas, world.agents[0]
    areas.quat[0] = (1.0, 0.0, 0.0, 0.0)
    areas.position[0, :3] = areas.origin[0] + (0.0, 4.0, 0.0)
    areas.velocity[0] = 0.0
    agents.arrays.continuous[0] = (1.0, 0.0)
    world.advance(5)
    dropped = 4.0 - float(areas.position[0, 1] - areas.origin[0, 1])
    return [
        Row("3DBall", "free fall of a decision from rest, m", 0.05886, dropped, RECORDING),
        Row("3DBall", "speed after it, m/s", -0.981, float(areas.velocity[0, 1]), RECORDING),
        Row(
            "3DBall",
            "turn of a decision, degrees",
            10.0,
            float(2.0 * np.degrees(np.arcsin(areas.quat[0, 3]))),
            RECORDING,
        ),
    ]


def grid_rows() -> list[Row]:
    """Where an agent and a goal are in the picture of the grid."""
    env = grid_world.ENTRY.make(seed=1, num_areas=1)
    env.reset()
    grids = env._world.grids
    grids.cells[:] = grid_world.EMPTY
    grids.cells[0, 2, 2] = grid_world.GOAL
    grids.position[0] = 2, 3
    picture = np.asarray(grids.observe(slice(None))[0])[0]
    rows = []
    for name, color, expected in (
        ("agent", grid_world.AGENT_COLOR, (13, 25, 36, 47)),
        ("goal below it", grid_world.GOAL_COLOR, (26, 37, None, None)),
    ):
        found = np.argwhere((np.abs(picture - np.reshape(color, (3, 1, 1)) / 255.0) < 1e-6).all(0))
        edges = (found[:, 0].min(), found[:, 0].max(), found[:, 1].min(), found[:, 1].max())
        for edge, pixel, unity in zip(
            ("top row", "bottom row", "left column", "right column"), edges, expected, strict=True
        ):
            if unity is not None:
                rows.append(Row("GridWorld", f"{edge} of the {name}, pixel", unity, float(pixel), RECORDING))
    return rows


def motion_rows() -> list[Row]:
    """All of the above; games that are not there are left out."""
    from mlagents_sim.examples import ball3d

    env = ball3d.ENTRY.make(seed=1, num_areas=1)
    env.reset()
    rows = [*ball_rows(env._world), *grid_rows()]
    more = {"Hallway": hallway_rows, "Pyramids": pyramids_rows, "WallJump": wall_jump_rows}
    for cube in CUBES:
        try:
            rows += cube_rows(cube)
        except ModuleNotFoundError:
            continue
        if cube.environment in more:
            rows += more[cube.environment](cube)
    return rows
