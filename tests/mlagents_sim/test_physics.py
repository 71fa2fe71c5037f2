"""Unity's rules and MuJoCo scenes."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mlagents_sim.physics import rules
from mlagents_sim.physics.compiled import _cache_dir, compiled, mj_step
from mlagents_sim.physics.scene import Scene, compose

angles = st.floats(-3.0, 3.0)
HALF_SIZE, RADIUS = 2.5, 0.5
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
        turn(quat, angle)
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
def test_a_sphere_is_pushed_out_along_the_shortest_way(euler, local) -> None:
    """Away from the nearest point of the box, until 1 cm remains; the sphere's centre is outside the box."""
    assume(max(np.abs(local)) > HALF_SIZE + 1e-6)
    center = np.array((9.0, -9.0, 5.0))
    turned = Rotation.from_euler("xyz", euler)
    quat = quaternion(turned)
    position = np.append(center + turned.apply(local), 1.0)
    before = position.copy()
    rules.push_out_of_box(position, RADIUS, center, quat, HALF_SIZE, 0.01)
    nearest = np.clip(local, -HALF_SIZE, HALF_SIZE)
    away = turned.apply(np.array(local) - nearest)
    distance = np.linalg.norm(away)
    expected = before[:3] + away / distance * max(RADIUS - 0.01 - distance, 0.0)
    np.testing.assert_allclose(position[:3], expected, atol=1e-9)
    assert position[3] == 1.0


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
