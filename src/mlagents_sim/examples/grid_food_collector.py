"""GridFoodCollector: FoodCollector's field, seen as a grid; agents are steered by numbers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.food_collector import PARAMETERS, Areas, FoodAgents, FoodCollectorWorld
from mlagents_sim.examples.food_motion import TAGS
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.cells import fill
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import GridSensor

GRID_CELLS: Final = (40, 1, 40)
CELL_M: Final = (1.0, 0.01, 1.0)


class GridFoodAgents(FoodAgents):
    """The cubes of later releases. They see what is in the cells around them, and nothing else.

    In Unity's own play by keyboard, D turns to the left: it sets the third number to 1. Here keys turn as they say.

    Args:
      areas: where they are.
      parameters: `PARAMETERS`, read at every reset.
    """

    keys = (
        Keys(("up", "w"), "run ahead", number=(0, 1.0)),
        Keys(("down", "s"), "run back", number=(0, -1.0)),
        Keys(("e",), "step to the right", number=(1, 1.0)),
        Keys(("q",), "step to the left", number=(1, -1.0)),
        Keys(("left", "a"), "turn left", number=(2, 1.0)),
        Keys(("right", "d"), "turn right", number=(2, -1.0)),
        Keys(("space",), "shoot", choice=(0, 1)),
    )

    def __init__(self, areas: Areas, parameters: EnvironmentParameters) -> None:
        self._grid = GridSensor("GridSensor-OneHot", TAGS, GRID_CELLS, CELL_M)
        super().__init__("GridFoodCollector?team=0", areas, parameters, [self._grid], ActionSpec(3, (2,)))

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what is in the cells. They have the same size, however large the agents are."""
        self.look()
        areas = self._areas
        return [fill(self._grid.grid, areas.shapes, areas.origins, np.arange(len(self))[rows])]


ENTRY = SimEntry(
    "GridFoodCollector",
    expected_reward=10.0,
    description="Gather good food, leave the bad, and freeze others by a laser; agents see a grid.",
    make_world=functools.partial(FoodCollectorWorld, make_agents=GridFoodAgents),
    num_areas=4,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "GridFoodCollector.onnx",
)
