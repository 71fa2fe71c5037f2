"""Unity's rules and MuJoCo scenes."""

from __future__ import annotations

import math
from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mlagents_sim.physics import balls, contacts, rules
from mlagents_sim.physics.compiled import _cache_dir, compiled, mj_step
from mlagents_sim.physics.scene import Scene, compose

angles = st.floats(-3.0, 3.0)
HALF_SIZE = 2.5
DERIVED = (
    "geom_size",
    "geom_rbound",
    "geom_aabb",
    "body_mass",
    "body_inertia",
    "body_invweight0",
    "dof_M0",
    "dof_invweight0",
)


def quaternion(turned: Rotation) -> np.ndarray:
    return np.roll(turned.as_quat(), 1)


def rotation(quat: np.ndarray) -> Rotation:
    return Rotation.from_quat(np.roll(quat, -1))  # scipy has w last


@given(st.tuples(angles, angles, angles), angles)
def test_turns_are_about_the_own_axis(euler, angle: float) -> None:
    start = Rotation.from_euler("xyz", euler)
    for turn, axis in ((rules.turn_x, "x"), (rules.turn_z, "z")):
        quat = quaternion(start)
        turn(quat, math.cos(0.5 * angle), math.sin(0.5 * angle))
        expected = start * Rotation.from_euler(axis, angle)
        np.testing.assert_allclose(rotation(quat).as_matrix(), expected.as_matrix(), atol=1e-12)


def test_drag_and_the_limit_of_the_spin() -> None:
    # 1 - 0.5 * 0.02 = 0.99; a spin of 30 is cut to 7 in its direction.
    velocity = np.array([1.0, 2.0, 3.0, 0.0, 3.0, 4.0])
    rules.apply_angular_drag(velocity, 0.5)
    np.testing.assert_allclose(velocity, [1.0, 2.0, 3.0, 0.0, 2.97, 3.96])
    velocity[3:] = (10.0, -20.0, 20.0)
    rules.apply_angular_drag(velocity, 0.0)
    np.testing.assert_allclose(velocity[3:], np.array((1.0, -2.0, 2.0)) / 3.0 * 7.0)


@given(st.tuples(angles, angles, angles), st.tuples(*3 * [st.floats(-3.2, 3.2)]))
def test_the_way_from_a_box_is_the_shortest(euler, local) -> None:
    """From the nearest point of the box to a point outside it."""
    assume(max(np.abs(local)) > HALF_SIZE + 1e-6)
    center, normal = np.array((9.0, -9.0, 5.0)), np.zeros(3)
    turned = Rotation.from_euler("xyz", euler)
    position = center + turned.apply(local)
    distance = balls.away_from_box(position, center, quaternion(turned), HALF_SIZE, normal)
    away = turned.apply(np.array(local) - np.clip(local, -HALF_SIZE, HALF_SIZE))
    assert distance == pytest.approx(np.linalg.norm(away), abs=1e-9)
    np.testing.assert_allclose(distance * normal, away, atol=1e-9)


@pytest.mark.parametrize(
    ("gap", "moving", "staying"),
    [
        (0.01, -0.4, -0.4),  # 0.8 of the gap may be closed in 0.02 s
        (0.0, 0.0, 0.0),
        (-0.1, 4.0, 0.0),  # 0.8 of the depth is taken out, and no speed is left of it
        (-0.3, 10.0, 0.0),  # at no more than 10 m/s
    ],
)
def test_what_a_contact_demands(gap: float, moving: float, staying: float) -> None:
    assert contacts.moving_speed(gap) == pytest.approx(moving)
    assert contacts.staying_speed(gap) == pytest.approx(staying)


@pytest.mark.parametrize(
    ("speed", "gap", "expected"),
    [(-3.0, 0.0, 1.5), (-1.9, 0.0, 0.0), (-3.0, 0.07, 0.0), (3.0, 0.0, 0.0)],  # slow; not there yet; leaving
)
def test_what_bounces(speed: float, gap: float, expected: float) -> None:
    assert contacts.bouncing_speed(speed, gap, 0.5) == expected


def test_a_sliding_ball_is_held_by_its_weight_until_it_rolls() -> None:
    """Friction takes 0.6 g dt off a fast ball in each step; a slow one stops to slip: v becomes 5/7 v."""
    normal, pushed = np.array((0.0, 1.0, 0.0)), -9.81 * 0.02
    for speed, expected in ((3.0, 3.0 + 0.6 * pushed), (0.1, 0.1 * 5.0 / 7.0)):
        velocity, spin, push = np.array((speed, pushed, 0.0)), np.zeros(3), np.zeros(3)
        balls.press(velocity, spin, push, 0.5, normal, 0.0, 0.6, 0.0)
        np.testing.assert_allclose(velocity, (expected, 0.0, 0.0), atol=1e-12)
        np.testing.assert_allclose(spin, (0.0, 0.0, -(speed - expected) / (0.4 * 0.5)), atol=1e-12)
        np.testing.assert_array_equal(push, 0.0)


def add_ball(spec: mujoco.MjSpec, prefix: str, origin: np.ndarray, radius: float = 0.5, mass: float = 1.0):
    body = spec.worldbody.add_body(name=prefix + "ball", pos=origin)
    body.add_freejoint()
    body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[radius, 0.0, 0.0], mass=mass)


def test_a_scene_repeats_an_area_at_every_origin() -> None:
    origins = np.array([(0.0, 0.0, 0.0), (9.0, 0.0, 0.0), (0.0, 9.0, 5.0)])
    model = compose(add_ball, origins, substeps=4)
    assert model.opt.timestep == 0.005
    np.testing.assert_array_equal(model.body_pos[1:], origins)
    assert model.body("area2/ball").id == 3


def test_changed_spheres_equal_new_ones() -> None:
    """What is written into a model is what MuJoCo derives when the sphere is built that way."""
    origins = np.array([(0.0, 0.0, 0.0), (9.0, 0.0, 0.0)])
    scene = Scene(compose(add_ball, origins, substeps=4))
    scene.set_free_spheres(np.array([2]), np.array([0.75]), np.array([3.0]))

    def second_differs(spec, prefix, origin):
        add_ball(spec, prefix, origin, *((0.75, 3.0) if prefix == "area1/" else (0.5, 1.0)))

    expected = compose(second_differs, origins, substeps=4)
    for name in DERIVED:
        np.testing.assert_allclose(getattr(scene.model, name), getattr(expected, name), err_msg=name)
    np.testing.assert_allclose(scene.model.body_subtreemass[1:], expected.body_subtreemass[1:])


@compiled
def run(model: int, data: int, steps: int) -> int:
    for _ in range(steps):
        mj_step(model, data)
    return steps


def test_machine_code_is_kept_apart_for_every_version_of_the_rules() -> None:
    """Numba alone would keep the code of a function whose callee, in another file, has changed."""
    folder = Path(run._dispatcher.stats.cache_path).parent
    assert folder == Path(_cache_dir(""))
    assert folder.name.startswith("numba-")


def test_compiled_code_steps_the_scene() -> None:
    scene = Scene(compose(add_ball, np.zeros((1, 3)), substeps=4))
    assert run(scene.model_address, scene.data_address, 4) == 4
    assert scene.data.time == pytest.approx(0.02)
    with pytest.raises(TypeError, match=r"mujoco\.mj_step"):
        mj_step(scene.model_address, scene.data_address)
