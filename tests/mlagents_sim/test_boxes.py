"""Upright boxes: motion as recorded in Unity, friction, collisions."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.rules import push_forward, push_right, run_or_turn

FLOOR = ((0.0, -0.5, 0.0), (4000.0, 1.0, 4000.0))
CUBE = (1.0, 1.0, 1.0)


def boxes_at(*places, movers: int = 1, mass: float = 10.0, drag: float = 0.0, friction=0.0, turned=False) -> Boxes:
    """(centre, size) of movers, then of what stands still; cubes where only a centre is given."""
    pairs = [place if isinstance(place[0], tuple) else (place, CUBE) for place in places]
    boxes = make_boxes(1, movers, [center for center, _ in pairs], [size for _, size in pairs], friction)
    for mover in range(movers):
        set_mover(boxes, mover, mass, drag, angular_drag=0.0, turned_by_contacts=turned)
    return boxes


def run(boxes: Boxes, steps: int, push: float = 0.0, gravity: float = 0.0) -> None:
    for _ in range(steps):
        boxes.velocity[0, 0, 2] += push
        move(boxes, gravity)


def test_free_fall() -> None:
    """Unity drops 0.05886 m in one decision from rest, and then falls at 0.981 m/s."""
    boxes = boxes_at((0.0, 9.0, 0.0))
    run(boxes, 5, gravity=9.81)
    np.testing.assert_allclose(boxes.position[0, 0], (0.0, 9.0 - 0.05886, 0.0))
    np.testing.assert_allclose(boxes.velocity[0, 0], (0.0, -0.981, 0.0))


@pytest.mark.parametrize(
    ("push", "drag", "friction", "gravity", "top_speed"),
    [
        (3.0, 4.0, 0.3, 24.525, 31.1),
        (1.5, 2.0, 0.6, 19.62, 24.7),
        (2.0, 2.0, 0.6, 9.81, 42.35),
        (3.0, 2.0, 0.6, 26.98, 56.5),
    ],
    ids=["PushBlock", "Hallway", "Pyramids", "WallJump"],
)
def test_top_speeds(push: float, drag: float, friction: float, gravity: float, top_speed: float) -> None:
    boxes = boxes_at((0.0, 0.5, -1500.0), FLOOR, drag=drag, friction=friction)
    run(boxes, 400, push, gravity)
    assert boxes.velocity[0, 0, 2] == pytest.approx(top_speed, abs=0.05)
    np.testing.assert_allclose(boxes.position[0, 0, :2], (0.0, 0.5), atol=1e-9)


def test_coasting_as_recorded() -> None:
    """Pyramids: 28.27 -> 22.01 m/s in one decision."""
    boxes = boxes_at((0.0, 0.5, 0.0), FLOOR, drag=2.0, friction=0.6)
    boxes.velocity[0, 0, 2] = 28.27
    run(boxes, 5, gravity=9.81)
    assert boxes.velocity[0, 0, 2] == pytest.approx(22.01, abs=0.005)


def test_distance_per_decision_as_recorded() -> None:
    """Hallway: d' = 0.96^6 d + 0.644, in decisions of six steps."""
    boxes = boxes_at((0.0, 0.5, 0.0), FLOOR, drag=2.0, friction=0.6, turned=True)
    covered = []
    for _ in range(10):
        before = boxes.position[0, 0, 2]
        run(boxes, 6, 1.5, 19.62)
        covered.append(boxes.position[0, 0, 2] - before)
    np.testing.assert_allclose(covered[1:], 0.96**6 * np.array(covered[:-1]) + 0.644, atol=3e-4)
    assert boxes.spin[0, 0] == pytest.approx(0.0, abs=1e-9)


def test_friction_stops_and_does_not_turn_back() -> None:
    boxes = boxes_at((0.0, 0.5, 0.0), FLOOR, friction=0.5)
    boxes.velocity[0, 0, 0] = 0.1  # less than 2 * 0.5 * 9.81 * 0.02
    run(boxes, 1, gravity=9.81)
    np.testing.assert_allclose(boxes.velocity[0, 0], 0.0, atol=1e-9)


def test_static_friction_holds_more_than_dynamic_friction_takes() -> None:
    boxes = boxes_at((0.0, 0.5, 0.0), FLOOR)
    boxes.friction[0, :, 0], boxes.friction[0, :, 1] = 0.8, 0.2
    # Per step: static holds 2 * 0.8 * 0.2 = 0.32 m/s, dynamic takes 0.08.
    run(boxes, 10, 0.3, 10.0)
    assert boxes.velocity[0, 0, 2] == pytest.approx(0.0, abs=1e-9)
    run(boxes, 1, 0.4, 10.0)
    assert boxes.velocity[0, 0, 2] == pytest.approx(0.32)


