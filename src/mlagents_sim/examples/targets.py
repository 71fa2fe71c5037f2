"""Boxes that fall from the sky, and are elsewhere as soon as a ragdoll has touched them."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.physics.articulated.ragdolls import Ragdolls
from mlagents_sim.physics.articulated.vectors import (
    Vector,
    dot,
    matrix_of,
    minus,
    norm,
    plus,
    quaternion_at,
    scaled,
    turned,
    vector_at,
)
from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.contacts import CONTACT_DISTANCE_M

SPARE: Final = 8  # more than a target can be moved in a decision
APART, TOUCHED, STILL_TOUCHED = 0, 1, 2
_NEAREST_ROUNDS: Final = 12


class Targets(NamedTuple):
    """One target per area.

    Attributes:
      position: float64 [areas, 3], m.
      speed: float64 [areas], with which they fall, m/s.
      touched: uint8 [areas, bodies], APART, TOUCHED in the step in which a body comes, STILL_TOUCHED afterwards.
      spare: float64 [areas, SPARE, 3], where they will be next, m.
      used: int64 [areas], how many of those were.
      size: float64 [3]: edge, m, or 0 for targets that nothing touches; radius in which they appear, height, m.
    """

    position: NDArray[np.float64]
    speed: NDArray[np.float64]
    touched: NDArray[np.uint8]
    spare: NDArray[np.float64]
    used: NDArray[np.int64]
    size: NDArray[np.float64]

    def state_arrays(self) -> dict[str, NDArray[np.float64] | NDArray[np.uint8] | NDArray[np.int64]]:
        """Return all that changes, by name."""
        return {name: array for name, array in self._asdict().items() if name != "size"}

    def move(self, rows: NDArray[np.intp], rng: np.random.Generator) -> None:
        """Let targets be somewhere else, as if nobody had touched them, and draw their next places, too."""
        places = self._draw(rng, (len(rows), 1 + SPARE))
        self.position[rows], self.spare[rows] = places[:, 0], places[:, 1:]
        for array in (self.speed, self.touched, self.used):
            array[rows] = 0

    def _draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return points of a ball, all at one height: float64 [*shape, 3]."""
        direction = rng.standard_normal((*shape, 3))
        distance = self.size[1] * rng.uniform(0.0, 1.0, shape) ** (1.0 / 3.0)
        places: NDArray[np.float64] = direction * (distance / np.linalg.norm(direction, axis=-1))[..., np.newaxis]
        places[..., 1] = self.size[2]
        return places


def make_targets(
    areas: int, bodies: int, position: ArrayLike, edge_m: float, radius_m: float, height_m: float
) -> Targets:
    """Return targets at one place, m, for ragdolls of so many bodies."""
    return Targets(
        position=np.tile(np.asarray(position, np.float64), (areas, 1)),
        speed=np.zeros(areas),
        touched=np.zeros((areas, bodies), np.uint8),
        spare=np.zeros((areas, SPARE, 3)),
        used=np.zeros(areas, np.int64),
        size=np.array((edge_m, radius_m, height_m)),
    )


def refill(targets: Targets, rng: np.random.Generator) -> None:
    """Draw new places for those that were used; to be called once per decision at least."""
    for row in np.flatnonzero(targets.used):
        used = targets.used[row]
        targets.spare[row] = np.concatenate((targets.spare[row, used:], targets._draw(rng, (int(used),))))
        targets.used[row] = 0


@compiled
def move_on(targets: Targets, area: int) -> None:
    """Let a target be where it is next, above the ground."""
    for axis in range(3):
        targets.position[area, axis] = targets.spare[area, targets.used[area], axis]
    targets.speed[area] = 0.0
    targets.used[area] += 1


@compiled
def fall(targets: Targets, ragdolls: Ragdolls, gravity: NDArray[np.float64], duration: float) -> None:
    """Let targets fall to the ground, and see who touches them. They stay upright, and nobody can push them."""
    half = 0.5 * targets.size[0]
    if half == 0.0:
        return
    ground, segments = ragdolls.model.points.plane[0, 3], ragdolls.model.segments
    for i in range(len(targets.position)):
        targets.speed[i] += gravity[i] * duration
        targets.position[i, 1] -= targets.speed[i] * duration
        if targets.position[i, 1] < ground + half:
            targets.position[i, 1], targets.speed[i] = ground + half, 0.0
        for k in range(len(segments.body)):
            body = segments.body[k]
            center = vector_at(ragdolls.position[i], body)
            rotation = matrix_of(quaternion_at(ragdolls.rotation[i], body))
            begin = plus(center, turned(rotation, vector_at(segments.end[k], 0)))
            end = plus(center, turned(rotation, vector_at(segments.end[k], 1)))
            gap = gap_to_cube(begin, end, vector_at(targets.position, i), half)
            is_there = gap < segments.radius[k] + CONTACT_DISTANCE_M
            before = targets.touched[i, body]
            targets.touched[i, body] = (STILL_TOUCHED if before != APART else TOUCHED) if is_there else APART


@compiled
def gap_to_cube(begin: Vector, end: Vector, center: Vector, half: float) -> float:
    """Return the distance of a segment from a cube along the axes, m: nearest points found by turns."""
    along = minus(end, begin)
    square, part, gap = dot(along, along), 0.5, 0.0
    for _ in range(_NEAREST_ROUNDS):
        point = plus(begin, scaled(part, along))
        apart = minus(point, center)
        inside = (
            min(max(apart[0], -half), half),
            min(max(apart[1], -half), half),
            min(max(apart[2], -half), half),
        )
        gap = norm(minus(apart, inside))
        if square == 0.0:
            break
        part = min(max(dot(minus(plus(center, inside), begin), along) / square, 0.0), 1.0)
    return gap
