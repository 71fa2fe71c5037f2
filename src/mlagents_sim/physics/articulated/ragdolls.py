"""Ragdolls: bodies with joints, as many copies as there are areas, in arrays for compiled code."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_ROWS: Final = 3 + 3 + 3 + 4  # of a joint: drive, angular and linear locks, limits
ROW_WIDTH: Final = 22

Floats = NDArray[np.float64]


class Bodies(NamedTuple):
    """The bodies of one copy, as rows see them.

    Attributes:
      position: float64 [bodies, 3], of the centres of mass, m.
      rotation: float64 [bodies, 4], (w, x, y, z).
      velocity: float64 [bodies, 3], m/s.
      angular_velocity: float64 [bodies, 3], rad/s.
      inverse_mass: float64 [bodies], 1/kg.
      inertia: float64 [bodies, 3, 3], inverse, in world axes, 1/(kg m^2).
    """

    position: Floats
    rotation: Floats
    velocity: Floats
    angular_velocity: Floats
    inverse_mass: Floats
    inertia: Floats


class Joints(NamedTuple):
    """The joints of a ragdoll.

    Attributes:
      body: int64 [joints, 2], the child and its parent.
      anchor: float64 [joints, 2, 3], where the joint is, from the centres of mass, in both bodies' frames, m.
      frame: float64 [joints, 2, 4], rotations of the joint's axes in both bodies' frames.
      locked: uint8 [joints, 3], about which of the joint's axes nothing turns.
      limited: uint8 [joints, 3], about which it turns only so far.
      limit: float64 [joints, 4], lowest and highest turn about X, largest about Y and Z either way, rad.
      drive: float64 [joints, 2], stiffness and damping; zero without a drive.
    """

    body: NDArray[np.int64]
    anchor: Floats
    frame: Floats
    locked: NDArray[np.uint8]
    limited: NDArray[np.uint8]
    limit: Floats
    drive: Floats


class Points(NamedTuple):
    """Spheres that can touch planes: ends of capsules, and corners of boxes, which have no radius.

    Attributes:
      place: float64 [points, 3], from the centre of mass in the body's frame, m.
      radius: float64 [points], m.
      body: int64 [points], whose they are.
      anchors: float64 [points], at how many points of a face friction holds with the whole pressure: corners 2.
      plane: float64 [planes, 4], normal and offset, m: what is solid lies where normal . x < offset.
    """

    place: Floats
    radius: Floats
    body: NDArray[np.int64]
    anchors: Floats
    plane: Floats


class Segments(NamedTuple):
    """Middle lines of capsules, which can touch each other; those of spheres are points.

    Attributes:
      end: float64 [segments, 2, 3], from the centre of mass in the body's frame, m.
      radius: float64 [segments], m.
      body: int64 [segments], whose they are.
      pair: int64 [pairs, 2], which can touch each other.
    """

    end: Floats
    radius: Floats
    body: NDArray[np.int64]
    pair: NDArray[np.int64]


class Model(NamedTuple):
    """What all copies of a ragdoll have in common.

    Attributes:
      center: float64 [bodies, 3], centres of mass in the bodies' frames, m.
      drag: float64 [3], drag and angular drag of all bodies, 1/s, and their largest angular speed, rad/s.
      friction: float64 [1], of all contacts.
      preprocessing: bool [1], whether what a joint locks is solved as a whole.
      joints: all joints.
      points: what touches planes.
      segments: what touches each other.
    """

    center: Floats
    drag: Floats
    friction: Floats
    preprocessing: NDArray[np.bool_]
    joints: Joints
    points: Points
    segments: Segments


class Scratch(NamedTuple):
    """Memory of one step of one copy, used again and again.

    Attributes:
      row: float64 [rows, ROW_WIDTH], see `rows`; those of joints first.
      inertia: float64 [bodies, 3, 3], inverse, in world axes.
      span: int64 [joints, 6], child and parent; the first row, the first linear one, the first limit, the end.
      contact: int64 [contacts, 3], the body and the one it touches, or -1 for a plane; the first of three rows.
      used: int64 [2], how many rows and contacts there are.
    """

    row: Floats
    inertia: Floats
    span: NDArray[np.int64]
    contact: NDArray[np.int64]
    used: NDArray[np.int64]


class Ragdolls(NamedTuple):
    """Copies of a ragdoll, one row each. Quaternions are (w, x, y, z).

    Attributes:
      position: float64 [copies, bodies, 3], of the centres of mass, m.
      rotation: float64 [copies, bodies, 4].
      velocity: float64 [copies, bodies, 3], of the centres of mass, m/s.
      angular_velocity: float64 [copies, bodies, 3], about world axes, rad/s.
      force: float64 [copies, bodies, 3], N, at the centre of mass, in every step until it is changed.
      torque: float64 [copies, bodies, 3], N m, about world axes, likewise.
      target: float64 [copies, joints, 4], where drives turn to: see `angles_to_target`.
      force_limit: float64 [copies, joints], of drives; an axis is turned with at most half of it, N m.
      touches: uint8 [copies, bodies, planes], whether a body touched a plane in the last step.
      inverse_mass: float64 [copies, bodies], 1/kg; 0 for a body that nothing moves.
      inverse_inertia: float64 [copies, bodies, 3, 3], in the body's frame, 1/(kg m^2).
      start_position: float64 [copies, bodies, 3], where `reset` puts the centres of mass.
      start_rotation: float64 [copies, bodies, 4].
      model: what is the same for all copies.
      scratch: memory of a step; of no meaning between steps.
    """

    position: Floats
    rotation: Floats
    velocity: Floats
    angular_velocity: Floats
    force: Floats
    torque: Floats
    target: Floats
    force_limit: Floats
    touches: NDArray[np.uint8]
    inverse_mass: Floats
    inverse_inertia: Floats
    start_position: Floats
    start_rotation: Floats
    model: Model
    scratch: Scratch


def make_scratch(model: Model) -> Scratch:
    """Return memory for the most rows that a step can need."""
    bodies, joints = len(model.center), len(model.joints.body)
    contacts = len(model.points.body) * len(model.points.plane) + len(model.segments.pair)
    return Scratch(
        row=np.zeros((joints * MOST_ROWS + 3 * contacts, ROW_WIDTH)),
        inertia=np.zeros((bodies, 3, 3)),
        span=np.zeros((joints, 6), np.int64),
        contact=np.zeros((contacts, 3), np.int64),
        used=np.zeros(2, np.int64),
    )


def reset(ragdolls: Ragdolls, rows: NDArray[np.intp]) -> None:
    """Put copies back to where they began, at rest. Targets and force limits of their drives stay."""
    ragdolls.position[rows] = ragdolls.start_position[rows]
    ragdolls.rotation[rows] = ragdolls.start_rotation[rows]
    for array in (ragdolls.velocity, ragdolls.angular_velocity, ragdolls.touches):
        array[rows] = 0


def set_mass(ragdolls: Ragdolls, rows: NDArray[np.intp], body: int, mass: Floats) -> None:
    """Give a body of some copies another mass, kg [rows]; its inertia changes in proportion, as in Unity."""
    ratio = 1.0 / (mass * ragdolls.inverse_mass[rows, body])
    ragdolls.inverse_mass[rows, body] *= ratio
    ragdolls.inverse_inertia[rows, body] *= ratio[:, np.newaxis, np.newaxis]


def state_arrays(ragdolls: Ragdolls) -> dict[str, NDArray[np.float64] | NDArray[np.uint8]]:
    """Return all that decides how the copies go on, by name, for `AgentBatch.state_arrays`."""
    return {name: array for name, array in ragdolls._asdict().items() if name not in ("model", "scratch")}
