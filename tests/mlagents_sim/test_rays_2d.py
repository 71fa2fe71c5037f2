"""Ray sensors of flat worlds: scenes worked out by hand, and casts against a march in the plane."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, DecisionRequester, FrameSensor
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.physics.ray_casts import ABSENT, cast, ray_origins_at, rotations_2d, shapes_at
from mlagents_sim.sensors import RaySensor2D, StackingSensor, TaggedShape

TAGS = ("ball", "goal", "wall")
NOTHING = [0.0, 0.0, 0.0, 1.0, 1.0]


def circle(x, y, radius=1.0, tag="ball") -> TaggedShape:
    return TaggedShape(tag, (x, y, 0.0), radius=radius)


def rectangle(x, y, half_size=(1.0, 1.0), tag="wall", degrees=0.0) -> TaggedShape:
    return TaggedShape(tag, (x, y, 0.0), (*half_size, 0.0), rotation=rotations_2d(np.radians(degrees)))


def look(*things, at=(0.0, 0.0), degrees=0.0, **options) -> np.ndarray:
    """[rays, tags + 2]; seven rays of 12 m unless told otherwise."""
    sensor = RaySensor2D("rays", TAGS, **{"rays_per_direction": 3, "max_degrees": 90.0, "length": 12.0, **options})
    seen = sensor.look(things, at, np.radians(degrees))
    assert seen.dtype == np.float32
    assert seen.shape == sensor.spec.shape
    return seen.reshape(-1, len(TAGS) + 2)


def ahead(*things, **options) -> float:
    return float(look(*things, **options)[0, -1])


def test_spec() -> None:
    spec = RaySensor2D("RayPerceptionSensor", TAGS, 3, 90.0, 12.0).spec
    assert (spec.name, spec.shape) == ("RayPerceptionSensor", (35,))


def test_ahead_is_up_the_page_and_right_is_right() -> None:
    """A ball 8 m up, the goal 6 m to the right, a wall 9 m to the left; the circle has 0.5 m."""
    seen = look(circle(0, 8), circle(6, 0, tag="goal"), rectangle(-9, 0, (2.0, 0.1)))
    expected = [[1, 0, 0, 0, 6.5 / 12]] + [NOTHING] * 4 + [[0, 1, 0, 0, 4.5 / 12], [0, 0, 1, 0, 6.5 / 12]]
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_rays_between() -> None:
    """At 60 degrees from +x is the second ray, half to the right: (4, 4 sqrt 3) is 8 m along it."""
    seen = look(circle(4, 4 * 3**0.5), circle(-5 * 3**0.5, 5, tag="goal"))
    expected = [NOTHING, [1, 0, 0, 0, 6.5 / 12]] + [NOTHING] * 2 + [[0, 1, 0, 0, 8.5 / 12]] + [NOTHING] * 2
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_turns_are_counter_clockwise() -> None:
    """Who turns by 90 degrees to the left has +x at its right, which is the sixth ray, and -x ahead."""
    seen = look(circle(-6, 0), circle(0, 7, tag="goal"), degrees=90.0)
    expected = [[1, 0, 0, 0, 4.5 / 12]] + [NOTHING] * 4 + [[0, 1, 0, 0, 5.5 / 12], NOTHING]
    np.testing.assert_allclose(seen, expected, rtol=1e-6)


def test_from_where_the_agent_is() -> None:
    assert ahead(circle(10, -12), at=(10, -20)) == pytest.approx(6.5 / 12)


@pytest.mark.parametrize(
    ("thing", "x", "distance"),
    [
        (circle(0.6, 6), 0.0, 6 - (1.5**2 - 0.36) ** 0.5),
        (rectangle(0, 6), 0.0, 4.5),
        # The corner at (1, 5), met 1.3 off the middle: 0.4 remain of the radius.
        (rectangle(0, 6), 1.3, 5 - 0.4),
        # A corner at y = 6 - sqrt 2, met 0.3 off it, and the side beside it.
        (rectangle(0, 6, degrees=45), 0.3, 6 - 2**0.5 - 0.4),
        (rectangle(0, 6, degrees=45), 0.45, 6 - 2**0.5 + 0.45 - 0.5**0.5),
        # A rod of 6 m, turned by 30 degrees to the left: at x = 1.5 its middle line is at 6 + 1.5 tan 30.
        (rectangle(0, 6, (3.0, 0.0), degrees=30), 1.5, 6 + 1.5 / 3**0.5 - 0.5 / np.cos(np.pi / 6)),
        # A stadium: half a metre around a line of 4 m.
        (TaggedShape("goal", (0, 6, 0), (2.0, 0.0, 0.0), radius=0.5), 2.6, 6 - 0.8),
    ],
    ids=["circle", "side", "corner", "turned corner", "beside a corner", "rod", "stadium"],
)
def test_where_a_circle_is_stopped(thing: TaggedShape, x: float, distance: float) -> None:
    assert ahead(thing, at=(x, 0)) == pytest.approx(distance / 12, rel=1e-6)


def test_points_are_cast_too() -> None:
    """A radius of 0: the side at 5, where it is hit; the corners at x = 1, beside which it is not."""
    assert ahead(rectangle(0, 6), radius=0.0) == pytest.approx(5 / 12)
    assert ahead(rectangle(0, 6), at=(0.99, 0), radius=0.0) == pytest.approx(5 / 12)
    assert ahead(rectangle(0, 6), at=(1.01, 0), radius=0.0) == 1.0
    assert ahead(rectangle(0, 6, degrees=45), at=(0.3, 0), radius=0.0) == pytest.approx((6 - 2**0.5 + 0.3) / 12)
    assert ahead(circle(0.6, 6), radius=0.0) == pytest.approx((6 - 0.8) / 12)
    assert ahead(rectangle(0, 6, (2.0, 0.0)), radius=0.0) == pytest.approx(6 / 12)  # a line
    assert ahead(rectangle(0, 0), rectangle(0, 6), radius=0.0) == pytest.approx(5 / 12)  # from inside


def test_depth_makes_no_difference() -> None:
    flat = look(circle(2, 6), rectangle(-3, 5, (1, 2), degrees=20))
    deep = look(
        TaggedShape("ball", (2, 6, 3.0), (0, 0, 7.0), 1.0),
        TaggedShape("wall", (-3, 5, -9.0), (1, 2, 5.0), rotation=rotations_2d(np.radians(20))),
    )
    assert (flat[:, -1] < 1.0).sum() >= 2
    np.testing.assert_allclose(deep, flat, rtol=1e-6)


def test_the_nearest_counts_and_what_has_no_tag_hides_too() -> None:
    near, far = circle(0, 5, tag="goal"), circle(0, 9)
    for scene in ((near, far), (far, near)):
        np.testing.assert_allclose(look(*scene)[0], [0, 1, 0, 0, 3.5 / 12], rtol=1e-6)
    np.testing.assert_allclose(look(circle(0, 5, tag="bush"), far)[0], [0, 0, 0, 0, 3.5 / 12], rtol=1e-6)


def test_overlapped_at_the_start_is_not_seen() -> None:
    np.testing.assert_allclose(look(rectangle(0, 1.4), circle(0, 9))[0], [1, 0, 0, 0, 7.5 / 12], rtol=1e-6)
    np.testing.assert_array_equal(look(), [NOTHING] * 7)


class Looker(Agent):
    """Looks at two balls, and turns to the left by a right angle in every step."""

    def __init__(self, number: int) -> None:
        rays = RaySensor2D("rays", ("ball",), 1, 90.0, 10.0)
        self.things, self.degrees = [circle(0, 3.0 + number), circle(9, 0)], 0.0
        frame = lambda: rays.look(self.things, (0, 0), np.radians(self.degrees))  # noqa: E731
        super().__init__(
            BehaviorParameters("Looker", action_spec=ActionSpec.create_discrete((2,))),
            decision_requester=DecisionRequester(period=1),
            sensors=[FrameSensor(StackingSensor(rays, 2, agents=1), frame)],
        )

    def on_action_received(self, actions) -> None:
        self.degrees += 90.0


def test_agents_that_are_objects_see_what_batches_do() -> None:
    env = SimEnvironment(AgentWorld([Looker(number) for number in range(3)]))
    env.reset()
    position = np.zeros((3, 4, 3))  # of the agent itself, two balls, and one that is not there
    position[:, 1, 1] = [3, 4, 5]
    position[:, 2, 0] = 9
    shapes = shapes_at(position, half_size=(0, 0, 0), tag=(0, 0, 0, ABSENT), radius=(0.5, 1.0, 1.0, 1.0))
    eyes = ray_origins_at(position[:, 0], shape=0)
    rays = RaySensor2D("rays", ("ball",), 1, 90.0, 10.0).rays
    previous = np.zeros((3, 9), np.float32)
    for step, fractions in enumerate(([0.15, 0.75, 1.0], [1.0, 0.15, 1.0], [1.0, 1.0, 0.75], [0.75, 1.0, 0.15])):
        (seen,) = env.get_steps("Looker?team=0")[0].obs
        eyes.rotation[:] = rotations_2d(np.full(3, np.pi / 2 * step))
        found = cast(rays, shapes, eyes, np.arange(3))
        np.testing.assert_allclose(found[0, 2::3], fractions, rtol=1e-6)
        np.testing.assert_array_equal(seen, np.concatenate((previous, found), axis=1))
        previous = found
        env.step()
    position[:, 1, 1] += 1.0  # seen without any more ado
    np.testing.assert_allclose(cast(rays, shapes, eyes, np.arange(3))[:, 8], [0.25, 0.35, 0.45], rtol=1e-6)


@settings(max_examples=60)
@given(
    st.tuples(st.floats(-4.0, 4.0), st.floats(-4.0, 4.0)),
    st.floats(-180.0, 180.0),
    st.floats(-180.0, 180.0),
    st.tuples(st.sampled_from((0.0, 0.4, 1.5)), st.sampled_from((0.0, 0.4, 1.5))),
    st.sampled_from((0.0, 0.3)),
    st.sampled_from((0.0, 0.2, 0.6)),
)
def test_against_a_march_in_the_plane(at, degrees, turn, half_size, rounding, radius) -> None:
    """The first of 4001 points of each ray that is nearer than the radius, if the march is not in doubt."""
    place = np.array((0.3, -0.2))
    thing = TaggedShape("wall", (*place, 0.0), (*half_size, 0.0), rounding, rotations_2d(np.radians(turn)))
    found = look(thing, at=at, degrees=degrees, length=6.0, radius=radius)[:, -1]
    times, reach = np.linspace(0.0, 1.0, 4001), radius + rounding
    cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    for ray, away in enumerate((0, -30, 30, -60, 60, -90, 90)):
        angle = np.radians(degrees + 90 + away)
        points = np.array(at) + 6.0 * times[:, np.newaxis] * (np.cos(angle), np.sin(angle)) - place
        local = np.stack((points[:, 0] * cos + points[:, 1] * sin, points[:, 1] * cos - points[:, 0] * sin), axis=1)
        beyond = np.abs(local) - half_size
        gap = np.linalg.norm(np.maximum(beyond, 0.0), axis=1) + np.minimum(beyond.max(axis=1), 0.0)  # signed
        if gap[0] < reach - 1e-9 or gap.min() > reach + 1e-2:
            assert found[ray] == 1.0
        elif gap[0] > reach + 1e-9 and gap.min() < reach - 1e-3:
            first = times[np.argmax(gap < reach)]
            assert first - times[1] - 1e-6 <= found[ray] <= first + 1e-6
