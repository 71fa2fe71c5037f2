"""Where things begin that must not stand in each other's way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.boxes import Boxes

PATIENCE: Final = 50
"""Draws in vain after which what is to be placed keeps less distance."""
LESS: Final = 0.9  # part of the distance that is left then


def scatter(
    boxes: Boxes,
    rng: np.random.Generator,
    rows: NDArray[np.intp],
    box: int,
    obstacles: Sequence[int],
    spread_m: float,
    height_m: float,
    clearance_m: float,
) -> None:
    """Draw a place for one box in each of the areas `rows` until it is clear of where the obstacles are now.

    Clear is whose middle is farther than the clearance, along x or along z, from the extent of every obstacle. An area
    that is too full lets it keep less distance.

    Args:
      boxes: one row per area; the place of the box is written.
      rng: source of places.
      rows: areas.
      box: which of the boxes.
      obstacles: other boxes, or the box itself: then it leaves the place where it was.
      spread_m: farthest from the middle of the area, along x and along z.
      height_m: of the box's middle.
      clearance_m: along x and z.
    """
    others = np.array(obstacles, np.intp)
    cos, sin = np.abs(np.cos(boxes.yaw)), np.abs(np.sin(boxes.yaw))
    tries = 0
    while len(rows):
        start = rng.uniform(-spread_m, spread_m, (len(rows), 2))
        other = np.ix_(rows, others)
        width, depth = boxes.half_size[..., 0][other], boxes.half_size[..., 2][other]
        extent = np.stack((cos[other] * width + sin[other] * depth, sin[other] * width + cos[other] * depth), -1)
        distance = np.abs(boxes.position[..., ::2][other] - start[:, np.newaxis])
        clear = (distance >= extent + clearance_m).any(-1).all(-1)
        done = rows[clear]
        boxes.position[done, box, 0], boxes.position[done, box, 2] = start[clear].T
        boxes.position[done, box, 1] = height_m
        rows = rows[~clear]
        tries += 1
        if tries % PATIENCE == 0:
            clearance_m *= LESS
