"""Articulated bodies against what can be worked out by hand: falls, pendulums, friction, drives, limits, builders."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_sim.physics.articulated import (
    FREE,
    SWEEPS,
    Body,
    Box,
    Capsule,
    Joint,
    Plane,
    Ragdoll,
    Ragdolls,
    Sphere,
    from_euler,
    geoms_of,
    make_ragdolls,
    multiply,
    origins_of,
    reset,
    set_mass,
    state_arrays,
    step,
    turn_copies,
)
from mlagents_sim.physics.articulated.contacts import nearest_points
from mlagents_sim.physics.articulated.shapes import mass_properties
from mlagents_sim.visual_geoms import CAPSULE, quat_rotations

DT = 0.01
G = 9.81
NO_DRAG = {"angular_drag": 0.0, "max_angular_speed": 1000.0}


def run(ragdolls: Ragdolls, steps: int, gravity: float = G, duration: float = DT, sweeps: int = SWEEPS) -> None:
    for _ in range(steps):
        step(ragdolls, np.full(len(ragdolls.position), gravity), duration, sweeps)


def turn_about(ragdolls: Ragdolls, body: int, axis: int) -> float:
    """How far a body has turned about one of its axes, degrees, if it turned about nothing else."""
    rotation = ragdolls.rotation[0, body]
    return float(np.degrees(2.0 * np.arctan2(rotation[1 + axis], rotation[0])))


# Bodies alone


def test_free_fall_with_drag() -> None:
    """v' = (v - g dt)(1 - c dt), x' = x + v' dt, step by step; turning likewise, and never faster than the limit."""
    ball = Ragdoll([Body("ball", [Sphere(0.5)], 2.0, (0.0, 100.0, 0.0))], drag=0.3, angular_drag=0.7)
    ragdolls = make_ragdolls(ball, 1)
    ragdolls.angular_velocity[0, 0] = (0.0, 9.0, 0.0)
    y, v, w = 100.0, 0.0, 9.0
    for _ in range(50):
        v = (v - G * DT) * (1.0 - 0.3 * DT)
        y += v * DT
        w = min(w * (1.0 - 0.7 * DT), 7.0)
    run(ragdolls, 50)
    np.testing.assert_allclose(ragdolls.position[0, 0], (0.0, y, 0.0), rtol=1e-12)
    np.testing.assert_allclose(ragdolls.angular_velocity[0, 0], (0.0, w, 0.0), rtol=1e-12)


def test_forces_and_torques() -> None:
    """Acceleration F / m; a torque of 2 N m turns a cube of 3 kg and 1 m, inertia m / 6, by 4 rad/s^2."""
    cube = Ragdoll([Body("cube", [Box((1.0, 1.0, 1.0))], 3.0, (0.0, 5.0, 0.0))], planes=[], **NO_DRAG)
    ragdolls = make_ragdolls(cube, 1)
    ragdolls.force[0, 0], ragdolls.torque[0, 0] = (6.0, 0.0, 0.0), (0.0, 2.0, 0.0)
    run(ragdolls, 100, gravity=0.0)
    np.testing.assert_allclose(ragdolls.velocity[0, 0], (2.0, 0.0, 0.0), rtol=1e-12)
    np.testing.assert_allclose(ragdolls.angular_velocity[0, 0], (0.0, 4.0, 0.0), rtol=1e-12)


def test_mass_properties() -> None:
    """A ball: 2/5 m r^2. A box. A capsule as long as it is thick is a ball. Two balls: Steiner's theorem."""
    center, inertia = mass_properties([Sphere(0.5)], 2.0)
    np.testing.assert_allclose(inertia, 0.2 * np.eye(3))
    np.testing.assert_allclose(mass_properties([Capsule(0.5, 1.0)], 2.0)[1], 0.2 * np.eye(3))
    np.testing.assert_allclose(np.diag(mass_properties([Box((1.0, 2.0, 3.0))], 12.0)[1]), (13.0, 10.0, 5.0))
    center, inertia = mass_properties([Sphere(0.5, (0.0, 0.0, 0.0)), Sphere(0.5, (2.0, 0.0, 0.0))], 2.0)
    np.testing.assert_allclose(center, (1.0, 0.0, 0.0))
    np.testing.assert_allclose(np.diag(inertia), (0.2, 2.2, 2.2))
    # A thin rod: m l^2 / 12.
    np.testing.assert_allclose(mass_properties([Capsule(1e-4, 3.0, 2)], 1.0)[1][0, 0], 0.75, rtol=1e-3)


