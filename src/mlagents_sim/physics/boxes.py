"""Boxes that stay upright: they move, turn about the vertical, push each other, and rub on what they touch.

The games in which a cube runs about on a floor are made of nothing else. Contacts are rigid, as Unity's are:

- a collision takes the velocity with which two bodies approach, and adds none;
- what overlaps is moved apart at no more than `contacts.DEPENETRATION_SPEED`, and no velocity comes of it;
- friction acts at two points of a face and at one of a corner, each with the whole pressure of the contact, so
  that a box on a floor is held by twice Coulomb's force.

MuJoCo's contacts, which the other games use, cannot do this: their friction cone is solved together with the
normal, so a box that slides along a wall at 20 m/s with a friction of 1.2 leaves it at 10 m/s.

Solved by sequential impulses, E. Catto, "Iterative Dynamics with Temporal Coherence" (2005), for points found by
separating axes and clipping. A time step is cut into parts so short that no body passes through another.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from mlagents_sim.physics.box_contacts import Boxes, Contacts, find_contacts, make_contacts, measure
from mlagents_sim.physics.box_impulses import solve
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.rules import MAX_ANGULAR_SPEED, TIME_STEP_S

__all__ = ["Boxes", "apply_gravity_and_drag", "make_boxes", "move", "move_few", "set_mover"]

MAX_TRAVEL_M: Final = 0.1  # of a body before contacts are looked for again

Vector3 = tuple[float, float, float]


def make_boxes(areas: int, movers: int, centers: list[Vector3], sizes: list[Vector3], friction: float = 0.6) -> Boxes:
    """Return boxes at rest with the same places and sizes in all areas; the movers' masses and drags are to be set.

    Args:
      areas: RowIndex.
      movers: how many of the boxes move; the first ones.
      centers: of all boxes, m.
      sizes: full edge lengths of all boxes, m.
      friction: of all surfaces, static and dynamic.
    """
    count = len(centers)
    return Boxes(
        position=np.tile(np.array(centers, np.float64), (areas, 1, 1)),
        yaw=np.zeros((areas, count)),
        velocity=np.zeros((areas, count, 3)),
        spin=np.zeros((areas, count)),
        half_size=np.tile(0.5 * np.array(sizes, np.float64), (areas, 1, 1)),
        inverse_mass=np.zeros((areas, count, 3)),
        inverse_inertia=np.zeros((areas, count)),
        drag=np.zeros((areas, count)),
        angular_drag=np.zeros((areas, count)),
        friction=np.full((areas, count, 2), friction),
        touches=np.zeros((areas, movers, count), np.uint8),
    )


def set_mover(
    boxes: Boxes, mover: int, mass: float, drag: float, angular_drag: float = 0.05, *, turned_by_contacts: bool = False
) -> None:
    """Give a mover of all areas its mass, kg, its drags, 1/s, and the inertia of a solid box about the vertical."""
    boxes.inverse_mass[:, mover] = 1.0 / mass
    boxes.drag[:, mover] = drag
    boxes.angular_drag[:, mover] = angular_drag
    if turned_by_contacts:
        half = boxes.half_size[:, mover]
        boxes.inverse_inertia[:, mover] = 3.0 / (mass * (half[:, 0] ** 2 + half[:, 2] ** 2))


@allocating
def move(boxes: Boxes, gravity: float) -> None:
    """Advance all areas by 0.02 s: gravity, drag, contacts, motion.

    Args:
      boxes: changed in place.
      gravity: m/s^2, downwards.
    """
    areas, movers, count = boxes.touches.shape
    contacts = make_contacts(movers, count)
    for i in range(areas):
        area = Boxes(
            boxes.position[i],
            boxes.yaw[i],
            boxes.velocity[i],
            boxes.spin[i],
            boxes.half_size[i],
            boxes.inverse_mass[i],
            boxes.inverse_inertia[i],
            boxes.drag[i],
            boxes.angular_drag[i],
            boxes.friction[i],
            boxes.touches[i],
        )
        _move_area(area, contacts, gravity)


@allocating
def move_few(area: Boxes, gravity: float) -> None:
    """Do as `move`, for boxes of one area: every array lacks the first axis."""
    movers, count = area.touches.shape
    _move_area(area, make_contacts(movers, count), gravity)


@compiled
def _move_area(area: Boxes, contacts: Contacts, gravity: float) -> None:
    movers, count = area.touches.shape
    area.touches[:] = 0
    measure(area, contacts, count)
    travel = 0.0
    for mover in range(movers):
        apply_gravity_and_drag(area, mover, gravity)
        velocity = area.velocity[mover]
        speed = math.sqrt(velocity[0] ** 2 + velocity[1] ** 2 + velocity[2] ** 2)
        travel = max(travel, TIME_STEP_S * speed)
    parts = max(1, math.ceil(travel / MAX_TRAVEL_M))
    for _ in range(parts):
        find_contacts(area, contacts, TIME_STEP_S / parts)
        solve(area, contacts, TIME_STEP_S / parts)
        for mover in range(movers):
            for axis in range(3):
                area.position[mover, axis] += TIME_STEP_S / parts * area.velocity[mover, axis]
            area.yaw[mover] += TIME_STEP_S / parts * area.spin[mover]


@compiled
def apply_gravity_and_drag(area: Boxes, mover: int, gravity: float) -> None:
    """Change the velocity of one mover of one area as Unity does before it looks at contacts."""
    velocity = area.velocity[mover]
    velocity[1] -= gravity * TIME_STEP_S
    slowed = max(0.0, 1.0 - area.drag[mover] * TIME_STEP_S)
    for axis in range(3):
        velocity[axis] *= slowed if area.inverse_mass[mover, axis] > 0.0 else 0.0
    spin = area.spin[mover] * max(0.0, 1.0 - area.angular_drag[mover] * TIME_STEP_S)
    area.spin[mover] = min(max(spin, -MAX_ANGULAR_SPEED), MAX_ANGULAR_SPEED)
