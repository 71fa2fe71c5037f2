"""Ray sensors: encodings worked out by hand, and casts against a march in small steps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mlagents_sim.physics.ray_casts import ABSENT, UNTAGGED, RayOrigins, Shapes, cast, sphere_cast, turn_ray_origins
from mlagents_sim.sensors import RaySensor, TaggedShape
from mlagents_sim.sensors.rays import ray_degrees

TAGS = ("block", "goal", "wall")
NOTHING = [0.0, 0.0, 0.0, 1.0, 1.0]
UNIT = (1.0, 1.0, 1.0)


def shape(center, half_size=UNIT, tag=0, euler=(0.0, 0.0, 0.0), rounding=0.0):
    return center, Rotation.from_euler("xyz", euler, degrees=True).as_matrix(), half_size, rounding, tag


def look(*shapes, eye=(0.0, 0.0, 0.0), yaw=0.0, own=-1, **kwargs) -> np.ndarray:
    """[rays, tags + 2] of one agent; seven rays of 12 m unless told otherwise."""
    sensor = RaySensor("rays", TAGS, **{"rays_per_direction": 3, "max_degrees": 90.0, "length": 12.0, **kwargs})
    columns = [np.array([column], np.float64) for column in zip(*shapes, strict=True)]
    scene = Shapes(*columns[:4], columns[4].astype(np.int64))
    eyes = RayOrigins(np.zeros(1, np.int64), np.array([own]), np.array([eye]), np.zeros((1, 3, 3)))
    turn_ray_origins(eyes, np.radians([yaw]))
    observation = sensor.observe(slice(None), cast(sensor.rays, scene, eyes, np.arange(1)))
    assert observation.shape == (1, *sensor.spec.shape)
    return observation.reshape(-1, len(TAGS) + 2)


def ahead(*shapes, **kwargs) -> float:
    return float(look(*shapes, **kwargs)[0, -1])


def test_order_of_the_angles() -> None:
    np.testing.assert_allclose(ray_degrees(3, 90.0), [90, 60, 120, 30, 150, 0, 180])
    np.testing.assert_allclose(ray_degrees(2, 70.0), [90, 55, 125, 20, 160])
    np.testing.assert_allclose(ray_degrees(0, 70.0), [90])


def test_spec() -> None:
    spec = RaySensor("RayPerceptionSensor", TAGS, 3, 90.0, 12.0).spec
    assert (spec.name, spec.shape) == ("RayPerceptionSensor", (35,))


def test_right_and_left() -> None:
    right, left = shape((6.0, 0.0, 0.0), tag=0), shape((-8.0, 0.0, 0.0), tag=1)
    expected = [NOTHING] * 5 + [[1, 0, 0, 0, 4.5 / 12], [0, 1, 0, 0, 6.5 / 12]]
    np.testing.assert_allclose(look(right, left), expected, rtol=1e-6)


def test_who_turned_right_has_the_right_ahead() -> None:
    seen = look(shape((6.0, 0.0, 0.0), tag=2), yaw=90.0)
    np.testing.assert_allclose(seen, [[0, 0, 1, 0, 4.5 / 12]] + [NOTHING] * 6, rtol=1e-6)


@pytest.mark.parametrize(
    ("target", "eye", "distance"),
    [
        # The face at z = 5 less the radius.
        (shape((0.0, 0.0, 6.0)), (0.0, 0.0, 0.0), 4.5),
        # An upright edge at z = 6 - sqrt 2, met 0.3 off its middle: 0.4 remain of the radius.
        (shape((0.0, 0.0, 6.0), euler=(0, 45, 0)), (0.3, 0.0, 0.0), 6 - 2**0.5 - 0.4),
        # 0.45 off it is the face beside the edge: (0.45 - dz) / sqrt 2 = 0.5.
        (shape((0.0, 0.0, 6.0), euler=(0, 45, 0)), (0.45, 0.0, 0.0), 6 - 2**0.5 + 0.45 - 0.5**0.5),
        # A level edge 0.3 below.
        (shape((0.0, -1.3, 5.0)), (0.0, 0.0, 0.0), 4 - 0.4),
        # A corner 0.3 below and 0.2 aside.
        (shape((1.2, -1.3, 5.0)), (0.0, 0.0, 0.0), 4 - (0.25 - 0.04 - 0.09) ** 0.5),
        # A sphere of 1 m, 0.6 off the middle.
        (shape((0.6, 0.0, 6.0), (0, 0, 0), rounding=1.0), (0.0, 0.0, 0.0), 6 - (1.5**2 - 0.36) ** 0.5),
        # A level capsule across the way, 0.5 m thick in radius, 0.6 above.
        (shape((0.0, 0.6, 6.0), (2.0, 0, 0), rounding=0.5), (0.0, 0.0, 0.0), 6 - 0.8),
    ],
    ids=["face", "edge", "face beside an edge", "level edge", "corner", "sphere", "capsule"],
)
def test_where_a_sphere_is_stopped(target, eye, distance: float) -> None:
    assert ahead(target, eye=eye) == pytest.approx(distance / 12.0, rel=1e-6)


def test_slanting_rays_are_longer_and_their_sphere_grows() -> None:
    """20 m ahead and 2.5 m up: the sphere has 0.5 * 20.156 / 20; its centre travels 20 m in z."""
    wall = shape((0.0, 0.0, 11.0), (30.0, 30.0, 1.0), tag=2)
    radius = 0.5 * np.hypot(20.0, 2.5) / 20.0
    seen = look(wall, length=20.0, start_height=2.5, end_height=5.0)
    np.testing.assert_allclose(seen[0], [0, 0, 1, 0, (10.0 - radius) / 20.0], rtol=1e-6)
    # It passes over what the level ray hits: at z = 9 it is 3.625 high.
    low = shape((0.0, 0.0, 10.0))
    np.testing.assert_array_equal(look(low, length=20.0, start_height=2.5, end_height=5.0)[0], NOTHING)
    assert ahead(low, length=20.0) == pytest.approx(8.5 / 20.0, rel=1e-6)


def test_the_nearest_counts() -> None:
    near, far = shape((0.0, 0.0, 5.0), tag=1), shape((0.0, 0.0, 8.0), tag=0)
    for scene in ((near, far), (far, near)):
        np.testing.assert_allclose(look(*scene)[0], [0, 1, 0, 0, 3.5 / 12], rtol=1e-6)


def test_tags_that_are_not_in_the_list() -> None:
    np.testing.assert_allclose(look(shape((0, 0, 6.0), tag=UNTAGGED))[0], [0, 0, 0, 0, 4.5 / 12], rtol=1e-6)
    np.testing.assert_array_equal(look(shape((0, 0, 6.0), tag=ABSENT))[0], NOTHING)


def test_overlapped_at_the_start_is_not_seen() -> None:
    wall = shape((0.0, 0.0, 2.0), tag=2)  # its face at z = 1
    behind = shape((0.0, 0.0, 9.0), tag=1)
    np.testing.assert_allclose(look(wall, behind, eye=(0, 0, 0.501))[0], [0, 1, 0, 0, 6.999 / 12], rtol=1e-6)
    np.testing.assert_allclose(look(wall, behind, eye=(0, 0, 0.5))[0], [0, 0, 1, 0, 0.0], atol=1e-12)


def test_ones_own_shape_is_not_seen() -> None:
    shapes = shape((0.0, 0.0, 6.0), tag=0), shape((0.0, 0.0, 9.0), tag=1)
    assert ahead(*shapes, own=0) == pytest.approx(7.5 / 12)


def test_a_floor_that_is_only_grazed_is_not_seen() -> None:
    floor = shape((0.0, -1.0, 0.0), (50.0, 0.5, 50.0))
    np.testing.assert_array_equal(look(floor), [NOTHING] * 7)


def test_points_are_cast_where_the_radius_is_0() -> None:
    cube = shape((0.0, 0.0, 6.0), tag=1)
    assert ahead(cube, eye=(0.99, 0.99, 0.0), radius=0.0) == pytest.approx(5.0 / 12)
    assert ahead(cube, eye=(1.01, 0.0, 0.0), radius=0.0) == 1.0
    assert ahead(shape((0.6, 0.0, 6.0), (0, 0, 0), rounding=1.0), radius=0.0) == pytest.approx(5.2 / 12)
    # Not from inside, nor from above the floor along it; from its surface at once.
    assert ahead(cube, shape((0.0, 0.0, 0.0)), radius=0.0) == pytest.approx(5.0 / 12)
    assert ahead(cube, shape((0.0, -1.5, 0.0), (50, 1.5, 50)), radius=0.0) == pytest.approx(5.0 / 12)
    assert ahead(cube, eye=(0.0, 0.0, 5.0), radius=0.0) == 0.0
    assert ahead(cube, eye=(0.0, 0.0, 7.0), radius=0.0) == 1.0


def test_things_around_one_agent() -> None:
    sensor = RaySensor("rays", TAGS, 1, 90.0, 12.0)
    things = [
        TaggedShape("goal", (6, 3, -8), (1, 1, 1)),
        TaggedShape("wall", (10, 3, -14), radius=1.0),
        TaggedShape("bush", (0, 0, 0)),
    ]
    np.testing.assert_allclose(
        sensor.look(things, (10, 3, -8)).reshape(3, 5), [NOTHING, NOTHING, [0, 1, 0, 0, 2.5 / 12]], rtol=1e-6
    )
    # To the right by 180 degrees: the wall is ahead, the goal to the right.
    np.testing.assert_allclose(
        sensor.look(things, (10, 3, -8), np.pi).reshape(3, 5),
        [[0, 0, 1, 0, 4.5 / 12], [0, 1, 0, 0, 2.5 / 12], NOTHING],
        rtol=1e-6,
    )


def test_only_the_wanted_agents_look() -> None:
    sensor = RaySensor("rays", TAGS, 0, 0.0, 12.0)
    areas = 3
    scene = Shapes(
        np.array([[(0.0, 0.0, 4.0 + area)] for area in range(areas)]),
        np.tile(np.eye(3), (areas, 1, 1, 1)),
        np.ones((areas, 1, 3)),
        np.zeros((areas, 1)),
        np.zeros((areas, 1), np.int64),
    )
    eyes = RayOrigins(np.array([2, 0, 1]), np.full(3, -1), np.zeros((3, 3)), np.tile(np.eye(3), (3, 1, 1)))
    seen = cast(sensor.rays, scene, eyes, np.array([0, 2]))
    np.testing.assert_allclose(seen[:, -1], [4.5 / 12, 3.5 / 12], rtol=1e-6)


coordinates = st.tuples(*3 * [st.floats(-4.0, 4.0)])
sizes = st.tuples(*3 * [st.sampled_from((0.0, 0.3, 1.0, 2.0))])


@given(coordinates, coordinates, coordinates, sizes, st.floats(0.1, 1.0), st.booleans())
def test_against_a_march_in_small_steps(start, path, euler, half_size, radius: float, is_turned: bool) -> None:
    """The first of 4001 points of the path that is nearer than the radius, if the march is not in doubt."""
    rotation = Rotation.from_euler("xyz", euler).as_matrix() if is_turned else np.eye(3)
    center, half = np.array((0.5, -0.2, 0.1)), np.array(half_size)
    times = np.linspace(0.0, 1.0, 4001)
    points = (np.array(start) + times[:, np.newaxis] * np.array(path) - center) @ rotation
    distance = np.linalg.norm(np.maximum(np.abs(points) - half, 0.0), axis=1)
    found = sphere_cast(np.array(start), np.array(path), radius, center, rotation, half, 1.0)
    if distance[0] < radius - 1e-9 or distance.min() > radius + 1e-9:
        assert found == 2.0
    elif distance[0] > radius + 1e-9 and distance.min() < radius - 1e-3:
        first = times[np.argmax(distance < radius)]
        assert first - times[1] - 1e-9 <= found <= first + 1e-9