# Joints


def pendulum(length: float, *, x: tuple[float, float] = (-FREE, FREE), radius: float = 0.01) -> Ragdoll:
    """A ball on a massless rod, which turns about X only."""
    return Ragdoll(
        [
            Body("ceiling", [Sphere(0.1)], 0.0),
            Body("bob", [Sphere(radius)], 1.0, (0.0, -length, 0.0)),
        ],
        [Joint("bob", "ceiling", (0.0, 0.0, 0.0), x=x, y=0.0, z=0.0)],
        planes=[],
        **NO_DRAG,
    )


def test_pendulum_swings_with_its_period() -> None:
    """2 pi sqrt(l / g) (1 + a^2 / 16) for an amplitude a; here l = 0.5 m, 10 degrees."""
    ragdolls = make_ragdolls(pendulum(0.5), 1)
    turn_copies(ragdolls, np.array([0]), (0.0, 0.0, 0.0), from_euler(10.0, 0.0, 0.0)[np.newaxis])
    ragdolls.rotation[0, 0] = (1.0, 0.0, 0.0, 0.0)
    z, crossings = [], []
    for k in range(4000):
        run(ragdolls, 1, duration=0.001)
        z.append(ragdolls.position[0, 1, 2])
        if k and z[-2] < 0.0 <= z[-1]:
            crossings.append(k - z[-1] / (z[-1] - z[-2]))
    period = 2.0 * np.pi * np.sqrt(0.5 / G) * (1.0 + np.radians(10.0) ** 2 / 16.0)
    assert np.diff(crossings).mean() * 0.001 == pytest.approx(period, rel=2e-3)
    assert np.linalg.norm(ragdolls.position[0, 1]) == pytest.approx(0.5, abs=1e-4)
    assert abs(ragdolls.position[0, 1, 0]) < 1e-9


def test_a_limit_stops_the_pendulum() -> None:
    """It swings from -50 degrees until its parent, as seen from it, is at its lowest turn, -20.

    So the sign is that of the parent's turn: a child that swings by +20 degrees is at -20. There is no bounce.
    """
    ragdolls = make_ragdolls(pendulum(1.0, x=(-20.0, 90.0), radius=0.4), 1)
    turn_copies(ragdolls, np.array([0]), (0.0, 0.0, 0.0), from_euler(-50.0, 0.0, 0.0)[np.newaxis])
    ragdolls.rotation[0, 0] = (1.0, 0.0, 0.0, 0.0)
    reached = []
    for _ in range(300):
        run(ragdolls, 1)
        reached.append(turn_about(ragdolls, 1, 0))
    assert min(reached) >= -50.5
    assert max(reached) == pytest.approx(20.0, abs=1.0)


@pytest.mark.parametrize(("y", "z", "rows"), [(FREE, FREE, 3), (FREE, 0.0, 2 + 1), (0.0, 0.0, 1 + 2)])
def test_drives_turn_nothing_about_locked_axes(y: float, z: float, rows: int) -> None:
    """A drive has a row for each axis that is not locked, and a lock one for each that is; a hinge reaches its X."""
    arm = Ragdoll(
        [Body("wall", [Box((0.1, 1.0, 1.0))], 0.0), Body("arm", [Capsule(0.1, 1.0, 0)], 1.0, (0.5, 0.0, 0.0))],
        [Joint("arm", "wall", (0.0, 0.0, 0.0), y=y, z=z, stiffness=4000.0, damping=100.0)],
        planes=[],
        **NO_DRAG,
    )
    ragdolls = make_ragdolls(arm, 1)
    ragdolls.force_limit[:], ragdolls.target[:, 0] = 1000.0, from_euler(30.0, 0.0 if y else 40.0, 0.0)
    run(ragdolls, 200, gravity=0.0)
    first, linear = ragdolls.scratch.span[0, 2:4]
    assert linear - first == rows
    assert turn_about(ragdolls, 1, 0) == pytest.approx(-30.0, abs=0.05)
    assert np.abs(ragdolls.rotation[0, 1, 2:]).max() < 1e-6


