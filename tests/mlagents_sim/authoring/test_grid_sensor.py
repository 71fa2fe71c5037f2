"""Grid sensors of agents that are objects: the same observations as in batches, and geoms of MuJoCo as things."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.testing import check_env
from mlagents_sim.authoring import FrameSensor
from mlagents_sim.physics.scene import Scene, compose
from mlagents_sim.sensors import GridSensor, StackingSensor, TaggedGeoms, TaggedShape
from mlagents_sim.visual_geoms import yaw_rotations
from toys.forage import NAME, forage, forage_with_objects

TAGS = ("food", "wall")
DOWN_ALONG_Z = (np.cos(np.pi / 4), np.sin(np.pi / 4), 0.0, 0.0)


def make_grid(**options) -> GridSensor:
    return GridSensor("Grid", TAGS, (5, 1, 5), (1.0, 1.0, 1.0), **options)


def cells(image, tag: int) -> set[tuple[int, int]]:
    """Steps to the right and ahead."""
    return {(int(2 - row), int(column - 2)) for row, column in np.argwhere(image[tag])}


def played(env, steps: int = 150) -> list[list]:
    """All that is reported while agents act at random."""
    rng = np.random.default_rng(7)
    behavior = f"{NAME}?team=0"
    env.reset()
    told = []
    for _ in range(steps):
        decisions, terminals = env.get_steps(behavior)
        columns = [*decisions.obs, decisions.reward, *terminals.obs, terminals.reward, terminals.interrupted]
        told.append([column.tolist() for column in columns])
        env.set_actions(behavior, ActionTuple(discrete=rng.integers(0, 3, (len(decisions), 1))))
        env.step()
    return told


def test_objects_and_batches_see_the_same():
    told = played(forage_with_objects(3))
    assert told == played(forage(3))
    assert sum(len(row[-1]) for row in told) > 5  # episodes ended
    assert len({str(row[0]) for row in told}) > 50  # and there was something to see


def test_contract():
    check_env(lambda: forage(2))
    check_env(lambda: forage_with_objects(2))


def test_things_around_one_agent():
    things = [
        TaggedShape("food", (12, 0, 1), (0.4, 0.4, 0.4)),
        TaggedShape("wall", (8, 0, 0), (0.4, 0.4, 0.7), rotation=yaw_rotations(np.array(np.pi / 2))),
        TaggedShape("pebble", (10, 0, 2), radius=0.4),
    ]
    image = make_grid().look(things, (10, 0, 0))
    assert image.shape == (2, 5, 5)
    assert image.dtype == np.float32
    assert cells(image, 0) == {(2, 1)}
    assert cells(image, 1) == {(-2, 0), (-1, 0)}  # turned, it is long along x
    turned = make_grid().look(things, (10, 0, 0), np.pi / 2)
    assert cells(turned, 0) == {(-1, 2)}
    assert not make_grid().look([], (0, 0, 0)).any()


def test_frames_of_one_agent_are_stacked():
    place = [1.0, 0.0, 0.0]
    grid = make_grid()
    things = lambda: [TaggedShape("food", place, radius=0.4)]  # noqa: E731
    sensor = FrameSensor(StackingSensor(grid, 2, 1), lambda: grid.look(things(), (0, 0, 0)))
    sensor.observe()
    place[0] = 2.0
    image = sensor.observe()
    assert (cells(image[:2], 0), cells(image[2:], 0)) == ({(1, 0)}, {(2, 0)})
    sensor.reset()
    assert not sensor.observe()[:2].any()


def build_area(spec, prefix, origin) -> None:
    kinds = mujoco.mjtGeom
    body = spec.worldbody.add_body(name=prefix + "mover", pos=origin + np.array((1, 0, 1)), mocap=True)
    body.add_geom(name=prefix + "ball", type=kinds.mjGEOM_SPHERE, size=[0.4, 0, 0])
    place = {"type": kinds.mjGEOM_BOX, "size": [0.4, 0.4, 1.3], "pos": origin + np.array((-2, 0, 1))}
    spec.worldbody.add_geom(name=prefix + "box", **place)
    # Capsules stand along their own Z; this one lies along the area's Y.
    upright = {"type": kinds.mjGEOM_CAPSULE, "size": [0.3, 1.0, 0], "quat": DOWN_ALONG_Z}
    spec.worldbody.add_geom(name=prefix + "post", pos=origin + np.array((0, 0, -2)), **upright)
    lying = {"type": kinds.mjGEOM_CAPSULE, "size": [0.3, 1.0, 0]}
    spec.worldbody.add_geom(name=prefix + "lying", pos=origin + np.array((2, 0, -1)), **lying)
    spec.worldbody.add_geom(name=prefix + "drum", type=kinds.mjGEOM_CYLINDER, size=[0.3, 0.3, 0], pos=origin)


@pytest.fixture
def scene() -> Scene:
    return Scene(compose(build_area, np.array(((0.0, 0.0, 0.0), (20.0, 0.0, 0.0))), substeps=1))


def test_geoms_are_things_where_they_are_now(scene: Scene):
    geoms = TaggedGeoms(scene, {f"area1/{name}": "wall" for name in ("box", "post", "lying")} | {"area1/ball": "food"})
    walls = {(-2, 0), (-2, 1), (-2, 2), (0, -2), (2, -2), (2, -1), (2, 0)}
    image = make_grid().look(geoms.shapes(), (20, 0, 0))
    assert cells(image, 0) == {(1, 1)}
    assert cells(image, 1) == walls
    scene.data.mocap_pos[1] = (20, 0, 2)  # without a step in between
    image = make_grid().look(geoms.shapes(), (20, 0, 0))
    assert cells(image, 0) == {(0, 2)}
    assert cells(image, 1) == walls


def test_things_stay_where_they_were(scene: Scene):
    geoms = TaggedGeoms(scene, {"area0/ball": "food"})
    (before,) = geoms.shapes()
    scene.data.mocap_pos[0] = (5, 0, 5)
    (after,) = geoms.shapes()
    np.testing.assert_array_equal((before.center, after.center), ((1, 0, 1), (5, 0, 5)))


def test_geoms_that_cannot_be_told_apart_are_refused(scene: Scene):
    with pytest.raises(ValueError, match=r"no geom 'area0/bal'; nearest are \['area0/ball', "):
        TaggedGeoms(scene, {"area0/bal": "food"})
    with pytest.raises(ValueError, match=r"'area0/drum' is mjGEOM_CYLINDER.*boxes, spheres and capsules"):
        TaggedGeoms(scene, {"area0/drum": "wall"})