def test_a_wall_rubs_on_who_presses_against_it() -> None:
    """Two points of a face with all the pressure each: 2 * 0.6 * 0.3 = 0.36 m/s per step, at any speed."""
    wall = ((-0.25, 0.0, 0.0), (0.5, 4.0, 1000.0))
    boxes = boxes_at((0.5, 0.0, 0.0), wall, friction=0.6)
    boxes.velocity[0, 0, 2] = 20.0
    for step in range(1, 6):
        boxes.velocity[0, 0, 0] -= 0.3
        move(boxes, 0.0)
        np.testing.assert_allclose(boxes.velocity[0, 0], (0.0, 0.0, 20.0 - 0.36 * step), atol=1e-6)
    assert boxes.position[0, 0, 0] == pytest.approx(0.5)


def test_a_corner_rubs_half_as_much() -> None:
    wall = ((-0.25, 0.0, 0.0), (0.5, 4.0, 1000.0))
    boxes = boxes_at((0.5**0.5, 0.0, 0.0), wall, friction=0.6)
    boxes.yaw[0, 0] = np.pi / 4.0
    boxes.velocity[0, 0] = (-0.3, 0.0, 20.0)
    move(boxes, 0.0)
    np.testing.assert_allclose(boxes.velocity[0, 0], (0.0, 0.0, 19.82), atol=1e-6)


def test_who_is_pressed_against_a_wall_slides_down_slowly() -> None:
    wall = ((-0.25, 0.0, 0.0), (0.5, 400.0, 400.0))
    boxes = boxes_at((0.5, 0.0, 0.0), wall, friction=0.6)
    boxes.velocity[0, 0] = (-0.1, -1.0, 0.0)
    move(boxes, 0.0)
    np.testing.assert_allclose(boxes.velocity[0, 0], (0.0, -0.88, 0.0), atol=1e-6)


def test_a_collision_shares_the_momentum() -> None:
    boxes = boxes_at((0.0, 0.0, 0.0), (0.0, 0.0, 1.05), movers=2)
    boxes.inverse_mass[0, 1] = 1.0 / 30.0
    boxes.velocity[0, 0, 2] = 8.0
    run(boxes, 2)
    np.testing.assert_allclose(boxes.velocity[0, :, 2], 2.0)  # 8 * 10 / 40
    assert boxes.position[0, 1, 2] - boxes.position[0, 0, 2] == pytest.approx(1.0)
    assert boxes.touches[0, 0, 1]


def test_a_pushed_block_gains_as_worked_out_by_hand() -> None:
    """PushBlock: 10 kg push 10 kg; both lose 2 * 0.3 g dt of their speed to the floor, each with its own drag."""
    boxes = boxes_at((0.0, 0.5, 0.0), ((0.0, 0.375, 1.5), (2.0, 0.75, 2.0)), FLOOR, movers=2, friction=0.3)
    boxes.drag[0, :2] = 4.0, 0.5
    speed = 0.0
    for _ in range(10):
        run(boxes, 1, 3.0, 24.525)
        lost = 2.0 * 0.3 * 24.525 * 0.02
        speed = 0.5 * ((speed + 3.0) * 0.92 - lost * 0.92 + speed * 0.99 - lost * 0.99)
        np.testing.assert_allclose(boxes.velocity[0, :2, 2], speed, atol=1e-6)
    np.testing.assert_allclose(boxes.velocity[0, :2, :2], 0.0, atol=1e-6)


def test_nothing_is_run_through() -> None:
    """60 m/s: 1.2 m per step, against a wall of 5 cm."""
    boxes = boxes_at((0.0, 0.0, 0.0), ((0.0, 0.0, 5.0), (10.0, 1.0, 0.05)))
    boxes.velocity[0, 0, 2] = 60.0
    run(boxes, 10)
    assert boxes.position[0, 0, 2] == pytest.approx(5.0 - 0.025 - 0.5)
    assert boxes.velocity[0, 0, 2] == pytest.approx(0.0, abs=1e-9)


def test_who_passes_by_is_not_stopped() -> None:
    boxes = boxes_at((0.0, 0.0, 0.0), (1.15, 0.0, 5.0))
    boxes.velocity[0, 0, 2] = 20.0
    run(boxes, 30)
    np.testing.assert_allclose(boxes.velocity[0, 0], (0.0, 0.0, 20.0))
    assert not boxes.touches.any()


def test_overlap_is_undone_without_a_velocity() -> None:
    """At 10 m/s: 0.2 m per step."""
    boxes = boxes_at((0.0, 0.0, 0.0), (0.7, 0.0, 0.0))
    positions = []
    for _ in range(3):
        run(boxes, 1)
        positions.append(boxes.position[0, 0, 0])
    np.testing.assert_allclose(positions, (-0.2, -0.3, -0.3))
    np.testing.assert_array_equal(boxes.velocity, 0.0)


def test_who_turns_at_a_wall_is_moved_away_from_it() -> None:
    boxes = boxes_at((0.5, 0.0, 0.0), ((-0.25, 0.0, 0.0), (0.5, 4.0, 100.0)))
    for _ in range(45):
        boxes.yaw[0, 0] += np.radians(1.0)
        move(boxes, 0.0)
    assert boxes.position[0, 0, 0] == pytest.approx(0.5**0.5)
    np.testing.assert_allclose(boxes.velocity, 0.0, atol=1e-9)