@pytest.mark.parametrize("preprocessing", [True, False])
def test_preprocessing_solves_a_joint_in_one_sweep(preprocessing: bool) -> None:
    """Two tumbling boxes, joined far from both middles: after a single sweep their ends move as one, or nearly."""
    pair = Ragdoll(
        [Body("a", [Box((0.4, 1.0, 0.2))], 2.0), Body("b", [Box((0.3, 0.2, 1.0))], 1.0, (0.0, 1.0, 1.0))],
        [Joint("b", "a", (0.1, 0.5, 0.6), y=0.0)],
        planes=[],
        preprocessing=preprocessing,
        **NO_DRAG,
    )
    ragdolls = make_ragdolls(pair, 1)
    ragdolls.velocity[0, 0], ragdolls.velocity[0, 1] = (1.0, 2.0, 3.0), (-1.0, 0.5, 0.0)
    ragdolls.angular_velocity[0] = (0.5, -1.0, 2.0)
    run(ragdolls, 1, gravity=0.0, duration=1e-9, sweeps=1)
    ends = [(0.1, 0.5, 0.6), (0.1, -0.5, -0.4)]
    speeds = [ragdolls.velocity[0, i] + np.cross(ragdolls.angular_velocity[0, i], end) for i, end in enumerate(ends)]
    apart = np.abs(speeds[1] - speeds[0]).max()
    twist = abs(ragdolls.angular_velocity[0, 1, 1] - ragdolls.angular_velocity[0, 0, 1])
    assert (max(apart, twist) < 1e-6) == preprocessing


def test_a_locked_joint_holds_a_beam() -> None:
    """A beam of 1 m and 1 kg, welded to the wall, sags by a thousandth and stays there: nothing builds up."""
    beam = Ragdoll(
        [Body("wall", [Box((0.1, 1.0, 1.0))], 0.0), Body("beam", [Capsule(0.05, 1.0, 0)], 1.0, (0.5, 0.0, 0.0))],
        [Joint("beam", "wall", (0.0, 0.0, 0.0), x=(0.0, 0.0), y=0.0, z=0.0)],
        planes=[],
    )
    ragdolls = make_ragdolls(beam, 1)
    run(ragdolls, 300)
    assert ragdolls.position[0, 1] == pytest.approx((0.5, 0.0, 0.0), abs=5e-3)
    assert np.abs(ragdolls.velocity[0, 1]).max() < 1e-3


def test_momentum_is_kept_in_free_flight() -> None:
    """Joints and drives are inner forces: whatever they do, momentum stays to rounding."""
    ragdolls = make_ragdolls(two_links(stiffness=500.0, damping=20.0), 1)
    ragdolls.force_limit[:], ragdolls.target[0, 0] = 1e6, from_euler(70.0, 0.0, 0.0)
    ragdolls.velocity[0, :] = (0.3, -0.2, 0.1)
    run(ragdolls, 40, gravity=0.0)
    momentum = (ragdolls.velocity[0] / ragdolls.inverse_mass[0][:, np.newaxis]).sum(axis=0)
    np.testing.assert_allclose(momentum, np.array((0.3, -0.2, 0.1)) * 51.0, atol=1e-11)
    assert turn_about(ragdolls, 1, 0) - turn_about(ragdolls, 0, 0) == pytest.approx(-70.0, abs=3.0)


# Drives


