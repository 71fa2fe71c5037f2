"""Piles: they fall straight, sleep, wake when something moves into them, and sleep again."""

from __future__ import annotations

import numpy as np

from mlagents_sim.physics.boxes import Boxes, make_boxes, move, set_mover
from mlagents_sim.physics.piles import ASLEEP, AWAKE, FALLING, Piles, drop_pile, make_piles, move_with_piles

BALL, LOWER, UPPER, FLOOR = range(4)
GRAVITY = 9.81


def tower(areas: int = 1) -> tuple[Boxes, Piles]:
    """A runner at z = -10, a pile of two cubes that lies at the origin, a floor."""
    centers = [(0.0, 0.5, -10.0), (0.0, 0.5, 0.0), (0.0, 1.5, 0.0), (0.0, -0.5, 0.0)]
    sizes = [(1.0, 1.0, 1.0)] * 3 + [(200.0, 1.0, 200.0)]
    boxes = make_boxes(areas, 1, centers, sizes)
    for mover in range(FLOOR):
        set_mover(boxes, mover, 10.0, 0.0, turned_by_contacts=mover != BALL)
    piles = make_piles(areas, [LOWER, FLOOR], np.array((0.0, 0.5, 1.5)))
    for area in range(areas):
        drop_pile(boxes, piles, area, 0)
    move_with_piles(boxes, piles, GRAVITY)
    assert (piles.state == ASLEEP).all()
    return boxes, piles


def test_a_pile_falls_as_far_as_it_should() -> None:
    boxes, piles = tower()
    boxes.position[0, LOWER : UPPER + 1, 1] += 1.0
    drop_pile(boxes, piles, 0, 0)
    for _ in range(5):
        move_with_piles(boxes, piles, GRAVITY)
    assert piles.state[0, 0] == FALLING
    np.testing.assert_allclose(boxes.position[0, LOWER : UPPER + 1, 1], (1.5 - 0.05886, 2.5 - 0.05886))
    for _ in range(20):
        move_with_piles(boxes, piles, GRAVITY)
    assert piles.state[0, 0] == ASLEEP
    np.testing.assert_array_equal(boxes.position[0, LOWER : UPPER + 1, 1], (0.5, 1.5))
    np.testing.assert_array_equal(boxes.velocity[0, LOWER:], 0.0)


def test_who_comes_in_wakes_a_pile_and_loses_no_momentum() -> None:
    boxes, piles = tower()
    boxes.friction[:] = 0.0
    boxes.velocity[0, BALL, 2] = 20.0
    woke = False
    for _ in range(40):
        move_with_piles(boxes, piles, GRAVITY)
        woke |= bool(piles.state[0, 0] == AWAKE)
    assert woke
    np.testing.assert_allclose(boxes.velocity[0, :FLOOR, 2].sum(), 20.0, rtol=1e-6)
    assert (boxes.velocity[0, (BALL, LOWER), 2] > 5.0).all()


def test_a_pile_sleeps_again() -> None:
    boxes, piles = tower()
    boxes.velocity[0, BALL, 2] = 30.0
    for _ in range(100):
        move_with_piles(boxes, piles, GRAVITY)
    assert piles.state[0, 0] == ASLEEP
    assert boxes.position[0, LOWER, 2] > 0.1
    np.testing.assert_array_equal(boxes.velocity[0, LOWER : UPPER + 1], 0.0)
    np.testing.assert_allclose(boxes.position[0, LOWER, 1], 0.5, atol=0.02)


def test_who_passes_by_wakes_nobody() -> None:
    boxes, piles = tower()
    boxes.position[0, BALL, 0], boxes.velocity[0, BALL, 2] = 1.5, 20.0
    for _ in range(60):
        move_with_piles(boxes, piles, GRAVITY)
        assert piles.state[0, 0] == ASLEEP
    assert boxes.position[0, BALL, 2] > 0.0


def test_awake_piles_move_as_boxes_do() -> None:
    """The same as `move`, which knows no sleep, as long as they are awake."""
    boxes, piles = tower()
    free = make_boxes(1, 3, [(0.0, 0.0, 0.0)] * 4, [(1.0, 1.0, 1.0)] * 4)
    for name, array in boxes._asdict().items():
        if name != "touches":
            getattr(free, name)[:] = array
    piles.state[0, 0] = AWAKE
    for each in (boxes, free):
        each.velocity[0, BALL] = (1.0, 0.0, 40.0)
    for _ in range(15):
        move_with_piles(boxes, piles, GRAVITY)
        move(free, GRAVITY)
        assert piles.state[0, 0] == AWAKE
        np.testing.assert_allclose(boxes.position, free.position, atol=1e-12)
        np.testing.assert_allclose(boxes.yaw, free.yaw, atol=1e-12)


def test_areas_do_not_know_each_other() -> None:
    boxes, piles = tower(2)
    boxes.velocity[1, BALL, 2] = 20.0
    for _ in range(40):
        move_with_piles(boxes, piles, GRAVITY)
        assert piles.state[0, 0] == ASLEEP
    assert boxes.position[0, LOWER, 2] == 0.0 < boxes.position[1, LOWER, 2]