def test_contacts_turn_only_who_may_be_turned() -> None:
    """A cube catches a post with its right side: it turns to the right, and energy is only lost."""
    for turned in (False, True):
        boxes = boxes_at((0.0, 0.0, 0.0), ((0.45, 0.0, 1.5), (0.2, 1.0, 0.2)), turned=turned)
        boxes.velocity[0, 0, 2] = 5.0
        run(boxes, 12)
        if turned:
            assert boxes.spin[0, 0] > 0.5
            energy = np.sum(boxes.velocity[0, 0] ** 2) + boxes.spin[0, 0] ** 2 / 6.0
            assert energy < 25.0
        else:
            np.testing.assert_allclose(boxes.velocity[0, 0], 0.0, atol=1e-9)
            assert boxes.spin[0, 0] == 0.0


def test_a_wall_turns_who_runs_along_it() -> None:
    """Who slides turns easily: the friction of the floor already points back along the way."""
    wall = ((-0.25, 0.0, 0.0), (0.5, 4.0, 1000.0))
    boxes = boxes_at((0.7, 0.5, 0.0), FLOOR, wall, drag=2.0, friction=0.3, turned=True)
    boxes.yaw[0, 0] = -0.3  # to the left, where the wall is
    for _ in range(100):
        push_forward(boxes.velocity[0, 0], boxes.yaw[0, 0], 1.5)
        move(boxes, 19.62)
    assert boxes.yaw[0, 0] == pytest.approx(0.0, abs=1e-3)
    assert boxes.position[0, 0, 0] == pytest.approx(0.5, abs=1e-3)


def test_the_floor_stops_a_turn() -> None:
    """At two corners, 0.707 m from the middle: 2 * 0.707 * 0.5 * 10 * 0.02 / (1 / 6) = 0.849 rad/s per step."""
    boxes = boxes_at((0.0, 0.5, 0.0), FLOOR, friction=0.5, turned=True)
    boxes.spin[0, 0] = 2.0
    run(boxes, 1, gravity=10.0)
    assert boxes.spin[0, 0] == pytest.approx(2.0 - 1.2 * 0.5**0.5, abs=1e-6)
    run(boxes, 2, gravity=10.0)
    assert boxes.spin[0, 0] == pytest.approx(0.0, abs=1e-4)


def test_a_lip_on_the_floor_stops_who_runs_into_it() -> None:
    plate = ((0.0, 0.0, 5.0), (4.0, 0.1, 4.0))  # its top is 5 cm above the floor, it begins at z = 3
    boxes = boxes_at((0.0, 0.5, 0.0), FLOOR, plate)
    boxes.velocity[0, 0, 2] = 20.0
    run(boxes, 10, gravity=20.0)
    np.testing.assert_allclose(boxes.position[0, 0], (0.0, 0.5, 2.5), atol=1e-6)
    assert boxes.touches[0, 0, 2]


def test_who_falls_lands_on_what_is_below() -> None:
    boxes = boxes_at((0.0, 5.0, 0.0), FLOOR, ((0.8, 0.5, 0.0), (1.0, 1.0, 1.0)))
    run(boxes, 60, gravity=20.0)
    np.testing.assert_allclose(boxes.position[0, 0], (0.0, 1.5, 0.0), atol=1e-6)
    np.testing.assert_allclose(boxes.velocity[0, 0], 0.0, atol=1e-6)


def test_a_body_that_is_held_at_its_height_stays_there() -> None:
    boxes = boxes_at((0.0, 1.5, 0.0), (0.0, 1.5, 1.1), movers=2)
    boxes.inverse_mass[0, :, 1] = 0.0
    run(boxes, 10, 1.0, 26.98)
    np.testing.assert_array_equal(boxes.position[0, :, 1], 1.5)
    assert boxes.position[0, 1, 2] > 1.2


def test_areas_do_not_touch_each_other() -> None:
    boxes = make_boxes(2, 1, [(0.0, 0.5, 0.0), (0.0, 0.5, 1.5)], [CUBE, CUBE])
    set_mover(boxes, 0, 10.0, 0.0)
    boxes.position[1, 1, 1] = -1000.0  # away
    boxes.velocity[:, 0, 2] = 5.0
    for _ in range(20):
        move(boxes, 0.0)
    np.testing.assert_allclose(boxes.position[:, 0, 2], (0.5, 2.0))


def test_running_and_turning() -> None:
    """1 ahead, 2 back, 3 right, 4 left; the velocity does not turn along. Looking to the right: +x is ahead."""
    right = np.pi / 2.0
    for choice, velocity, yaw in ((0, 0.0, 0.0), (1, 2.0, 0.0), (2, -2.0, 0.0), (3, 0.0, 0.1), (4, 0.0, -0.1)):
        now = np.array((0.0, 1.0, 0.0))
        assert run_or_turn(choice, now, right, 2.0, 0.1) == pytest.approx(right + yaw)
        np.testing.assert_allclose(now, (velocity, 1.0, 0.0), atol=1e-12)
    now = np.zeros(3)
    push_forward(now, np.radians(30.0), 2.0)
    push_right(now, np.radians(30.0), 1.0)
    np.testing.assert_allclose(now, (1.0 + 0.75**0.5, 0.0, 3.0**0.5 - 0.5))