def two_links(stiffness: float, damping: float) -> Ragdoll:
    return Ragdoll(
        [
            Body("base", [Box((1.0, 1.0, 1.0))], 50.0),
            Body("limb", [Capsule(0.1, 1.0, 2)], 1.0, (0.0, 0.0, 1.0)),
        ],
        [Joint("limb", "base", (0.0, 0.0, 0.5), x=(-FREE, FREE), y=0.0, z=0.0, stiffness=stiffness, damping=damping)],
        planes=[],
        **NO_DRAG,
    )


def fixed(ragdoll: Ragdoll) -> Ragdoll:
    bodies = [Body(b.name, b.shapes, 0.0 if b.name == "base" else b.mass, b.position) for b in ragdoll.bodies]
    return Ragdoll(bodies, ragdoll.joints, planes=[], **NO_DRAG)


def test_rate_of_a_free_limb() -> None:
    """A strong drive of k 40000 and d 3000 turns a limb by 2 tan(t / 2) k / (d + k dt) rad/s, 11.3 t for small t.

    The limb turns by the inverse of its target: 30 degrees bring it to -30.
    """
    ragdolls = make_ragdolls(fixed(two_links(40_000.0, 3_000.0)), 1)
    ragdolls.force_limit[:], ragdolls.target[0, 0] = 1e9, from_euler(30.0, 0.0, 0.0)
    dt = 0.01333
    run(ragdolls, 3, gravity=0.0, duration=dt)
    for _ in range(5):
        left = np.radians(-30.0 - turn_about(ragdolls, 1, 0))
        run(ragdolls, 1, gravity=0.0, duration=dt)
        expected = 2.0 * np.tan(0.5 * left) * 40_000.0 / (3_000.0 + 40_000.0 * dt)
        assert ragdolls.angular_velocity[0, 1, 0] == pytest.approx(expected, rel=0.01)
    assert 40_000.0 / (3_000.0 + 40_000.0 * dt) == pytest.approx(11.3, abs=0.03)


def test_a_drive_is_a_damped_spring_of_a_quarter() -> None:
    """Soft enough for small steps: I a = (k / 4) error - (d / 4) w, I about the anchor (Steiner's theorem)."""
    stiffness, damping = 40.0, 2.0
    ragdolls = make_ragdolls(fixed(two_links(stiffness, damping)), 1)
    own = np.linalg.inv(ragdolls.inverse_inertia[0, 1])[0, 0]
    inertia = own + 1.0 * 0.5**2
    ragdolls.force_limit[:], ragdolls.target[0, 0] = 1e9, from_euler(5.0, 0.0, 0.0)
    angle, speed, dt = 0.0, 0.0, 0.001
    for _ in range(400):
        error = np.radians(-5.0) - angle
        # Implicit: I (w' - w) / dt = k / 4 (error - dt w') - d / 4 w'.
        speed = (inertia * speed + 0.25 * dt * stiffness * error) / (inertia + 0.25 * dt * (damping + dt * stiffness))
        angle += dt * speed
    run(ragdolls, 400, gravity=0.0, duration=dt)
    assert turn_about(ragdolls, 1, 0) == pytest.approx(np.degrees(angle), rel=0.02)


@pytest.mark.parametrize("degrees", [20.0, 90.0, 150.0])
def test_torque_limit(degrees: float) -> None:
    """A force limit F turns a limb about an axis with F / 2 cos(t / 2), t the angle that is left."""
    force = 3.0
    ragdolls = make_ragdolls(fixed(two_links(1e6, 10.0)), 1)
    ragdolls.force_limit[:], ragdolls.target[0, 0] = force, from_euler(degrees, 0.0, 0.0)
    inertia = np.linalg.inv(ragdolls.inverse_inertia[0, 1])[0, 0] + 1.0 * 0.5**2
    run(ragdolls, 1, gravity=0.0, duration=0.001, sweeps=100)
    torque = -inertia * ragdolls.angular_velocity[0, 1, 0] / 0.001
    assert torque == pytest.approx(0.5 * force * np.cos(np.radians(0.5 * degrees)), rel=0.01)


