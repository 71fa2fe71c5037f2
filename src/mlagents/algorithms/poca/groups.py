"""Who plays with whom, and how a group's experience goes on when one of it is gone: rows of experience, joined.

Rows are joined by (worker, group, tick): agents of one group that decide in the same round are mates. Nothing is
copied; a row's mates are numbers of other rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.segments import FlatSegments


class GroupLinks(NamedTuple):
    """How rows of experience hang together.

    Attributes:
      mates: int32 [rows, G - 1], rows of the others in the group; -1: none. Of a decision: those that decide in
        the same round. Of a closing row: its last decision's mates, one row on, as far as they live.
      stand_in: int32 [rows], the decision whose outcome counts as this one's: itself; but if the agent's episode ended
        with it while a mate lives on, the mate's decision of that round.
      complete: bool [rows], decisions all of whose mates are here; those of others are still with the sampler.
    """

    mates: NDArray[np.int32]
    stand_in: NDArray[np.int32]
    complete: NDArray[np.bool_]


def join(rows: FlatSegments, width: int = 1) -> GroupLinks:
    """Return how the rows hang together.

    Args:
      rows: segments of agents, with and without groups.
      width: mates to make room for at least; there is always room for all, in one of few widths (see `padded_width`).
    """
    decisions = np.flatnonzero(~rows.closing)
    mates = np.full((len(rows.closing), 0), -1, np.int32)
    number = np.ones(len(decisions), np.int64)
    grouped = decisions[rows.columns.group_id[decisions] != 0]
    if len(grouped):
        members, start, size = _runs(rows, grouped)
        mates = np.full((len(rows.closing), padded_width(int(size.max()) - 1)), -1, np.int32)
        mates[members] = _others(members, start, size, mates.shape[1])
        number = 1 + (mates[decisions] >= 0).sum(axis=1)
    mates = _widened(mates, max(width, 1))
    last = decisions[rows.closing[decisions + 1]]
    going = mates[last]
    onward = np.where(going >= 0, going + 1, -1)
    onward[(going >= 0) & rows.terminated[going]] = -1
    mates[last + 1] = onward
    stand_in = np.arange(len(mates), dtype=np.int32)
    alive = onward >= 0
    posthumous = rows.terminated[last] & alive.any(axis=1)
    survivor = going[np.arange(len(last)), alive.argmax(axis=1)]
    stand_in[last[posthumous]] = survivor[posthumous]
    complete = np.zeros(len(mates), np.bool_)
    complete[decisions] = number >= rows.columns.group_size[decisions]
    return GroupLinks(mates, stand_in, complete)


def _runs(rows: FlatSegments, grouped: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows with those of one group and round behind one another, and of each where its group begins."""
    columns = rows.columns
    keys = np.stack([rows.worker[grouped], columns.group_id[grouped], columns.tick[grouped]])
    order = np.lexsort(keys)
    changed = np.any(np.diff(keys[:, order]) != 0, axis=0)
    first = np.flatnonzero(np.concatenate([[True], changed]))
    size = np.diff(np.concatenate([first, [len(order)]]))
    return grouped[order], np.repeat(first, size), np.repeat(size, size)


def _others(members: NDArray[np.intp], start: NDArray[np.intp], size: NDArray[np.intp], width: int) -> NDArray[np.intp]:
    """Return int [members, width]: everybody else of each one's group, -1 where there are no more."""
    own = np.arange(len(members)) - start
    number = np.arange(width)
    number = number + (number >= own[:, np.newaxis])
    there = number < size[:, np.newaxis]
    return np.where(there, members[np.minimum(start[:, np.newaxis] + number, len(members) - 1)], -1)


def _widened(mates: NDArray[np.int32], width: int) -> NDArray[np.int32]:
    missing = width - mates.shape[1]
    return mates if missing <= 0 else np.pad(mates, ((0, 0), (0, missing)), constant_values=-1)


def padded_width(mates: int) -> int:
    """Return the room that is made for so many mates: 1, 2, 3, 4, 6, 8, 12, 16, ..., so that few shapes compile."""
    width = 1
    while width < mates:
        width = max(width + 1, width + width // 2 if width & (width - 1) == 0 else width // 3 * 4)
    return width


def together(links: GroupLinks, decisions: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
    """Return the decisions in a random order in which mates stand side by side."""
    first = np.where(links.mates[decisions] >= 0, links.mates[decisions], decisions[:, np.newaxis]).min(axis=1)
    leader = np.minimum(first, decisions)
    shuffled = rng.permutation(len(links.mates))
    order: NDArray[np.int32] = decisions[np.argsort(shuffled[leader], kind="stable")]
    return order
