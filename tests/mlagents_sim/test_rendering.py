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


def test_a_wall_on_the_edge_of_a_floor_is_seen_whole(opengl) -> None:
    """Floor and wall end in one plane, which the spectator looks at: of the two faces the wall's is in front."""
    floor = visual_geoms.make_boxes([(0.0, 0.0, 0.0)], (10.0, 0.5, 25.0), (1.0, 0.0, 0.0))
    wall = visual_geoms.make_boxes([(9.75, 1.5, 0.0)], (0.25, 2.0, 25.0), (0.0, 1.0, 0.0))
    bodies = visual_geoms.join(floor, wall)
    for yaw_deg in (-90.0, -75.0):
        picture = Spectator(bodies, View(pitch_deg=0.0, yaw_deg=yaw_deg), 320, 240).picture(bodies).astype(int)
        red, green = (picture[..., own] - picture[..., other] > 60 for own, other in ((0, 1), (1, 0)))
        assert green.sum() > 3000
        assert not red[:, green.any(axis=0)].any()


def test_the_sun_does_not_speckle_a_wall_far_away(opengl) -> None:
    floor = visual_geoms.make_boxes([(0.0, 0.0, 0.0)], (10.0, 0.5, 25.0), (1.0, 0.0, 0.0))
    wall = visual_geoms.make_boxes([(0.0, 2.5, 24.5)], (10.0, 2.0, 0.5), (0.0, 1.0, 0.0))
    bodies = visual_geoms.join(floor, wall)
    picture = Spectator(bodies, View(pitch_deg=28.0, yaw_deg=-15.0), 320, 240).picture(bodies).astype(int)
    green = picture[..., 1] - picture[..., 0] > 60
    inside = green[2:-2, 2:-2] & green[4:, 2:-2] & green[:-4, 2:-2] & green[2:-2, 4:] & green[2:-2, :-4]
    shades = picture[2:-2, 2:-2, 1][inside]
    assert len(shades) > 1000
    assert len(np.unique(shades)) == 1


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
    "DungeonEscape",
    "GridWorld",
    "Hallway",
    "PushBlock",
    "PushBlockCollab",
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


@pytest.mark.parametrize(
    ("there", "said"),
    [
        ((), r"neither libEGL.so.1 nor libOSMesa.so.8.*apt-get install libegl1"),
        (("libEGL.so.1",), r"libEGL.so.1, but neither libOpenGL.so.0 nor libGL.so.1.*libopengl0"),
    ],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], said: str) -> None:
    monkeypatch.setattr(rendering.sys, "platform", "linux")
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(rendering, "_is_there", lambda library: library in there)
    with pytest.raises(RenderingError, match=said):
        rendering._gl_context.__wrapped__()  # whatever there may be already


def test_what_drivers_say_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(width: int, height: int) -> None:
        raise RuntimeError("no devices")

    monkeypatch.setattr(rendering, "_context_class", lambda: fail)
    with pytest.raises(RenderingError, match=r"does not start here \(RuntimeError: no devices\)"):
        rendering._gl_context.__wrapped__()  # whatever there may be already


def shown_in_parts(monkeypatch, spectator, moments) -> list[int]:
    """Draw one moment after the other, hold the last picture against one drawn at once, return how much was drawn."""
    parts, draw = [], Spectator._draw
    monkeypatch.setattr(Spectator, "_draw", lambda self, bodies, part: parts.append(part) or draw(self, bodies, part))
    for bodies in moments:
        picture = spectator.picture(bodies).astype(int)
    areas = [(part.right - part.left) * (part.top - part.bottom) for part in parts]
    spectator._drawn = None
    differs = np.abs(picture - spectator.picture(bodies)).max(axis=2)
    assert (differs > 16).mean() < 0.002  # edges may be rounded otherwise
    assert differs.mean() < 0.2
    return areas