def test_without_force_a_drive_does_nothing() -> None:
    ragdolls = make_ragdolls(fixed(two_links(1e6, 1e3)), 1)
    ragdolls.target[0, 0] = from_euler(90.0, 0.0, 0.0)
    run(ragdolls, 10, gravity=0.0)
    assert np.abs(ragdolls.angular_velocity).max() == 0.0


# Contacts


def sliding_box(friction: float, *, box: bool = True) -> Ragdolls:
    shape = Box((1.0, 1.0, 1.0)) if box else Capsule(0.5, 2.0, 0)
    ragdoll = Ragdoll([Body("box", [shape], 10.0, (0.0, 0.5, 0.0))], friction=friction, **NO_DRAG)
    ragdolls = make_ragdolls(ragdoll, 1)
    run(ragdolls, 30)
    return ragdolls


@pytest.mark.parametrize(("box", "anchors"), [(True, 2.0), (False, 1.0)])
def test_friction_anchors(box: bool, anchors: float) -> None:
    """A sliding face loses 2 mu g dt a step: two anchors, each with the whole pressure. A capsule loses mu g dt."""
    ragdolls = sliding_box(0.2, box=box)
    ragdolls.velocity[0, 0, 2] = 5.0
    if not box:  # across: along Z it would roll
        ragdolls.velocity[0, 0] = (5.0, 0.0, 0.0)
    run(ragdolls, 20)
    lost = 5.0 - np.abs(ragdolls.velocity[0, 0]).max()
    assert lost == pytest.approx(20 * anchors * 0.2 * G * DT, rel=0.02)


def test_a_box_rests_where_the_slope_is_gentle_and_slides_where_it_is_steep() -> None:
    """With mu 0.15 a face holds to tan = 0.3. Beyond, a = g (sin - 0.3 cos): 1 s at 30 degrees."""
    for degrees, speed in ((14.0, 0.0), (30.0, G * (0.5 - 0.3 * np.cos(np.pi / 6.0)))):
        slope = np.radians(degrees)
        plane = Plane((0.0, np.cos(slope), np.sin(slope)))  # falls towards +Z
        rotation = from_euler(degrees, 0.0, 0.0)
        box = Ragdoll([Body("box", [Box((1.0, 0.2, 1.0))], 3.0, (0.0, 0.1, 0.0))], planes=[plane], friction=0.15)
        ragdolls = make_ragdolls(box, 1, (0.0, 0.0, 0.0), rotation)
        run(ragdolls, 100)
        down = np.array((0.0, -np.sin(slope), np.cos(slope)))
        assert ragdolls.velocity[0, 0] @ down == pytest.approx(speed, abs=0.03)


def test_what_sinks_in_is_pushed_out_without_speed() -> None:
    """0.1 m deep: at most 10 m/s of push, in position only. The velocity stays 0."""
    ball = Ragdoll([Body("ball", [Sphere(0.5)], 1.0, (0.0, 0.4, 0.0))])
    ragdolls = make_ragdolls(ball, 1)
    run(ragdolls, 1)
    # 0.8 of the depth in a step: 8 m/s.
    assert ragdolls.position[0, 0, 1] == pytest.approx(0.4 + 0.08, abs=1e-6)
    assert np.abs(ragdolls.velocity).max() < 1e-9
    run(ragdolls, 50)
    assert ragdolls.position[0, 0, 1] == pytest.approx(0.5, abs=1e-3)
    assert ragdolls.touches[0, 0, 0] == 1


def test_a_fall_ends_on_the_ground() -> None:
    """What is within 2 cm touches; the gap is closed by no more than what is left of it."""
    ball = Ragdoll([Body("ball", [Sphere(0.5)], 1.0, (0.0, 0.6, 0.0))])
    ragdolls = make_ragdolls(ball, 1)
    flags, heights = [], []
    for _ in range(40):
        flags.append((ragdolls.position[0, 0, 1] - 0.5 < 0.02, 0))
        run(ragdolls, 1)
        flags[-1] = (flags[-1][0], bool(ragdolls.touches[0, 0, 0]))
        heights.append(ragdolls.position[0, 0, 1])
    assert all(near == touching for near, touching in flags)
    assert min(heights) >= 0.5 - 1e-9
    assert ragdolls.velocity[0, 0, 1] == pytest.approx(0.0, abs=1e-9)


