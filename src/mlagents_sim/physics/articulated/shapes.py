"""What bodies are made of: spheres, capsules and boxes, and how mass spreads in them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class Sphere:
    """A ball.

    Attributes:
      radius: m.
      center: in the body's frame, m.
    """

    radius: float
    center: Vector3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Capsule:
    """A cylinder with two half-spheres.

    Attributes:
      radius: m.
      length: from end to end, caps included, m; at least 2 radii.
      axis: of the body along which it lies: 0 = X, 1 = Y, 2 = Z.
      center: in the body's frame, m.
    """

    radius: float
    length: float
    axis: int = 1
    center: Vector3 = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Box:
    """A box along the axes of its body.

    Attributes:
      size: full edge lengths, m.
      center: in the body's frame, m.
    """

    size: Vector3
    center: Vector3 = (0.0, 0.0, 0.0)


Shape = Sphere | Capsule | Box


def ends_of(shape: Sphere | Capsule) -> NDArray[np.float64]:
    """Return the two ends of a capsule's middle line, float64 [2, 3], in the body's frame; equal for a sphere."""
    along = np.zeros(3)
    if isinstance(shape, Capsule):
        along[shape.axis] = max(0.5 * shape.length - shape.radius, 0.0)
    return np.array((shape.center - along, shape.center + along))


def corners_of(box: Box) -> NDArray[np.float64]:
    """Return the corners of a box, float64 [8, 3], in the body's frame."""
    signs = np.array(list(product((-1.0, 1.0), repeat=3)))
    corners: NDArray[np.float64] = np.array(box.center) + 0.5 * np.array(box.size) * signs
    return corners


def mass_properties(shapes: Sequence[Shape], mass: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centre of mass, float64 [3], and inertia about it, float64 [3, 3], in the body's frame.

    Args:
      shapes: of one body, all of the same density, whether they overlap or not.
      mass: of the body, kg.
    """
    volume = np.array([_volume(shape) for shape in shapes])
    masses = mass * volume / volume.sum()
    centers = np.array([shape.center for shape in shapes], np.float64)
    center = masses @ centers / mass
    inertia = np.zeros((3, 3))
    for shape, part, offset in zip(shapes, masses, centers - center, strict=True):
        inertia += np.diag(_inertia(shape, part)) + part * (offset @ offset * np.eye(3) - np.outer(offset, offset))
    return center, inertia


def _volume(shape: Shape) -> float:
    if isinstance(shape, Box):
        return math.prod(shape.size)
    ball = 4.0 / 3.0 * math.pi * shape.radius**3
    return ball if isinstance(shape, Sphere) else ball + math.pi * shape.radius**2 * _straight(shape)


def _straight(capsule: Capsule) -> float:
    return max(capsule.length - 2.0 * capsule.radius, 0.0)


def _inertia(shape: Shape, mass: float) -> NDArray[np.float64]:
    """Return the inertia of a solid shape about its axes, float64 [3]."""
    if isinstance(shape, Box):
        square: NDArray[np.float64] = np.array(shape.size) ** 2
        box: NDArray[np.float64] = mass / 12.0 * (square.sum() - square)
        return box
    ball = 0.4 * shape.radius**2
    if isinstance(shape, Sphere):
        return np.full(3, mass * ball)
    straight, radius = _straight(shape), shape.radius
    cylinder = mass * math.pi * radius**2 * straight / _volume(shape)
    caps = mass - cylinder
    across = cylinder * (radius**2 / 4.0 + straight**2 / 12.0)
    across += caps * (ball + straight**2 / 4.0 + 0.375 * straight * radius)
    inertia = np.full(3, across)
    inertia[shape.axis] = cylinder * radius**2 / 2.0 + caps * ball
    return inertia
