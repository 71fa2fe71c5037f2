"""How authors describe a ragdoll, and the arrays that come of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.physics.articulated.ragdolls import (
    Floats,
    Joints,
    Model,
    Points,
    Ragdolls,
    Segments,
    make_scratch,
    reset,
)
from mlagents_sim.physics.articulated.rotations import multiply, quaternions_of
from mlagents_sim.physics.articulated.shapes import (
    Box,
    Capsule,
    Shape,
    Sphere,
    Vector3,
    corners_of,
    ends_of,
    mass_properties,
)
from mlagents_sim.visual_geoms import quat_rotations

FREE: Final = float("inf")
NO_TURN: Final = (1.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Body:
    """A rigid body, as it is at rest in the ragdoll's own frame.

    Attributes:
      name: of this body alone.
      shapes: what it is made of, in its own frame, in which it also lies at the beginning if it is not turned.
      mass: kg; 0 for a body that nothing moves.
      position: of its frame, m.
      rotation: of its frame, quaternion (w, x, y, z).
    """

    name: str
    shapes: Sequence[Shape]
    mass: float
    position: Vector3 = (0.0, 0.0, 0.0)
    rotation: tuple[float, float, float, float] = NO_TURN


@dataclass(frozen=True)
class Joint:
    """A joint between two bodies. It holds them together at one point and turns about three axes.

    The axes are X, Z = X x secondary, and Y = Z x X, fixed to the child; those of the parent coincide at rest. A turn
    is that of the *parent* seen from the child, as in Unity: a child that turns by +30 degrees is at -30.

    Attributes:
      child: a body's name.
      parent: another one's.
      anchor: where they are joined, at rest in the ragdoll's frame, m.
      axis: X, in the ragdoll's frame.
      secondary: a direction in the plane of X and Y.
      x: lowest and highest turn about X, degrees. Equal ones lock the axis, (-FREE, FREE) frees it.
      y: largest turn about Y either way, degrees; 0 locks, FREE frees.
      z: about Z, likewise. If both Y and Z are limited, the limits are the half-axes of an ellipse.
      stiffness: of the drive; 0 for none.
      damping: of the drive.
    """

    child: str
    parent: str
    anchor: Vector3
    axis: Vector3 = (1.0, 0.0, 0.0)
    secondary: Vector3 = (0.0, 1.0, 0.0)
    x: tuple[float, float] = (-FREE, FREE)
    y: float = FREE
    z: float = FREE
    stiffness: float = 0.0
    damping: float = 0.0


@dataclass(frozen=True)
class Plane:
    """Where the solid world ends: ground, slopes and walls that bodies cannot pass.

    Attributes:
      normal: unit vector out of the solid.
      offset: normal . x of the points on the plane, m.
    """

    normal: Vector3 = (0.0, 1.0, 0.0)
    offset: float = 0.0


@dataclass(frozen=True)
class Ragdoll:
    """The description of a ragdoll and of the world that it touches.

    Attributes:
      bodies: all bodies.
      joints: in the order in which they are solved, which matters a little.
      planes: what bodies touch; the first is usually the ground.
      friction: of all contacts.
      drag: of all bodies, 1/s.
      angular_drag: of all bodies, 1/s.
      max_angular_speed: of all bodies, rad/s.
      self_contacts: whether spheres and capsules of bodies without a common joint touch each other. Boxes touch
        planes only.
      preprocessing: whether what one joint locks is solved as a whole in each sweep, as Unity does where a joint has
        "Enable Preprocessing"; otherwise row by row, and joints give way a little more.
    """

    bodies: Sequence[Body]
    joints: Sequence[Joint] = ()
    planes: Sequence[Plane] = field(default_factory=lambda: (Plane(),))
    friction: float = 0.6
    drag: float = 0.0
    angular_drag: float = 0.05
    max_angular_speed: float = 7.0
    self_contacts: bool = True
    preprocessing: bool = False

    def index(self, body: str) -> int:
        """Return the number of a body.

        Raises:
          ValueError: there is none of this name.
        """
        names = [each.name for each in self.bodies]
        if body not in names:
            raise ValueError(f"A ragdoll has no body {body!r}; its bodies are {', '.join(names)}.")
        return names.index(body)


def make_ragdolls(
    ragdoll: Ragdoll, copies: int, origins: ArrayLike = (0.0, 0.0, 0.0), rotation: ArrayLike = NO_TURN
) -> Ragdolls:
    """Return copies of a ragdoll at rest.

    Args:
      ragdoll: what each of them is.
      copies: how many.
      origins: [copies, 3], or [3] for all, where their frames are, m.
      rotation: quaternion (w, x, y, z), how all of them are turned.

    Raises:
      ValueError: a joint names a body that does not exist or joins one with itself, two bodies have one name, or an
        axis and its secondary axis are parallel.
    """
    _check(ragdoll)
    count, joints = len(ragdoll.bodies), len(ragdoll.joints)
    properties = [mass_properties(body.shapes, body.mass or 1.0) for body in ragdoll.bodies]
    center = np.array([each[0] for each in properties])
    movable = np.array([body.mass > 0.0 for body in ragdoll.bodies])
    inverse_inertia = np.array([np.linalg.inv(each[1]) for each in properties]) * movable[:, np.newaxis, np.newaxis]
    inverse_mass = np.array([1.0 / body.mass if body.mass > 0.0 else 0.0 for body in ragdoll.bodies])
    turned = np.array([multiply(rotation, body.rotation) for body in ragdoll.bodies])
    root = quat_rotations(np.array(rotation, np.float64))
    places = np.array([body.position for body in ragdoll.bodies]) @ root.T
    places += np.einsum("bij,bj->bi", quat_rotations(turned), center)
    model = _make_model(ragdoll, center)
    start = _repeat(copies, places) + np.broadcast_to(np.asarray(origins, np.float64), (copies, 3))[:, np.newaxis]
    ragdolls = Ragdolls(
        position=np.zeros((copies, count, 3)),
        rotation=np.zeros((copies, count, 4)),
        velocity=np.zeros((copies, count, 3)),
        angular_velocity=np.zeros((copies, count, 3)),
        force=np.zeros((copies, count, 3)),
        torque=np.zeros((copies, count, 3)),
        target=_repeat(copies, np.tile(NO_TURN, (joints, 1))),
        force_limit=np.zeros((copies, joints)),
        touches=np.zeros((copies, count, len(ragdoll.planes)), np.uint8),
        inverse_mass=_repeat(copies, inverse_mass),
        inverse_inertia=_repeat(copies, inverse_inertia),
        start_position=start,
        start_rotation=_repeat(copies, turned),
        model=model,
        scratch=make_scratch(model),
    )
    reset(ragdolls, np.arange(copies))
    return ragdolls


def _repeat(copies: int, array: Floats) -> Floats:
    return np.tile(array, (copies, *[1] * array.ndim))


def _check(ragdoll: Ragdoll) -> None:
    names = [body.name for body in ragdoll.bodies]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"Every body of a ragdoll needs a name of its own; there are several {twice!r}.")
    for joint in ragdoll.joints:
        ragdoll.index(joint.child), ragdoll.index(joint.parent)
        if joint.child == joint.parent:
            raise ValueError(f"A joint joins two bodies; got {joint.child!r} and {joint.parent!r}.")
        if np.linalg.norm(np.cross(joint.axis, joint.secondary)) < 1e-6:
            raise ValueError(
                f"The joint of {joint.child!r} and {joint.parent!r} needs a secondary axis that is not parallel to its"
                f" axis; got {joint.axis} and {joint.secondary}."
            )


def _make_model(ragdoll: Ragdoll, center: Floats) -> Model:
    return Model(
        center=center,
        drag=np.array((ragdoll.drag, ragdoll.angular_drag, ragdoll.max_angular_speed)),
        friction=np.array([ragdoll.friction]),
        preprocessing=np.array([ragdoll.preprocessing]),
        joints=_make_joints(ragdoll, center),
        points=_make_points(ragdoll, center),
        segments=_make_segments(ragdoll, center),
    )


def _make_joints(ragdoll: Ragdoll, center: Floats) -> Joints:
    joints = ragdoll.joints
    index = np.array([[ragdoll.index(j.child), ragdoll.index(j.parent)] for j in joints], np.int64).reshape(-1, 2)
    locked = np.array([(j.x[0] == j.x[1], j.y == 0.0, j.z == 0.0) for j in joints], np.uint8).reshape(-1, 3)
    finite = np.array([(j.x[1] < FREE, j.y < FREE, j.z < FREE) for j in joints], np.uint8).reshape(-1, 3)
    limits = np.array([(*j.x, j.y, j.z) for j in joints], np.float64).reshape(-1, 4)
    anchors, frames = _joint_frames(ragdoll, center, index)
    return Joints(
        body=index,
        anchor=anchors,
        frame=frames,
        locked=locked,
        limited=finite & (1 - locked),
        limit=np.radians(limits),
        drive=np.array([(j.stiffness, j.damping) for j in joints], np.float64).reshape(-1, 2),
    )


def _joint_frames(ragdoll: Ragdoll, center: Floats, index: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return anchors [joints, 2, 3] and frames [joints, 2, 4] in the bodies' frames."""
    anchors, frames = np.zeros((len(index), 2, 3)), np.zeros((len(index), 2, 4))
    for i, (joint, pair) in enumerate(zip(ragdoll.joints, index, strict=True)):
        axes = quaternions_of(_axes(joint)[np.newaxis])[0]
        for side, body in enumerate(pair):
            position, rotation = ragdoll.bodies[body].position, np.array(ragdoll.bodies[body].rotation)
            anchors[i, side] = (np.array(joint.anchor) - position) @ quat_rotations(rotation) - center[body]
            frames[i, side] = multiply(rotation * (1.0, -1.0, -1.0, -1.0), axes)
    return anchors, frames


