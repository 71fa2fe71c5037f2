"""Cubes that tumble: they fall, lie, slide, tip over, hit each other, and sleep."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_sim.physics.cubes import SLOW_STEPS, Cubes, make_cubes, move_cubes

GRAVITY = 9.81
NO_WALLS = np.zeros((0, 3))
FAR = (500.0, 0.5, 500.0)


def make(*places: tuple[float, float, float], masses: list[float] | None = None) -> Cubes:
    """Awake cubes of 1 m, and an agent far away."""
    count = len(places)
    cubes = make_cubes(1, [0.5] * (count + 1), [*(masses or [2.0] * count), 25.0])
    cubes.position[0] = (*places, FAR)
    cubes.slow_steps[0] = 0
    return cubes


def move(cubes: Cubes, steps: int, walls: np.ndarray = NO_WALLS, sizes: np.ndarray = NO_WALLS) -> bool:
    touched = False
    for _ in range(steps):
        touched |= move_cubes(cubes, 0, GRAVITY, walls, sizes, 0)
    return touched


def turned(cubes: Cubes, cube: int, angle_rad: float) -> None:
    """About the level Z axis."""
    cubes.quat[0, cube] = (np.cos(0.5 * angle_rad), 0.0, 0.0, np.sin(0.5 * angle_rad))


def test_a_cube_falls_and_lies_still() -> None:
    cubes = make((0.0, 3.0, 0.0))
    move(cubes, 5)
    assert cubes.position[0, 0, 1] == pytest.approx(3.0 - 0.05886)  # as in Unity
    move(cubes, 100)
    np.testing.assert_allclose(cubes.position[0, 0], (0.0, 0.5, 0.0), atol=1e-3)
    assert cubes.slow_steps[0] >= SLOW_STEPS
    np.testing.assert_array_equal(cubes.velocity[0, 0], 0.0)


def test_sliding_is_held_by_twice_the_friction() -> None:
    """The corners of a face count as two points, each with the whole weight; so a cube that may turn would tip over."""
    cubes = make((0.0, 0.5, 0.0))
    cubes.inverse_inertia[0] = 0.0
    move(cubes, 3)
    cubes.velocity[0, 0], cubes.spin[0, 0], cubes.slow_steps[0] = (5.0, 0.0, 0.0), 0.0, 0
    before = cubes.velocity[0, 0, 0]
    move(cubes, 1)
    assert before - cubes.velocity[0, 0, 0] == pytest.approx(2 * 0.6 * GRAVITY * 0.02, rel=1e-6)


@pytest.mark.parametrize(("degrees", "end"), [(40.0, 0.0), (50.0, 90.0)])
def test_a_tilted_cube_falls_to_its_nearer_side(degrees: float, end: float) -> None:
    cubes = make((0.0, 0.5 * np.sqrt(2.0), 0.0))
    turned(cubes, 0, np.radians(degrees))
    move(cubes, 150)
    w, x, y, z = cubes.quat[0, 0]
    np.testing.assert_allclose((x, y), 0.0, atol=1e-3)
    assert np.degrees(2.0 * np.arctan2(z, w)) == pytest.approx(end, abs=1.0)
    assert cubes.position[0, 0, 1] == pytest.approx(0.5, abs=5e-3)


def test_what_hangs_over_too_far_tips() -> None:
    for overhang, stays in ((0.3, True), (0.7, False)):
        cubes = make((0.0, 0.5, 0.0), (overhang, 1.5, 0.0), masses=[200.0, 2.0])
        move(cubes, 120)
        assert (cubes.position[0, 1, 1] > 1.45) == stays


def test_a_hit_passes_momentum_on_and_energy_is_lost() -> None:
    """In free fall, head-on and off the middle."""
    for aside in (0.0, 0.4):
        cubes = make((0.0, 90.0, 0.0), (1.3, 90.0, aside), masses=[2.0, 6.0])
        cubes.velocity[0, 0, 0] = 8.0
        move(cubes, 10)
        momentum = 2.0 * cubes.velocity[0, 0] + 6.0 * cubes.velocity[0, 1]
        np.testing.assert_allclose(momentum[::2], (16.0, 0.0), atol=1e-9)
        assert cubes.velocity[0, 1, 0] > 1.5
        if aside == 0.0:
            np.testing.assert_allclose(cubes.velocity[0, :2, 0], 2.0, atol=1e-9)
        energy = 0.5 * 2.0 * cubes.velocity[0, 0, 0] ** 2 + 0.5 * 6.0 * cubes.velocity[0, 1, 0] ** 2
        assert energy < 0.5 * 2.0 * 64.0
        assert (np.abs(cubes.spin[0, :2]).max() > 0.1) == (aside > 0.0)


def test_edges_meet_edges() -> None:
    """Two cubes on their edges, crosswise, one above the other: they touch at one point, straight up."""
    cubes = make((0.0, 90.0, 0.0), (0.0, 91.42, 0.0))
    turned(cubes, 0, np.radians(45.0))
    half = np.radians(22.5)
    cubes.quat[0, 1] = (np.cos(half), np.sin(half), 0.0, 0.0)
    cubes.velocity[0, 0, 1] = 1.0
    move(cubes, 1)
    # 1 m/s towards each other; 0.8 of the gap, sqrt(2) - 1.42 m away, may be closed in a step.
    gap = 1.42 - np.sqrt(2.0)
    difference = cubes.velocity[0, 0, 1] - cubes.velocity[0, 1, 1]
    assert difference == pytest.approx(0.8 * gap / 0.02, abs=1e-6)
    np.testing.assert_allclose(cubes.spin[0, :2], 0.0, atol=1e-9)


def test_walls_hold_cubes() -> None:
    wall, size = np.array([[5.0, 2.0, 0.0]]), np.array([[0.5, 2.0, 10.0]])
    cubes = make((2.0, 0.5, 0.0))
    cubes.velocity[0, 0, 0] = 20.0
    move(cubes, 60, wall, size)
    assert 3.5 < cubes.position[0, 0, 0] <= 4.01


def test_an_agent_wakes_cubes_and_touches_the_target() -> None:
    """25 kg at 4 m/s against 2 kg that sleep: they go on together at 25 / 27 of that, but for the floor."""
    cubes = make((0.0, 0.5, 0.0))
    move(cubes, 60)
    assert cubes.slow_steps[0] >= SLOW_STEPS
    cubes.position[0, -1] = (-1.005, 0.5, 0.0)
    assert not move(cubes, 1)  # it stands: nobody wakes
    cubes.velocity[0, -1] = (4.0, 0.0, 0.0)
    assert move(cubes, 1)
    assert cubes.velocity[0, 0, 0] == pytest.approx(4.0 * 25.0 / 27.0, abs=0.3)
    assert cubes.velocity[0, -1, 0] == pytest.approx(4.0 * 25.0 / 27.0, abs=0.3)
    np.testing.assert_array_equal(cubes.spin[0, -1], 0.0)
