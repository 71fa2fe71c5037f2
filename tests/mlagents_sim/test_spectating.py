"""What environments tell spectators that draw by themselves: bodies, agents, rays, and from where to look."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from mlagents_envs.registry import default_registry
from mlagents_envs.spectating import BOX, CAPSULE, CYLINDER, ELLIPSOID, MESH, SPHERE, Spectacle
from mlagents_sim.physics.scene import Scene
from mlagents_sim.scene_geoms import geoms_of_scene, meshes_of_scene

IN_SPACE = [
    "3DBall",
    "Bouncer",
    "CrawlerStatic",
    "FoodCollector",
    "Hallway",
    "Pyramids",
    "PushBlock",
    "Reacher",
    "SoccerTwos",
    "Tennis",
    "Walker",
    "WallJump",
    "WalkerModern",
    "WormStatic",
]


@pytest.mark.parametrize("name", IN_SPACE)
def test_agents_are_where_one_of_the_bodies_is(name):
    env = default_registry[name].make(num_areas=2)
    env.reset()
    assert isinstance(env, Spectacle)
    bodies = env.bodies()
    for behavior in env.behavior_specs:
        poses = env.agent_poses(behavior)
        nearest = np.linalg.norm(bodies.center[:, np.newaxis] - poses.position, axis=2).min(axis=0)
        assert nearest.max() < 1e-9
        np.testing.assert_allclose(
            poses.rotation @ poses.rotation.transpose(0, 2, 1), np.eye(3)[None].repeat(len(nearest), 0), atol=1e-9
        )
        decisions, _ = env.get_steps(behavior)
        assert set(decisions.agent_id.tolist()) <= set(poses.agent_id.tolist())


def test_agents_of_both_areas_have_places_of_their_own():
    env = default_registry["SoccerTwos"].make(num_areas=2)
    env.reset()
    places = np.concatenate([env.agent_poses(behavior).position for behavior in env.behavior_specs])
    assert len(places) == 8
    assert len(np.unique(places.round(6), axis=0)) == 8


def test_a_grid_is_no_place_in_space():
    env = default_registry["GridWorld"].make(num_areas=1)
    env.reset()
    assert env.bodies() is None
    assert list(env.meshes()) == []
    assert env.agent_poses("GridWorld?team=0") is None


@pytest.mark.parametrize("name", ["PushBlock", "FoodCollector", "SoccerTwos", "StrikersVsGoalie"])
def test_rays_end_where_something_is(name):
    """Every ray that hits ends at most its sphere's radius away from the box around some body."""
    env = default_registry[name].make(num_areas=1)
    env.reset()
    bodies = env.bodies()
    hits = 0
    for behavior in env.behavior_specs:
        decisions, poses = env.get_steps(behavior)[0], env.agent_poses(behavior)
        for place, fan in env.ray_fans(behavior).items():
            assert decisions.obs[place].shape[1] % fan.size == 0
            table = decisions.obs[place][0, -fan.size :].reshape(len(fan.path), -1)
            row = poses.agent_id.tolist().index(int(decisions.agent_id[0]))
            for path, values in zip(fan.path, table, strict=True):
                if values[len(fan.tags)] > 0.5:
                    continue
                hits += 1
                rotation = poses.rotation[row]
                end = poses.position[row] + rotation[:, 1] * fan.start_height + values[-1] * (rotation @ path)
                assert _distance(bodies, end) < 0.85
    assert hits > 3


def _distance(bodies, point):
    """From the nearest box around a body, seen from above: goals are shown flat. Floors are left out."""
    local = np.einsum("gji,gj->gi", bodies.rotation, point - bodies.center)
    outside = np.linalg.norm(np.maximum(np.abs(local) - bodies.half_size, 0.0)[:, [0, 2]], axis=1)
    outside[bodies.half_size[:, [0, 2]].min(axis=1) > 6.0] = np.inf
    return outside.min()


def test_everything_is_in_view():
    env = default_registry["Hallway"].make(num_areas=4)
    env.reset()
    aspect = 1.5
    view = env.viewpoint(aspect)
    forward = (view.target - view.position) / np.linalg.norm(view.target - view.position)
    right = np.cross((0.0, 1.0, 0.0), forward)
    right /= np.linalg.norm(right)
    up = np.cross(forward, right)
    bodies = env.bodies()
    offset = bodies.center[bodies.half_size.any(axis=1)] - view.position
    slope = np.tan(np.radians(view.fov_deg) / 2)
    assert (np.abs(offset @ up) < slope * (offset @ forward)).all()
    assert (np.abs(offset @ right) < aspect * slope * (offset @ forward)).all()


def test_parameters_tell_their_ranges():
    parameters = default_registry["3DBall"].make(num_areas=1).parameters
    assert (parameters["gravity"].low, parameters["gravity"].default, parameters["gravity"].high) == (4.0, 9.81, 105.0)


SCENE = """
<mujoco>
  <asset>
    <mesh name="tetrahedron" vertex="0 0 0  1 0 0  0 1 0  0 0 1"/>
    <material name="red" rgba="1 0 0 1"/>
  </asset>
  <worldbody>
    <geom type="plane" size="3 4 1" rgba="0 0 1 1"/>
    <body pos="1 2 3">
      <freejoint/>
      <geom type="sphere" size="0.5"/>
      <geom type="capsule" size="0.2 0.7" pos="1 0 0" material="red"/>
      <geom type="ellipsoid" size="0.1 0.2 0.3"/>
      <geom type="cylinder" size="0.2 0.7" euler="90 0 0"/>
      <geom type="box" size="0.1 0.2 0.3" rgba="1 1 1 0"/>
    </body>
    <geom type="mesh" mesh="tetrahedron"/>
  </worldbody>
</mujoco>
"""


def test_a_scene_of_mujoco_becomes_bodies_and_meshes():
    scene = Scene(mujoco.MjModel.from_xml_string(SCENE))
    bodies = geoms_of_scene(scene)
    # The geoms of the world come first, then those of the body; the box is not to be seen.
    assert bodies.shape.tolist() == [BOX, MESH, SPHERE, CAPSULE, ELLIPSOID, CYLINDER]
    np.testing.assert_allclose(
        bodies.half_size[[0, 2, 3, 4, 5]],
        [(3, 4, 0.001), (0.5, 0.5, 0.5), (0.2, 0.2, 0.9), (0.1, 0.2, 0.3), (0.2, 0.2, 0.7)],
    )
    np.testing.assert_allclose(bodies.center[[2, 3]], [(1, 2, 3), (2, 2, 3)])
    np.testing.assert_allclose(bodies.color[[0, 3]], [(0, 0, 1), (1, 0, 0)])
    np.testing.assert_allclose(bodies.rotation[5] @ (0, 0, 1), (0, -1, 0), atol=1e-9)
    (mesh,) = meshes_of_scene(scene)
    assert mesh.faces.shape == (4, 3)
    edges = mesh.vertices[mesh.faces]
    volume = np.einsum("fi,fi->f", edges[:, 0], np.cross(edges[:, 1], edges[:, 2])).sum() / 6
    assert volume == pytest.approx(1 / 6, rel=1e-5)
