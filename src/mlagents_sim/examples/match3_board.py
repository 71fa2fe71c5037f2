"""The rules of Match3: swaps, matches, falling cells and what they are worth; compiled, for all boards at once.

Row 0 is the bottom, to which cells fall. A settled board has no match: no three or more cells of one colour in a row or
column.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.agent import AgentArrays
from mlagents_sim.physics.compiled import allocating, compiled

# Boards
ROWS: Final = 9
COLUMNS: Final = 8
COLORS: Final = 6
EMPTY: Final = -1  # the colour of a cell outside the board in use, or of one that was cleared
MATCH: Final = 3  # cells at least

# Kinds of cells: plain, special and extra special
KINDS: Final = 3
SPECIAL, EXTRA_SPECIAL = 1, 2
SPECIAL_CHANCE: Final = 0.2
EXTRA_SPECIAL_CHANCE: Final = 0.1

# Moves: to the right, row by row; then upwards
ACROSS: Final = ROWS * (COLUMNS - 1)
MOVES: Final = ACROSS + (ROWS - 1) * COLUMNS
POINT_REWARD: Final = 0.01

Cells = NDArray[np.int8]


class Boards(NamedTuple):
    """What is on all boards, one row each.

    Attributes:
      size: int64 [boards, 2], rows and columns in use.
      color: int8 [boards, ROWS, COLUMNS], 0 to COLORS - 1, or EMPTY.
      kind: int8 [boards, ROWS, COLUMNS], 0 to KINDS - 1; a cell is worth a point more than that.
      is_valid: bool [boards, MOVES], whether a move makes a match.
    """

    size: NDArray[np.int64]
    color: NDArray[np.int8]
    kind: NDArray[np.int8]
    is_valid: NDArray[np.bool_]


def make_boards(count: int) -> Boards:
    """Return boards that are yet to be dealt."""
    shape = (count, ROWS, COLUMNS)
    return Boards(
        size=np.zeros((count, 2), np.int64),
        color=np.full(shape, EMPTY, np.int8),
        kind=np.zeros(shape, np.int8),
        is_valid=np.zeros((count, MOVES), np.bool_),
    )


# What happens


@compiled
def deal(boards: Boards, rows: NDArray[np.intp], rng: np.random.Generator) -> None:
    """Draw settled cells, with at least one valid move, for the boards `rows`, whose `size` was set."""
    for board in rows:
        boards.color[board] = EMPTY
        boards.kind[board] = 0
        _deal_anew(boards.color[board], boards.kind[board], boards.size[board], boards.is_valid[board], rng)


@compiled
def _deal_anew(
    color: Cells, kind: Cells, size: NDArray[np.int64], is_valid: NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """Draw all cells of one board until there is a valid move."""
    while True:
        color[: size[0], : size[1]] = EMPTY
        fill(color, kind, size, rng)
        settle(color, kind, size, rng)
        if find_moves(color, size, is_valid):
            return


@compiled
def play(boards: Boards, agents: AgentArrays, rng: np.random.Generator) -> None:
    """Make the moves of all agents, a board each, and reward what they clear; moves that are not valid do nothing."""
    for board in range(len(boards.size)):
        move, is_valid = agents.discrete[board, 0], boards.is_valid[board]
        if not is_valid[move]:
            continue
        color, kind, size = boards.color[board], boards.kind[board], boards.size[board]
        swap(color, move)
        swap(kind, move)
        agents.reward[board] += POINT_REWARD * settle(color, kind, size, rng)
        if not find_moves(color, size, is_valid):
            _deal_anew(color, kind, size, is_valid, rng)


@compiled
def cells_of(move: int) -> tuple[int, int, int, int]:
    """Return row and column of the two cells of a move; the other one is to the right of the first, or above it."""
    if move < ACROSS:
        row, column = move // (COLUMNS - 1), move % (COLUMNS - 1)
        return row, column, row, column + 1
    row, column = (move - ACROSS) // COLUMNS, (move - ACROSS) % COLUMNS
    return row, column, row + 1, column


@compiled
def swap(cells: Cells, move: int) -> None:
    """Exchange the two cells of a move."""
    row, column, other_row, other_column = cells_of(move)
    kept = cells[row, column]
    cells[row, column] = cells[other_row, other_column]
    cells[other_row, other_column] = kept


@allocating
def settle(color: Cells, kind: Cells, size: NDArray[np.int64], rng: np.random.Generator) -> int:
    """Clear matches, let cells fall and fill up from above until there are no matches; return the points."""
    is_matched = np.zeros(color.shape, np.bool_)
    points = 0
    while mark(color, size, is_matched):
        points += clear(color, kind, is_matched)
        drop(color, kind, size)
        fill(color, kind, size, rng)
    return points


@compiled
def mark(color: Cells, size: NDArray[np.int64], is_matched: NDArray[np.bool_]) -> bool:
    """Mark all cells in matches, rows and columns alike; return whether there are any."""
    any_matched = False
    for row in range(size[0]):
        start = 0
        for column in range(1, size[1] + 1):
            if column == size[1] or color[row, column] != color[row, start]:
                if column - start >= MATCH:
                    is_matched[row, start:column] = True
                    any_matched = True
                start = column
    for column in range(size[1]):
        start = 0
        for row in range(1, size[0] + 1):
            if row == size[0] or color[row, column] != color[start, column]:
                if row - start >= MATCH:
                    is_matched[start:row, column] = True
                    any_matched = True
                start = row
    return any_matched


@compiled
def clear(color: Cells, kind: Cells, is_matched: NDArray[np.bool_]) -> int:
    """Empty the marked cells and take the marks away; return the points."""
    points = 0
    for row in range(ROWS):
        for column in range(COLUMNS):
            if is_matched[row, column]:
                points += 1 + kind[row, column]
                color[row, column], kind[row, column] = EMPTY, 0
                is_matched[row, column] = False
    return points


@compiled
def drop(color: Cells, kind: Cells, size: NDArray[np.int64]) -> None:
    """Let cells fall to the lowest empty ones of their columns."""
    for column in range(size[1]):
        free = 0
        for row in range(size[0]):
            if color[row, column] == EMPTY:
                continue
            if free < row:
                color[free, column], kind[free, column] = color[row, column], kind[row, column]
                color[row, column], kind[row, column] = EMPTY, 0
            free += 1


@compiled
def fill(color: Cells, kind: Cells, size: NDArray[np.int64], rng: np.random.Generator) -> None:
    """Draw a colour and a kind for every empty cell."""
    for row in range(size[0]):
        for column in range(size[1]):
            if color[row, column] == EMPTY:
                color[row, column] = int(rng.random() * COLORS)
                drawn = rng.random()
                if drawn < EXTRA_SPECIAL_CHANCE:
                    kind[row, column] = EXTRA_SPECIAL
                else:
                    kind[row, column] = SPECIAL if drawn < EXTRA_SPECIAL_CHANCE + SPECIAL_CHANCE else 0


# Moves


@compiled
def find_moves(color: Cells, size: NDArray[np.int64], is_valid: NDArray[np.bool_]) -> bool:
    """Write which moves make a match on a settled board; return whether any does."""
    any_valid = False
    for move in range(MOVES):
        row, column, other_row, other_column = cells_of(move)
        is_valid[move] = False
        if other_row >= size[0] or other_column >= size[1] or color[row, column] == color[other_row, other_column]:
            continue
        swap(color, move)
        is_valid[move] = _is_in_match(color, row, column) or _is_in_match(color, other_row, other_column)
        swap(color, move)
        any_valid |= is_valid[move]
    return any_valid


@compiled
def _is_in_match(color: Cells, row: int, column: int) -> bool:
    for along_row, along_column in ((0, 1), (1, 0)):
        cells = 1 + _reach(color, row, column, along_row, along_column)
        if cells + _reach(color, row, column, -along_row, -along_column) >= MATCH:
            return True
    return False


@compiled
def _reach(color: Cells, row: int, column: int, along_row: int, along_column: int) -> int:
    """Return how many cells of the same colour follow a cell in a direction."""
    wanted, count = color[row, column], 0
    row, column = row + along_row, column + along_column
    while 0 <= row < ROWS and 0 <= column < COLUMNS and color[row, column] == wanted:
        count += 1
        row, column = row + along_row, column + along_column
    return count


@allocating
def rate_moves(color: NDArray[np.int8], kind: NDArray[np.int8], is_valid: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the points of what each move matches at once, before anything falls.

    Args:
      color: int8 [n, ROWS, COLUMNS].
      kind: int8 [n, ROWS, COLUMNS].
      is_valid: bool [n, MOVES].

    Returns: int64 [n, MOVES], 0 for moves that are not valid.
    """
    points = np.zeros(is_valid.shape, np.int64)
    for board in range(len(color)):
        for move in range(MOVES):
            if is_valid[board, move]:
                swap(color[board], move)
                swap(kind[board], move)
                row, column, other_row, other_column = cells_of(move)
                points[board, move] = _worth(color[board], kind[board], row, column)
                points[board, move] += _worth(color[board], kind[board], other_row, other_column)
                swap(color[board], move)
                swap(kind[board], move)
    return points


@compiled
def _worth(color: Cells, kind: Cells, row: int, column: int) -> int:
    """Return the points of the matches that a cell is in."""
    others = 0
    for along_row, along_column in ((0, 1), (1, 0)):
        after = _reach(color, row, column, along_row, along_column)
        before = _reach(color, row, column, -along_row, -along_column)
        if 1 + after + before < MATCH:
            continue
        for step in range(-before, after + 1):
            if step != 0:
                others += 1 + kind[row + step * along_row, column + step * along_column]
    return 1 + kind[row, column] + others if others > 0 else 0