def _axes(joint: Joint) -> Floats:
    """Return X, Y and Z of a joint as the columns of a matrix."""
    x = np.array(joint.axis) / np.linalg.norm(joint.axis)
    z = np.cross(x, joint.secondary)
    z /= np.linalg.norm(z)
    return np.stack((x, np.cross(z, x), z), axis=1)


def _make_points(ragdoll: Ragdoll, center: Floats) -> Points:
    places, bodies, radii, anchors = [], [], [], []
    for body, each in enumerate(ragdoll.bodies):
        for shape in each.shapes:
            own = corners_of(shape) if isinstance(shape, Box) else np.unique(ends_of(shape), axis=0)
            places += list(own - center[body])
            bodies += [body] * len(own)
            radii += [0.0 if isinstance(shape, Box) else shape.radius] * len(own)
            anchors += [2.0 if isinstance(shape, Box) else 1.0] * len(own)
    return Points(
        place=np.array(places, np.float64).reshape(-1, 3),
        radius=np.array(radii, np.float64),
        body=np.array(bodies, np.int64),
        anchors=np.array(anchors, np.float64),
        plane=np.array([(*plane.normal, plane.offset) for plane in ragdoll.planes], np.float64).reshape(-1, 4),
    )


def _make_segments(ragdoll: Ragdoll, center: Floats) -> Segments:
    round_shapes = [
        (body, shape)
        for body, each in enumerate(ragdoll.bodies)
        for shape in each.shapes
        if isinstance(shape, Sphere | Capsule)
    ]
    bodies = [body for body, _ in round_shapes]
    joined = {frozenset((ragdoll.index(j.child), ragdoll.index(j.parent))) for j in ragdoll.joints}
    pairs = [
        (a, b)
        for b, a in itertools.combinations(range(len(bodies)), 2)
        if bodies[a] != bodies[b] and frozenset((bodies[a], bodies[b])) not in joined
    ]
    return Segments(
        end=np.array([ends_of(shape) - center[body] for body, shape in round_shapes]).reshape(-1, 2, 3),
        radius=np.array([shape.radius for _, shape in round_shapes], np.float64),
        body=np.array(bodies, np.int64),
        pair=np.array(sorted(pairs) if ragdoll.self_contacts else [], np.int64).reshape(-1, 2),
    )