def test_two_balls_meet_and_share_their_speed() -> None:
    """Without bounce, of one mass: both go on with the mean."""
    balls = Ragdoll(
        [Body("a", [Sphere(0.5)], 2.0, (-1.0, 5.0, 0.0)), Body("b", [Capsule(0.5, 3.0)], 2.0, (1.0, 5.0, 0.0))],
        planes=[],
    )
    ragdolls = make_ragdolls(balls, 1)
    ragdolls.velocity[0, 0] = (2.0, 0.0, 0.0)
    run(ragdolls, 100, gravity=0.0)
    np.testing.assert_allclose(ragdolls.velocity[0], [(1.0, 0.0, 0.0)] * 2, atol=1e-6)
    assert ragdolls.position[0, 1, 0] - ragdolls.position[0, 0, 0] == pytest.approx(1.0, abs=1e-6)


def test_bodies_with_a_common_joint_do_not_collide() -> None:
    balls = Ragdoll(
        [Body("a", [Sphere(0.5)], 1.0), Body("b", [Sphere(0.5)], 1.0, (0.4, 0.0, 0.0))],
        [Joint("b", "a", (0.2, 0.0, 0.0))],
        planes=[],
    )
    ragdolls = make_ragdolls(balls, 1)
    run(ragdolls, 10, gravity=0.0)
    assert np.abs(ragdolls.velocity).max() < 1e-12


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (((0, 0, 0), (1, 0, 0)), ((0.5, 1, -1), (0, 0, 2)), (0.5, 0.5)),  # crossing
        (((0, 0, 0), (1, 0, 0)), ((2, 1, 0), (1, 0, 0)), (1.0, 0.0)),  # ends
        (((0, 0, 0), (0, 0, 0)), ((-1, 1, 0), (4, 0, 0)), (0.0, 0.25)),  # a point and a segment
        (((0, 0, 0), (4, 0, 0)), ((1, 1, 0), (0, 0, 0)), (0.25, 0.0)),
        (((0, 0, 0), (0, 0, 0)), ((1, 1, 0), (0, 0, 0)), (0.0, 0.0)),
    ],
)
def test_nearest_points_of_segments(a, b, expected) -> None:
    a, b = (tuple(tuple(map(float, vector)) for vector in segment) for segment in (a, b))
    assert nearest_points(*a, *b) == pytest.approx(expected)


# Many, and their description


def test_copies_do_not_know_of_each_other() -> None:
    """Each of three copies does, bit for bit, what it does alone; and state arrays hold all of it."""
    ragdoll = two_links(1000.0, 10.0)
    together = make_ragdolls(ragdoll, 3)
    alone = make_ragdolls(ragdoll, 1)
    for i in range(3):
        together.target[i, 0] = from_euler(10.0 * i, 0.0, 0.0)
    together.force_limit[:], alone.force_limit[:] = 100.0, 100.0
    alone.target[0, 0] = from_euler(20.0, 0.0, 0.0)
    run(together, 10)
    run(alone, 10)
    for name, array in state_arrays(together).items():
        np.testing.assert_array_equal(array[2], state_arrays(alone)[name][0], err_msg=name)
    reset(together, np.array([1]))
    np.testing.assert_array_equal(together.position[1], together.start_position[1])
    assert np.abs(together.velocity[1]).max() == 0.0 < np.abs(together.velocity[2]).max()


def test_masses_can_be_changed() -> None:
    ragdolls = make_ragdolls(two_links(0.0, 0.0), 2)
    inertia = ragdolls.inverse_inertia[1, 0].copy()
    set_mass(ragdolls, np.array([1]), 0, np.array([25.0]))
    np.testing.assert_allclose(1.0 / ragdolls.inverse_mass[:, 0], (50.0, 25.0))
    np.testing.assert_allclose(ragdolls.inverse_inertia[1, 0], 2.0 * inertia)


