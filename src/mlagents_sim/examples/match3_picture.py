"""How spectators see the boards of Match3: squares, balls for special cells, crosses for extra special ones."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mlagents_sim.examples.match3_board import (
    COLUMNS,
    EMPTY,
    EXTRA_SPECIAL,
    ROWS,
    SPECIAL,
    Boards,
    cells_of,
)

SUPERSAMPLING: Final = 2
BACKGROUND: Final = (46, 49, 54)
BOARD: Final = (71, 74, 79)
CELL_COLORS: Final = ((214, 62, 54), (62, 150, 214), (96, 178, 84), (236, 196, 62), (148, 96, 196), (232, 138, 56))
SIGN_COLOR: Final = (250, 250, 250)
REACH: Final = 0.4  # of a cell's shape, in cells
BAR: Final = 0.28  # half the thickness of a cross, in REACH
SIGN: Final = 0.36  # height of a sign, in cells
SMALLEST_SIGN: Final = 8.0  # pixels


def draw_boards(boards: Boards, signs: str, width: int, height: int) -> NDArray[np.uint8]:
    """Return a picture of all boards, side by side.

    Args:
      boards: what is on them.
      signs: of the valid moves in their order; they are left out where they could not be read.
      width: of the picture, pixels.
      height: likewise.

    Returns: uint8 [height, width, 3], first row at the top.
    """
    count = len(boards.size)
    across = math.ceil(math.sqrt(count))
    down = math.ceil(count / across)
    image = Image.new("RGB", (SUPERSAMPLING * width, SUPERSAMPLING * height), BACKGROUND)
    draw = ImageDraw.Draw(image)
    cell = min(image.width / (across * (COLUMNS + 1)), image.height / (down * (ROWS + 1)))
    for board in range(count):
        left = 0.5 * (image.width - across * (COLUMNS + 1) * cell) + (board % across * (COLUMNS + 1) + 0.5) * cell
        top = 0.5 * (image.height - down * (ROWS + 1) * cell) + (board // across * (ROWS + 1) + 0.5) * cell
        _Sheet(draw, left, top, cell).draw_board(boards, board, signs)
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


class _Sheet:
    """Where one board is drawn: its left and upper edge and the size of its cells, pixels."""

    def __init__(self, draw: ImageDraw.ImageDraw, left: float, top: float, cell: float) -> None:
        self._draw = draw
        self._left = left
        self._top = top
        self._cell = cell

    def draw_board(self, boards: Boards, board: int, signs: str) -> None:
        rows, columns = boards.size[board].tolist()
        upper, right = self._middle(rows - 0.5, -0.5)[1], self._middle(0, columns - 0.5)[0]
        self._draw.rectangle((self._left, upper, right, self._top + ROWS * self._cell), BOARD)
        for row, column in np.argwhere(boards.color[board] != EMPTY).tolist():
            self._draw_cell(row, column, int(boards.color[board, row, column]), int(boards.kind[board, row, column]))
        if SIGN * self._cell >= SUPERSAMPLING * SMALLEST_SIGN:
            for sign, move in zip(signs, np.flatnonzero(boards.is_valid[board]).tolist(), strict=False):
                self._draw_sign(sign, move)

    def _draw_cell(self, row: int, column: int, color: int, kind: int) -> None:
        x, y = self._middle(row, column)
        reach, paint = REACH * self._cell, CELL_COLORS[color]
        if kind == SPECIAL:
            self._draw.ellipse((x - reach, y - reach, x + reach, y + reach), paint)
        elif kind == EXTRA_SPECIAL:
            self._draw.rectangle((x - reach, y - BAR * reach, x + reach, y + BAR * reach), paint)
            self._draw.rectangle((x - BAR * reach, y - reach, x + BAR * reach, y + reach), paint)
        else:
            self._draw.rounded_rectangle((x - reach, y - reach, x + reach, y + reach), 0.25 * reach, paint)

    def _draw_sign(self, sign: str, move: int) -> None:
        """Draw a sign between the two cells of a move."""
        row, column, other_row, other_column = cells_of(move)
        x, y = self._middle(0.5 * (row + other_row), 0.5 * (column + other_column))
        half = 0.6 * SIGN * self._cell
        self._draw.ellipse((x - half, y - half, x + half, y + half), BACKGROUND)
        self._draw.text((x, y), sign, SIGN_COLOR, ImageFont.load_default(SIGN * self._cell), anchor="mm")

    def _middle(self, row: float, column: float) -> tuple[float, float]:
        return self._left + (column + 0.5) * self._cell, self._top + (ROWS - 0.5 - row) * self._cell
