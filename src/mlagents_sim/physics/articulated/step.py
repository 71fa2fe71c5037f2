"""One physics step of ragdolls, in Unity's order of events."""

from __future__ import annotations

import math
from typing import Final

from mlagents_sim.physics.articulated.contacts import write_pairs, write_planes
from mlagents_sim.physics.articulated.joints import write_joints
from mlagents_sim.physics.articulated.ragdolls import Bodies, Floats, Ragdolls
from mlagents_sim.physics.articulated.rows import AIM, VELOCITY_AIM, turned_by
from mlagents_sim.physics.articulated.sweeps import sweep
from mlagents_sim.physics.articulated.vectors import (
    dot,
    matrix_of,
    norm,
    plus,
    product,
    put_vector,
    quaternion_at,
    scaled,
    vector_at,
)
from mlagents_sim.physics.compiled import compiled

SWEEPS: Final = 12
"""Before and after bodies are moved. Gaits of policies trained in Unity need a solver that does not converge."""

FRICTION_SWEEPS: Final = 3
"""So many of the sweeps before bodies are moved have friction, the last ones; all those afterwards have it."""


@compiled
def step(ragdolls: Ragdolls, gravity: Floats, duration: float, sweeps: int) -> None:
    """Move all copies on by one step.

    1. Gravity, forces and torques change velocities; drags and the limit of angular speed diminish them.
    2. Joints and contacts write their rows.
    3. `sweeps` sweeps, in which errors of position count; bodies are moved with the velocities that come of it.
    4. As many sweeps, in which they do not count; what comes of them is the velocity after the step.

    Args:
      ragdolls: changed in place.
      gravity: float64 [copies], m/s^2, downwards.
      duration: of the step, s.
      sweeps: in 3 and in 4 each, usually `SWEEPS`.
    """
    model, scratch = ragdolls.model, ragdolls.scratch
    for i in range(len(ragdolls.position)):
        bodies = Bodies(
            ragdolls.position[i],
            ragdolls.rotation[i],
            ragdolls.velocity[i],
            ragdolls.angular_velocity[i],
            ragdolls.inverse_mass[i],
            scratch.inertia,
        )
        for body in range(len(bodies.position)):
            _turn_inertia(bodies, body, ragdolls.inverse_inertia[i, body])
            _apply_forces(bodies, body, ragdolls.force[i], ragdolls.torque[i], gravity[i], model.drag, duration)
        target, force_limit = ragdolls.target[i], ragdolls.force_limit[i]
        write_joints(model.joints, bodies, scratch, target, force_limit, duration, model.preprocessing[0])
        scratch.used[1] = 0
        write_pairs(model.segments, bodies, scratch, model.friction[0], duration)
        write_planes(model.points, bodies, scratch, ragdolls.touches[i], model.friction[0], duration)
        for k in range(sweeps):
            sweep(bodies, scratch, AIM, k >= sweeps - FRICTION_SWEEPS)
        _move(bodies.position, bodies.rotation, bodies.velocity, bodies.angular_velocity, duration)
        for _ in range(sweeps):
            sweep(bodies, scratch, VELOCITY_AIM, True)


@compiled
def _turn_inertia(bodies: Bodies, body: int, own: Floats) -> None:
    """Bring an inverse inertia from the body's axes to those of the world: R own R^T."""
    rotation, out = matrix_of(quaternion_at(bodies.rotation, body)), bodies.inertia[body]
    for i in range(3):
        r = rotation[i]
        half = (
            r[0] * own[0, 0] + r[1] * own[1, 0] + r[2] * own[2, 0],
            r[0] * own[0, 1] + r[1] * own[1, 1] + r[2] * own[2, 1],
            r[0] * own[0, 2] + r[1] * own[1, 2] + r[2] * own[2, 2],
        )
        put_vector(out, i, (dot(half, rotation[0]), dot(half, rotation[1]), dot(half, rotation[2])))


@compiled
def _apply_forces(
    bodies: Bodies, body: int, force: Floats, torque: Floats, gravity: float, drag: Floats, duration: float
) -> None:
    """Change the velocities of a body by all that acts on it from outside; without a gyroscopic term, as Unity."""
    if bodies.inverse_mass[body] == 0.0:
        return
    v = plus(vector_at(bodies.velocity, body), (0.0, -gravity * duration, 0.0))
    v = plus(v, scaled(duration * bodies.inverse_mass[body], vector_at(force, body)))
    turn = turned_by(bodies.inertia, body, vector_at(torque, body))
    w = plus(vector_at(bodies.angular_velocity, body), scaled(duration, turn))
    v = scaled(max(0.0, 1.0 - drag[0] * duration), v)
    w = scaled(max(0.0, 1.0 - drag[1] * duration), w)
    speed = norm(w)
    if speed > drag[2]:
        w = scaled(drag[2] / speed, w)
    put_vector(bodies.velocity, body, v)
    put_vector(bodies.angular_velocity, body, w)


@compiled
def _move(position: Floats, rotation: Floats, velocity: Floats, angular_velocity: Floats, duration: float) -> None:
    """Move and turn all bodies of a copy with their velocities."""
    for body in range(len(position)):
        put_vector(position, body, plus(vector_at(position, body), scaled(duration, vector_at(velocity, body))))
        spin = vector_at(angular_velocity, body)
        speed = norm(spin)
        if speed > 0.0:
            turn = scaled(math.sin(0.5 * duration * speed) / speed, spin)
            moved = product(
                (math.cos(0.5 * duration * speed), turn[0], turn[1], turn[2]), quaternion_at(rotation, body)
            )
            w, x, y, z = moved
            length = math.sqrt(w * w + x * x + y * y + z * z)
            for k in range(4):
                rotation[body, k] = moved[k] / length
