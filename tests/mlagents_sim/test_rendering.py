"""Pictures for spectators: what is in them, and that looking changes nothing."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry
from mlagents_sim import rendering, visual_geoms
from mlagents_sim.academy import World
from mlagents_sim.examples import ball3d, hallway, push_block
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.physics.scene import Scene, compose
from mlagents_sim.rendering import RenderingError, Spectator
from mlagents_sim.view import View


def test_a_scene_is_wholly_in_the_picture(opengl) -> None:
    env = ball3d.ENTRY.make(num_areas=12)
    env.reset()
    picture = env.picture(320, 240)
    assert picture.shape == (240, 320, 3)
    assert picture.dtype == np.uint8
    # A sky that is lighter below: at the border there is nothing else, every row there is of one colour.
    border = np.concatenate([picture[:, :4], picture[:, -4:]], axis=1)
    assert (border == border[:, :1]).all()
    assert (np.diff(border[:, 0].astype(int), axis=0) >= 0).all()
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    assert (blue - red > 150).mean() > 0.1  # platforms
    assert ((red > 240) & (green > 240)).mean() > 0.001  # balls
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_pictures_follow_what_moves(opengl) -> None:
    env = ball3d.ENTRY.make(num_areas=1)
    env.reset()
    first = env.picture(64, 48)
    again = env.picture(64, 48)
    np.testing.assert_array_equal(first, again)
    env.step()
    assert (env.picture(64, 48) != first).any()
    assert env.picture(32, 48).shape == (48, 32, 3)


def play(entry, looked_at: bool) -> list[np.ndarray]:
    env = entry.make(seed=5, num_areas=2)
    pictures = []
    if looked_at:
        env.watch(lambda: pictures.append(env.picture(32, 24)), 2)
    env.reset()
    (name,) = env.behavior_specs
    rng, columns = np.random.default_rng(0), []
    for _ in range(30):
        for steps in env.get_steps(name):
            columns += [*steps.obs, steps.reward, steps.agent_id]
        env.set_actions(name, ActionTuple(rng.uniform(-1, 1, (len(env.get_steps(name)[0]), 2))))
        env.step()
    assert len(pictures) == (len(pictures) > 0) * (1 + env._academy.step_count // 2)
    return columns


@pytest.mark.parametrize("entry", [ball3d.ENTRY, ball3d.HARD_ENTRY], ids=lambda entry: entry.identifier)
def test_looking_changes_nothing(opengl, entry) -> None:
    for one, other in zip(play(entry, True), play(entry, False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_solids_are_drawn_where_they_are(opengl) -> None:
    """A red box ahead on the left, a green sphere on the right, and one far below that is out of play."""
    box = visual_geoms.make_boxes([(-3.0, 0.0, 0.0)], (1.0, 1.0, 1.0), (1.0, 0.0, 0.0))
    balls = visual_geoms.make_spheres([(3.0, 0.0, 0.0), (0.0, -1000.0, 0.0)], (1.0, 1.0), (0.0, 1.0, 0.0))
    bodies = visual_geoms.join(box, balls)
    picture = Spectator(bodies, View(pitch_deg=0.0, yaw_deg=0.0), 160, 120).picture(bodies).astype(int)
    red, green = (picture[..., own] - picture[..., other] > 100 for own, other in ((0, 1), (1, 0)))
    # 8 m and a margin of 8 % on 160 pixels, a little less behind the front: some 18 per metre
    for lit, column, area in ((red, 79.5 - 3 * 18, 36**2), (green, 79.5 + 3 * 18, np.pi * 18**2)):
        assert np.nonzero(lit)[1].mean() == pytest.approx(column, abs=3)
        assert lit.sum() == pytest.approx(area, rel=0.25)  # nearer than that, and sideways


def add_things(spec, prefix, origin) -> None:
    """A floor without end, a red box of 2 m, and one that is out of play."""
    kinds = mujoco.mjtGeom
    spec.worldbody.add_geom(type=kinds.mjGEOM_PLANE, size=[0, 0, 1], quat=(0.5**0.5, -(0.5**0.5), 0, 0), pos=(0, -1, 0))
    for height in (0.0, -1000.0):
        spec.worldbody.add_geom(type=kinds.mjGEOM_BOX, size=[1, 1, 1], pos=(0, height, 0), rgba=(1, 0, 0, 1))


def test_a_scene_is_seen_without_what_is_out_of_play_or_without_end(opengl) -> None:
    """The box reaches from the middle to the margin, 120 / 1.08 = 111 pixels, where it is nearest; behind is floor."""
    scene = Scene(compose(add_things, np.zeros((1, 3)), substeps=1))
    picture = Spectator(scene, View(pitch_deg=10.0, yaw_deg=0.0), 320, 240).picture(scene).astype(int)
    rows, columns = np.nonzero(picture[..., 0] - picture[..., 1] > 100)
    assert np.abs(rows - 119.5).max() == pytest.approx(111, abs=1.5)
    assert np.abs(columns - 159.5).max() == pytest.approx(111, abs=20)
    assert columns.mean() == pytest.approx(159.5, abs=1)
    red, green, blue = picture[230, 10]
    assert red == green == blue


def test_rotations_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    turned = Rotation.random(5, rng=rng)
    np.testing.assert_allclose(visual_geoms.quat_rotations(np.roll(turned.as_quat(), 1, axis=1)), turned.as_matrix())
    angles = rng.uniform(-4.0, 4.0, 6)
    expected = Rotation.from_euler("y", angles[:, np.newaxis]).as_matrix()
    np.testing.assert_allclose(visual_geoms.yaw_rotations(angles), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("example", "agent"), [(push_block, push_block.AGENT), (hallway, hallway.AGENT)], ids=["PushBlock", "Hallway"]
)
def test_areas_without_a_place_are_shown_side_by_side(example, agent: int) -> None:
    env = example.ENTRY.make(num_areas=5)
    env.reset()
    world = env._world
    bodies, boxes = world.bodies(), world.boxes
    areas, count = boxes.yaw.shape
    apart = example.AREAS_APART_M
    # Three columns, two rows; bodies of an area one after the other, then a face of three parts per agent.
    center = bodies.center[: areas * count].reshape(areas, count, 3)
    np.testing.assert_allclose(
        center[:, agent] - boxes.position[:, agent],
        [(0, 0, 0), (apart, 0, 0), (2 * apart, 0, 0), (0, 0, apart), (apart, 0, apart)],
    )
    assert len(bodies.center) == areas * (count + 3)
    headbands = bodies.center[-areas:]
    np.testing.assert_allclose(headbands - center[:, agent], np.tile((0.0, 0.36, 0.0), (areas, 1)), atol=1e-12)


EXAMPLES = (
    "3DBall",
    "3DBallHard",
    "Basic",
    "GridWorld",
    "Hallway",
    "PushBlock",
    "Sorter",
    "StrikersVsGoalie",
    "Tennis",
    "Visual3DBall",
)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_can_be_seen(opengl, name: str) -> None:
    env = default_registry[name].make(num_areas=2)
    env.reset()
    first = env.picture(96, 64)
    assert len(np.unique(first.reshape(-1, 3), axis=0)) > 3
    for _ in range(2):
        for behavior, spec in env.behavior_specs.items():
            action, agents = spec.action_spec, len(env.get_steps(behavior)[0])
            continuous, discrete = (agents, action.continuous_size), (agents, action.discrete_size)
            env.set_actions(behavior, ActionTuple(np.ones(continuous, np.float32), np.ones(discrete, np.int32)))
        env.step()
    assert (env.picture(96, 64) != first).any()


def test_faces_look_forward() -> None:
    """Turned right by 90 degrees, +Z is +X: the eyes are there, one on either side."""
    center, rotation = np.array([(1.0, 2.0, 3.0)]), visual_geoms.yaw_rotations(np.array([np.pi / 2]))
    eyes = visual_geoms.make_faces(center, rotation).center[:2] - center
    np.testing.assert_allclose(eyes, [(0.5, 0.08, 0.2), (0.5, 0.08, -0.2)], atol=1e-12)


def test_a_world_without_bodies_says_so() -> None:
    with pytest.raises(RenderingError, match="World cannot be seen"):
        World([], 1, EnvironmentParameters("Nothing", {})).picture(10, 10)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering.sys, "platform", "linux")
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(rendering, "_is_there", lambda library: False)
    with pytest.raises(RenderingError, match=r"neither libEGL.so.1 nor libOSMesa.so.8.*apt-get install libegl1"):
        rendering._gl_context.__wrapped__()  # whatever there may be already


def test_what_drivers_say_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(width: int, height: int) -> None:
        raise RuntimeError("no devices")

    monkeypatch.setattr(rendering, "_context_class", lambda: fail)
    with pytest.raises(RenderingError, match=r"does not start here \(RuntimeError: no devices\)"):
        rendering._gl_context.__wrapped__()  # whatever there may be already