def test_copies_stand_where_they_are_put() -> None:
    ragdolls = make_ragdolls(two_links(0.0, 0.0), 2, [(0, 0, 0), (10, 0, 0)], from_euler(0.0, 90.0, 0.0))
    np.testing.assert_allclose(origins_of(ragdolls)[1], [(10, 0, 0), (11, 0, 0)], atol=1e-12)
    np.testing.assert_allclose(quat_rotations(ragdolls.rotation[0, 1]) @ (0, 0, 1), (1, 0, 0), atol=1e-12)


def test_pictures_show_all_shapes() -> None:
    ragdoll = two_links(0.0, 0.0)
    geoms = geoms_of(ragdoll, make_ragdolls(ragdoll, 2, [(0, 0, 0), (0, 3, 0)]), (1.0, 0.0, 0.0))
    assert len(geoms.shape) == 4
    capsules = geoms.shape == CAPSULE
    np.testing.assert_allclose(geoms.center[capsules], [(0, 0, 1), (0, 3, 1)], atol=1e-12)
    np.testing.assert_allclose(geoms.half_size[capsules], [(0.1, 0.1, 0.5)] * 2)
    np.testing.assert_allclose(np.abs(geoms.rotation[capsules][0][:, 2]), (0, 0, 1), atol=1e-12)


def test_capsules_are_drawn_as_long_and_as_thick_as_they_are(opengl) -> None:
    """3 m long along X and 1 m thick, above it a ball of 2 m, from 10 m: at 60 degrees 100 pixels show 11.5 m."""
    from mlagents_sim.rendering import Renderer
    from mlagents_sim.view import Pose

    ball = Body("ball", [Sphere(1.0)], 1.0, (0.0, 3.0, 0.0))
    capsule = Ragdoll([Body("capsule", [Capsule(0.5, 3.0, 0)], 1.0), ball], planes=[])
    geoms = geoms_of(capsule, make_ragdolls(capsule, 1), (1.0, 1.0, 1.0))
    pose = Pose(np.array((0.0, 0.0, -10.0)), np.array((0.0, 0.0, 1.0)), np.array((0.0, 1.0, 0.0)))
    seen = Renderer(geoms, 100, 100).picture(geoms, pose).max(axis=2) > 0
    per_metre = 100.0 / (2.0 * 10.0 * np.tan(np.pi / 6.0))
    assert np.count_nonzero(seen.any(axis=0)) == pytest.approx(3.0 * per_metre, abs=2.0)
    assert np.count_nonzero(seen.any(axis=1)) == pytest.approx((1.0 + 2.0) * per_metre, abs=3.0)


@pytest.mark.parametrize(
    ("bodies", "joints", "message"),
    [
        (["a", "a"], [], "several 'a'"),
        (["a", "b"], [Joint("c", "a", (0, 0, 0))], "no body 'c'; its bodies are a, b"),
        (["a", "b"], [Joint("b", "b", (0, 0, 0))], "joins two bodies; got 'b' and 'b'"),
        (["a", "b"], [Joint("b", "a", (0, 0, 0), (0, 1, 0), (0, 2, 0))], "not parallel"),
    ],
)
def test_what_is_wrong_with_a_description_is_said(bodies, joints, message) -> None:
    with pytest.raises(ValueError, match=message):
        make_ragdolls(Ragdoll([Body(name, [Sphere(0.5)], 1.0) for name in bodies], joints), 1)


def test_euler_angles_turn_about_z_then_x_then_y() -> None:
    """Z first: (0, 1, 0) by 90 degrees about Z is (-1, 0, 0); about X nothing; about Y by 90: (0, 0, 1)."""
    rotation = from_euler(90.0, 90.0, 90.0)
    np.testing.assert_allclose(quat_rotations(rotation) @ (0, 1, 0), (0, 0, 1), atol=1e-12)
    parts = multiply(from_euler(0, 90, 0), multiply(from_euler(90, 0, 0), from_euler(0, 0, 90)))
    np.testing.assert_allclose(rotation, parts, atol=1e-12)
