"""Match3: swap neighbours on a board so that three or more of a colour meet."""

from __future__ import annotations

import functools
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.match3_board import COLORS, COLUMNS, KINDS, MOVES, ROWS, deal, make_boards, play
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import ImageSensor, Sensor, VectorSensor

MAX_STEP: Final = 500
COLORS_NAME: Final = "Match3 Sensor (cells)"
KINDS_NAME: Final = "Match3 Sensor (special)"

PARAMETERS: Final = {
    "fewest_rows": Parameter("rows that a board has at least", 6.0, 6.0, float(ROWS)),
    "fewest_columns": Parameter("columns that a board has at least", 6.0, 6.0, float(COLUMNS)),
}

# For spectators, and people who play
STEP_SECONDS: Final = 0.3
SIGNS: Final = string.digits[1:] + string.ascii_lowercase
"""What the valid moves bear, in their order; the key of the same name makes the move."""


class Match3Agents(AgentBatch):
    """The players, a board each. They see the colours and kinds of all cells, and know which moves make a match.

    Args:
      behavior: fully qualified name.
      count: boards.
      rng: source of boards and of what falls from above.
      parameters: `PARAMETERS`, read at every reset.
      sees_images: whether colours and kinds are images with a channel each, instead of vectors, row by row.

    Attributes:
      boards: what is on the boards.
    """

    keys = (Keys(tuple(SIGNS), "make the move that bears this sign"),)

    def __init__(
        self,
        behavior: str,
        count: int,
        rng: np.random.Generator,
        parameters: EnvironmentParameters,
        *,
        sees_images: bool,
    ) -> None:
        sensors: list[Sensor] = [
            ImageSensor(ROWS, COLUMNS, width, name) if sees_images else VectorSensor(ROWS * COLUMNS * width, name)
            for name, width in ((COLORS_NAME, COLORS), (KINDS_NAME, KINDS))
        ]
        super().__init__(behavior, count, sensors, ActionSpec.create_discrete((MOVES,)), MAX_STEP)
        self.boards = make_boards(count)
        self._rng = rng
        self._parameters = parameters
        self._sees_images = sees_images

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Deal boards of any size that there may be."""
        for axis, (name, most) in enumerate((("fewest_rows", ROWS), ("fewest_columns", COLUMNS))):
            fewest = self._parameters.read(name, len(rows)).astype(np.int64)
            self.boards.size[rows, axis] = self._rng.integers(fewest, most + 1)
        deal(self.boards, rows, self._rng)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return colours and kinds one-hot, zeros for cells outside the board in use."""
        color = self.boards.color[rows]
        kind = np.where(color >= 0, self.boards.kind[rows], -1)
        one_hots = [
            (cells[..., np.newaxis] == np.arange(width)).astype(np.float32)
            for cells, width in ((color, COLORS), (kind, KINDS))
        ]
        if self._sees_images:
            return [np.ascontiguousarray(cells.transpose(0, 3, 1, 2)) for cells in one_hots]
        return [cells.reshape(len(color), -1) for cells in one_hots]

    def action_mask(self) -> list[NDArray[np.bool_]]:
        """Forbid moves that make no match."""
        return [~self.boards.is_valid]

    def heuristic(self) -> ActionTuple:
        """Return the valid move with the sign of the newest held key; where there is none, a move that does nothing."""
        place = next((SIGNS.index(name) for name in reversed(self.held_keys) if name in SIGNS), len(SIGNS))
        is_valid = self.boards.is_valid[np.flatnonzero(self._waits)]
        numbered = np.cumsum(is_valid, axis=1) - 1
        wanted = is_valid & (numbered == place)
        move = np.where(wanted.any(axis=1), wanted.argmax(axis=1), is_valid.argmin(axis=1))
        return ActionTuple(discrete=move[:, np.newaxis].astype(np.int32))

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return the boards."""
        return self.boards._asdict()

    def act(self) -> None:
        """Make the moves; every point that they clear pays."""
        play(self.boards, self.arrays, self._rng)


class Match3World(World):
    """Boards, and a move on every step.

    Args:
      areas: boards.
      rng: source of all cells.
      parameters: `PARAMETERS`.
      sees_images: what the agents see.
    """

    step_seconds = STEP_SECONDS
    turn_based = True

    def __init__(
        self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters, *, sees_images: bool = False
    ) -> None:
        behavior = f"Match3{'Visual' if sees_images else 'Vector'}Obs?team=0"
        self.players = Match3Agents(behavior, areas, rng, parameters, sees_images=sees_images)
        super().__init__([self.players], 1, parameters)

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return all boards; where there is room, valid moves bear the sign of the key that makes them."""
        from mlagents_sim.examples.match3_picture import draw_boards

        return draw_boards(self.players.boards, SIGNS, width, height)


def _entry(name: str, benchmark: float, *, sees_images: bool) -> SimEntry:
    return SimEntry(
        name,
        expected_reward=benchmark,
        description="Swap neighbours on a board so that three or more of a colour meet"
        + (", seen as images." if sees_images else "."),
        make_world=functools.partial(Match3World, sees_images=sees_images),
        num_areas=16,
        parameters=PARAMETERS,
        model=Path(__file__).with_name("models") / f"{name}.onnx",
    )


ENTRY = _entry("Match3", 38.5, sees_images=False)
VISUAL_ENTRY = _entry("Match3Visual", 39.5, sees_images=True)