def add_a_loose_box(spec, prefix, origin) -> None:
    """A floor of 12 m and a red box of 1 m on it."""
    kinds = mujoco.mjtGeom
    spec.worldbody.add_geom(type=kinds.mjGEOM_BOX, size=[6, 0.1, 6], pos=(0, -0.1, 0))
    body = spec.worldbody.add_body(pos=(0, 0.5, 0))
    body.add_freejoint()
    body.add_geom(type=kinds.mjGEOM_BOX, size=[0.5, 0.5, 0.5], rgba=(1, 0, 0, 1))


def test_only_what_moves_of_a_scene_is_drawn(opengl, monkeypatch) -> None:
    scene = Scene(compose(add_a_loose_box, np.zeros((1, 3)), substeps=1))

    def moments():
        for _ in range(5):
            yield scene
            scene.data.qpos[:3] += (0.3, 0.1, -0.2)
        yield scene
        yield scene  # nothing has moved

    areas = shown_in_parts(monkeypatch, Spectator(scene, None, 160, 120), moments())
    assert areas[0] == 160 * 120
    assert len(areas) == 6
    assert max(areas[1:]) < 0.15 * 160 * 120


def test_only_what_moves_of_solids_is_drawn(opengl, monkeypatch) -> None:
    """Of five boxes on a floor one slides and turns, then one appears elsewhere, then one is put away."""
    floor = visual_geoms.make_boxes([(0.0, -0.1, 0.0)], (8.0, 0.1, 8.0), visual_geoms.FLOOR_GREY)
    places = np.array([(-6.0, 0.5, 2.0), (-3.0, 0.5, -4.0), (0.0, 0.5, 0.0), (3.0, 0.5, 5.0), (6.0, 0.5, -2.0)])
    yaw = np.zeros(5)

    def moments():
        for _ in range(4):
            yield visual_geoms.join(
                floor, visual_geoms.make_boxes(places, 0.5, visual_geoms.RED, visual_geoms.yaw_rotations(yaw))
            )
            places[2] += (0.2, 0.0, 0.1)
            yaw[2] += 0.3
        for moved in ((5.0, 0.5, 5.0), (0.0, -1000.0, 0.0)):
            places[0] = moved
            yield visual_geoms.join(
                floor, visual_geoms.make_boxes(places, 0.5, visual_geoms.RED, visual_geoms.yaw_rotations(yaw))
            )

    bodies = visual_geoms.join(floor, visual_geoms.make_boxes(places, 0.5, visual_geoms.RED))
    areas = shown_in_parts(monkeypatch, Spectator(bodies, None, 160, 120), moments())
    assert areas[0] == 160 * 120
    assert max(areas[1:4]) < 0.1 * 160 * 120  # a box of 1 m and its shadow in a field of 16 m
    assert areas[5] < 0.1 * 160 * 120


def test_a_shadow_moves_with_its_body(opengl) -> None:
    """A ball above a floor rises: what is drawn anew holds both shadows, and the floor stays as bright elsewhere."""
    floor = visual_geoms.make_boxes([(0.0, 0.0, 0.0)], (6.0, 0.1, 6.0), visual_geoms.WHITE)
    pictures = []
    spectator = None
    for height in (0.7, 3.0):
        ball = visual_geoms.make_spheres([(0.0, height, 0.0)], (0.5,), (1.0, 0.0, 0.0))
        bodies = visual_geoms.join(floor, ball)
        spectator = spectator or Spectator(bodies, View(pitch_deg=60.0, yaw_deg=0.0), 160, 120)
        pictures.append(spectator.picture(bodies))
    fresh = spectator
    fresh._drawn = None
    np.testing.assert_allclose(pictures[1].astype(int), fresh.picture(bodies).astype(int), atol=40)
    dark = [(picture.sum(axis=2) < 450) & (picture[..., 0] < picture[..., 1] + 40) for picture in pictures]
    assert dark[0].sum() > 20  # the first shadow
    assert (dark[1] & dark[0]).sum() < 0.2 * dark[0].sum()  # is gone from there
