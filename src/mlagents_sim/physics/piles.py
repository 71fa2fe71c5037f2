"""Piles of upright boxes that sleep until something moves into them: `boxes`, for areas with very many of them.

A pile wakes as a whole, as an island does in Unity, and sleeps again when all of it has been slow for a while.
One that was dropped from the sky falls box by box, each straight down to where it will lie, unless it is woken.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.boxes import Boxes, move_few
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M
from mlagents_sim.physics.rules import TIME_STEP_S

ASLEEP, AWAKE, FALLING = 0, 1, 2
SLOW: Final = 0.1  # m/s: half its square is Unity's sleep threshold of 0.005 J/kg
SLOW_STEPS: Final = 20  # 0.4 s below it send a pile to sleep


class Piles(NamedTuple):
    """Which of the movers of a `Boxes` belong together.

    Attributes:
      first: int64 [piles + 1], the movers of pile i are `first[i]` to `first[i + 1] - 1`; movers before the first
        pile never sleep, and there are none behind the last.
      rest_height: float64 [movers], height of the middle of a dropped box when it has come to rest, m.
      state: int64 [areas, piles], ASLEEP, AWAKE or FALLING.
      slow_steps: int64 [areas, piles], for how long all boxes have been slow.
      bounds: float64 [areas, piles, 2, 3], lowest and highest corner of what lies or falls, m.
    """

    first: NDArray[np.int64]
    rest_height: NDArray[np.float64]
    state: NDArray[np.int64]
    slow_steps: NDArray[np.int64]
    bounds: NDArray[np.float64]


def make_piles(areas: int, first: list[int], rest_height: NDArray[np.float64]) -> Piles:
    """Return piles that are all asleep."""
    count = len(first) - 1
    return Piles(
        np.array(first, np.int64),
        rest_height,
        np.full((areas, count), ASLEEP, np.int64),
        np.zeros((areas, count), np.int64),
        np.zeros((areas, count, 2, 3)),
    )


@compiled
def drop_pile(boxes: Boxes, piles: Piles, area: int, pile: int) -> None:
    """Let a pile fall whose boxes have just been put in the air, at rest."""
    piles.state[area, pile] = FALLING
    for mover in range(piles.first[pile], piles.first[pile + 1]):
        boxes.velocity[area, mover] = 0.0
        boxes.spin[area, mover] = 0.0
    _measure(boxes, piles, area, pile)


@allocating
def move_with_piles(boxes: Boxes, piles: Piles, gravity: float) -> None:
    """Advance all areas by 0.02 s, as `boxes.move`.

    Args:
      boxes: changed in place. Touches are those of the movers that never sleep.
      piles: changed in place.
      gravity: m/s^2, downwards.
    """
    areas, count = boxes.yaw.shape
    chosen = np.empty(count, np.int64)
    for area in range(areas):
        moving = _wake_and_choose(boxes, piles, area, chosen)
        used = moving
        for other in range(piles.first[-1], count):  # what never moves
            for i in range(moving):
                if _come_near(boxes, area, chosen[i], other):
                    chosen[used] = other
                    used += 1
                    break
        _move_chosen(boxes, area, chosen[:used], moving, gravity)
        for pile in range(len(piles.first) - 1):
            if piles.state[area, pile] == FALLING:
                _fall(boxes, piles, area, pile, gravity)
            elif piles.state[area, pile] == AWAKE:
                _measure(boxes, piles, area, pile)
                _let_sleep(boxes, piles, area, pile)


@compiled
def _wake_and_choose(boxes: Boxes, piles: Piles, area: int, chosen: NDArray[np.int64]) -> int:
    """List the boxes that move, after waking the piles that they move into; returns how many there are."""
    used = 0
    for mover in range(piles.first[0]):
        chosen[used] = mover
        used += 1
    for pile in range(len(piles.first) - 1):
        if piles.state[area, pile] == AWAKE:
            for mover in range(piles.first[pile], piles.first[pile + 1]):
                chosen[used] = mover
                used += 1
    for pile in range(len(piles.first) - 1):
        if piles.state[area, pile] == AWAKE:
            continue
        for i in range(used):
            if _moves_into(boxes, piles, area, chosen[i], pile):
                piles.state[area, pile] = AWAKE
                piles.slow_steps[area, pile] = 0
                for mover in range(piles.first[pile], piles.first[pile + 1]):
                    chosen[used] = mover
                    used += 1
                break
    return used


@compiled
def _moves_into(boxes: Boxes, piles: Piles, area: int, mover: int, pile: int) -> bool:
    """Return whether a box may touch one of a pile within the next step."""
    velocity, position = boxes.velocity[area, mover], boxes.position[area, mover]
    speed = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)
    if speed < SLOW:
        return False
    reach = _reach(boxes, area, mover) + speed * TIME_STEP_S + CONTACT_DISTANCE_M
    low, high = piles.bounds[area, pile, 0], piles.bounds[area, pile, 1]
    for axis in range(3):
        if position[axis] < low[axis] - reach or position[axis] > high[axis] + reach:
            return False
    near = False
    for other in range(piles.first[pile], piles.first[pile + 1]):
        near |= _come_near(boxes, area, mover, other)
    return near


@compiled
def _come_near(boxes: Boxes, area: int, mover: int, other: int) -> bool:
    """Return whether two boxes may touch within the next step, seen by what encloses them."""
    a, b = boxes.position[area, mover], boxes.position[area, other]
    velocity = boxes.velocity[area, mover]
    for axis in range(3):
        distance = abs(a[axis] - b[axis]) - abs(velocity[axis]) * TIME_STEP_S - 2.0 * CONTACT_DISTANCE_M
        if distance > _extent(boxes, area, mover, axis) + _extent(boxes, area, other, axis):
            return False
    return True


@compiled
def _extent(boxes: Boxes, area: int, box: int, axis: int) -> float:
    """Return half the size of a box along an axis of the area."""
    half, yaw = boxes.half_size[area, box], boxes.yaw[area, box]
    if axis == 1 or yaw == 0.0:
        return float(half[axis])
    return float(abs(math.cos(yaw)) * half[axis] + abs(math.sin(yaw)) * half[2 - axis])


@compiled
def _reach(boxes: Boxes, area: int, box: int) -> float:
    half = boxes.half_size[area, box]
    return math.sqrt(half[0] ** 2 + half[1] ** 2 + half[2] ** 2)


@allocating
def _move_chosen(boxes: Boxes, area: int, chosen: NDArray[np.int64], moving: int, gravity: float) -> None:
    """Move some boxes of an area, the first `moving` of them, as if there were no others."""
    few = Boxes(
        boxes.position[area][chosen],
        boxes.yaw[area][chosen],
        boxes.velocity[area][chosen],
        boxes.spin[area][chosen],
        boxes.half_size[area][chosen],
        boxes.inverse_mass[area][chosen],
        boxes.inverse_inertia[area][chosen],
        boxes.drag[area][chosen],
        boxes.angular_drag[area][chosen],
        boxes.friction[area][chosen],
        np.zeros((moving, len(chosen)), np.uint8),
    )
    move_few(few, gravity)
    piles_begin = boxes.touches.shape[1]
    boxes.touches[area] = 0
    for i in range(moving):
        mover = chosen[i]
        boxes.position[area, mover] = few.position[i]
        boxes.yaw[area, mover] = few.yaw[i]
        boxes.velocity[area, mover] = few.velocity[i]
        boxes.spin[area, mover] = few.spin[i]
        if mover < piles_begin:
            for other in range(i + 1, len(chosen)):
                boxes.touches[area, mover, chosen[other]] = few.touches[i, other]


# How piles fall, and fall asleep


@compiled
def _fall(boxes: Boxes, piles: Piles, area: int, pile: int, gravity: float) -> None:
    """Move every box of a dropped pile straight down; once all lie where they should, they sleep."""
    lie = True
    for mover in range(piles.first[pile], piles.first[pile + 1]):
        position, velocity = boxes.position[area, mover], boxes.velocity[area, mover]
        if position[1] > piles.rest_height[mover]:
            velocity[1] -= gravity * TIME_STEP_S
            position[1] += velocity[1] * TIME_STEP_S
            lie = False
        if position[1] <= piles.rest_height[mover]:
            position[1] = piles.rest_height[mover]
            velocity[1] = 0.0
    _measure(boxes, piles, area, pile)
    if lie:
        piles.state[area, pile] = ASLEEP


@compiled
def _measure(boxes: Boxes, piles: Piles, area: int, pile: int) -> None:
    """Bring the bounds of a pile up to date."""
    low, high = piles.bounds[area, pile, 0], piles.bounds[area, pile, 1]
    low[:], high[:] = np.inf, -np.inf
    for mover in range(piles.first[pile], piles.first[pile + 1]):
        for axis in range(3):
            middle, extent = boxes.position[area, mover, axis], _extent(boxes, area, mover, axis)
            low[axis] = min(low[axis], middle - extent)
            high[axis] = max(high[axis], middle + extent)


@compiled
def _let_sleep(boxes: Boxes, piles: Piles, area: int, pile: int) -> None:
    first, end = piles.first[pile], piles.first[pile + 1]
    for mover in range(first, end):
        velocity, size = boxes.velocity[area, mover], _reach(boxes, area, mover)
        rim = size * boxes.spin[area, mover]
        if velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2 + rim**2 > SLOW**2:
            piles.slow_steps[area, pile] = 0
            return
    piles.slow_steps[area, pile] += 1
    if piles.slow_steps[area, pile] >= SLOW_STEPS:
        piles.state[area, pile] = ASLEEP
        for mover in range(first, end):
            boxes.velocity[area, mover] = 0.0
            boxes.spin[area, mover] = 0.0
