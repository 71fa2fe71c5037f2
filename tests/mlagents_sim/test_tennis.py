"""Tennis: who wins by what, hits, bounces, rackets on their court, what is seen, and where matches begin."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples.rules import play_tennis
from mlagents_sim.examples.tennis import NOBODY, SERVICE, Games, TennisWorld, score
from mlagents_sim.physics.court import FLOOR_A, FLOOR_B, NET, RACKET_A, RACKET_B, WALL_A, WALL_B

A, B = 0, 1
LEFT, RIGHT = "Tennis?team=0", "Tennis?team=1"
FALL = 0.1962  # m/s in a step


def made(areas: int = 1, seed: int = 1, **parameters: float) -> tuple[SimEnvironment, TennisWorld]:
    channel = EnvironmentParametersChannel()
    for name, value in parameters.items():
        channel.set_float_parameter(name, value)
    env = default_registry["Tennis"].make(seed=seed, num_areas=areas, side_channels=[channel])
    env.reset()
    return env, env._world


def put_ball(world: TennisWorld, x: float, y: float, vx: float, vy: float, last_hit: int = NOBODY) -> None:
    courts, games = world.match.courts, world.match.games
    courts.ball_position[0], courts.ball_velocity[0] = (x, y), (vx, vy)
    courts.is_touching[0] = False
    games.last_hit[0], games.last_floor[0], games.net_is_fair[0] = last_hit, NOBODY, False


def put_racket(world: TennisWorld, side: int, x: float, y: float, vx: float = 0.0, vy: float = 0.0) -> None:
    courts = world.match.courts
    courts.racket_position[0, side], courts.racket_velocity[0, side] = (x, y), (vx, vy)


# Every row of the scoring table: what is touched, last hit, last floor, whether the net is fair -> who wins
TABLE = [
    (WALL_A, A, NOBODY, False, B),
    (WALL_A, B, A, True, B),
    (WALL_A, B, NOBODY, False, A),
    (WALL_A, NOBODY, SERVICE, False, A),
    (WALL_A, B, B, True, A),
    (WALL_B, B, NOBODY, False, A),
    (WALL_B, A, B, True, A),
    (WALL_B, A, NOBODY, False, B),
    (WALL_B, NOBODY, SERVICE, False, B),
    (FLOOR_A, A, NOBODY, False, B),
    (FLOOR_A, B, A, True, B),
    (FLOOR_A, NOBODY, SERVICE, False, B),
    (FLOOR_B, B, NOBODY, False, A),
    (FLOOR_B, A, B, True, A),
    (FLOOR_B, NOBODY, SERVICE, False, A),
    (NET, A, NOBODY, False, B),
    (NET, B, NOBODY, False, A),
    (NET, NOBODY, SERVICE, False, NOBODY),
    (NET, A, NOBODY, True, NOBODY),
    (RACKET_A, A, NOBODY, True, B),
    (RACKET_B, B, NOBODY, True, A),
]


@pytest.mark.parametrize(("touched", "last_hit", "last_floor", "fair", "winner"), TABLE)
def test_who_wins(touched, last_hit, last_floor, fair, winner):
    games = Games(np.array([last_hit]), np.array([last_floor]), np.array([fair]))
    assert score(games, 0, touched) == winner


@pytest.mark.parametrize(
    ("touched", "before", "after"),
    [
        (FLOOR_A, (B, NOBODY, False), (B, A, True)),
        (FLOOR_B, (A, NOBODY, False), (A, B, True)),
        (FLOOR_A, (B, B, True), (B, A, True)),
        (RACKET_A, (NOBODY, SERVICE, False), (A, NOBODY, False)),
        (RACKET_B, (NOBODY, SERVICE, False), (B, NOBODY, False)),
        (RACKET_A, (B, A, True), (A, NOBODY, True)),
        (RACKET_B, (A, NOBODY, False), (B, NOBODY, True)),
    ],
)
def test_how_a_match_goes_on(touched, before, after):
    games = Games(np.array([before[0]]), np.array([before[1]]), np.array([before[2]]))
    assert score(games, 0, touched) == NOBODY
    assert (games.last_hit[0], games.last_floor[0], games.net_is_fair[0]) == after


def test_a_dropped_service_costs_the_match_and_both_are_told():
    """From 6 m the ball is on the floor after 76 steps: 46 until it falls at 9 m/s, then 0.1839 m each."""
    env, world = made()
    put_ball(world, -4.0, 6.0, 0.0, 0.0)
    world.match.games.last_floor[0] = SERVICE
    put_racket(world, 0, -9.0, -6.0), put_racket(world, 1, 9.0, -6.0)
    height, speed, steps = 6.0, 0.0, 0
    while height - 0.25 + 6.9 > 0.02 * (max(speed, -9.0) - FALL) * -1.0:
        speed = max(speed, -9.0) - FALL
        height, steps = height + 0.02 * speed, steps + 1
    while not len(env.get_steps(LEFT)[1]):
        env.step()
    lost, won = env.get_steps(LEFT)[1], env.get_steps(RIGHT)[1]
    assert lost.reward.tolist() == [-1.0]
    assert won.reward.tolist() == [1.0]
    assert not lost.interrupted.any()
    assert lost.obs[0][0, -4] == pytest.approx(height + 0.02 * (9.0 + FALL), abs=1e-4)  # it has bounced
    assert world.left.arrays.step_count[0] in (0, 1, 2, 3, 4)  # the next match has begun


def test_a_hit_is_elastic_and_moves_both_for_the_whole_step():
    """The ball at -9 m/s meets a racket at rest: 0.75 kg against 4 kg."""
    _, world = made()
    put_racket(world, 0, -8.0, 0.0)
    put_ball(world, -7.6, 0.0, -9.0, FALL, last_hit=B)
    world.match.courts.racket_velocity[0, 0, 1] = FALL
    world.advance(1)
    courts = world.match.courts
    after = -9.0 + 2.0 * 9.0 * (1.0 / 0.75) / (1.0 / 0.75 + 0.25)
    assert courts.ball_velocity[0] == pytest.approx([after, 0.0])
    assert courts.ball_position[0] == pytest.approx([-7.6 + 0.02 * after, 0.0])
    racket = -2.0 * 9.0 * 0.25 / (1.0 / 0.75 + 0.25)
    assert courts.racket_velocity[0, 0] == pytest.approx([racket, 0.0])
    assert courts.racket_position[0, 0, 0] == pytest.approx(-8.0 + 0.02 * racket)
    assert world.match.games.last_hit[0] == A


def test_a_fast_hit_lasts_one_step_then_the_ball_is_held():
    """A racket at 30 m/s sends a ball that comes at 9 away with more than 40, for one step; then it has 9 again."""
    _, world = made()
    put_racket(world, 0, -8.0, 0.0)
    put_ball(world, -7.05, 0.0, -9.0, FALL, last_hit=B)
    world.left.arrays.continuous[0] = (1.0, 0.0, 0.0)
    after = 30.0 + 39.0 - 2.0 * 39.0 * 0.25 / (1.0 / 0.75 + 0.25)
    start = -7.05 - 0.18  # in the first step the racket is too far away, though they would meet
    world.advance(1)
    assert world.match.courts.ball_position[0, 0] == pytest.approx(start)
    world.match.courts.ball_velocity[0, 1] = FALL
    world.advance(1)
    assert world.match.courts.ball_position[0, 0] == pytest.approx(start + 0.02 * after)
    assert world.match.courts.ball_velocity[0, 0] == 9.0
    assert after > 40.0


def test_nobody_passes_through_a_racket():
    """At any offset and closing speed that a match can have, the ball ends on the side it came from."""
    _, world = made()
    rng = np.random.default_rng(0)
    for _ in range(300):
        put_racket(world, 0, -8.0, 0.0)
        put_ball(world, -8.0 + rng.uniform(0.4, 1.5), rng.uniform(-0.3, 0.3), -9.0, 0.0, last_hit=B)
        world.left.arrays.continuous[0] = (rng.uniform(0.0, 1.0), 0.0, 0.0)
        for _ in range(8):
            world.advance(1)
            courts = world.match.courts
            assert courts.ball_position[0, 0] > courts.racket_position[0, 0, 0] or world.match.games.last_hit[0] == A
            if world.match.games.last_hit[0] == A:
                break
        assert world.match.games.last_hit[0] == A
        assert courts.ball_velocity[0, 0] > 0.0


def test_the_ball_bounces_off_floor_and_net_as_it_came():
    _, world = made()
    put_racket(world, 0, -11.0, 0.0), put_racket(world, 1, 11.0, 0.0)
    put_ball(world, -5.0, -6.6, 3.0, -6.0 + FALL, last_hit=B)
    world.advance(1)
    assert world.match.courts.ball_velocity[0] == pytest.approx([3.0, 6.0])
    assert world.match.courts.ball_position[0] == pytest.approx([-4.94, -6.6 + 0.12])
    put_ball(world, -0.4, -6.5, 9.0, FALL, last_hit=NOBODY)
    world.match.games.last_floor[0] = SERVICE
    world.advance(1)
    assert world.match.courts.ball_velocity[0, 0] == pytest.approx(-9.0)


@pytest.mark.parametrize("side", [0, 1])
def test_rackets_run_jump_and_lean_mirrored(side):
    _, world = made()
    forward = 1.0 if side == 0 else -1.0
    put_racket(world, side, -5.0 * forward, -3.0)
    put_ball(world, -5.0 * forward, 9.0, 0.0, 0.0)
    world.agents[side].arrays.continuous[0] = (0.5, 0.6, 1.0)
    world.advance(1)
    courts = world.match.courts
    assert courts.racket_velocity[0, side] == pytest.approx([15.0 * forward, 7.0 - FALL])
    assert courts.lean[0, side] == pytest.approx(np.radians(55.0) * forward)
    courts.racket_position[0, side, 1] = -1.4  # too high to jump
    world.advance(1)
    assert courts.racket_velocity[0, side, 1] == pytest.approx(7.0 - 2 * FALL)
    world.agents[side].arrays.continuous[0] = (4.0, 0.5, -7.0)  # clipped; 0.5 is no jump
    world.advance(1)
    assert courts.racket_velocity[0, side] == pytest.approx([30.0 * forward, 7.0 - 3 * FALL])
    assert courts.lean[0, side] == pytest.approx(-np.radians(55.0) * forward)


def test_rackets_stay_on_their_side_of_the_net():
    """Beyond x = -1 they are put back there before the step, which may take them to -0.4."""
    _, world = made()
    put_ball(world, 5.0, 9.0, 0.0, 0.0)
    put_racket(world, 0, -1.3, -3.0)
    world.left.arrays.continuous[0] = (1.0, 1.0, 0.0)
    for expected in (-0.7, -0.4, -0.4):
        world.advance(1)
        assert world.match.courts.racket_position[0, 0, 0] == pytest.approx(expected)


def test_a_racket_ends_in_the_wall_and_comes_out_by_four_fifths():
    """As recorded: it overshoots, then 0.8 of what is left in every step, without speed."""
    _, world = made()
    put_ball(world, 5.0, 9.0, 0.0, 0.0)
    put_racket(world, 0, -11.6, -3.0)
    world.left.arrays.continuous[0] = (-1.0, 0.0, 0.0)
    rest = -11.88 + 0.5 * 0.1267
    world.advance(1)
    assert world.match.courts.racket_position[0, 0, 0] == pytest.approx(-12.2)
    depth = rest + 12.2
    for _ in range(3):
        world.advance(1)
        depth *= 0.2
        assert world.match.courts.racket_position[0, 0, 0] == pytest.approx(rest - depth)
        assert world.match.courts.racket_velocity[0, 0, 0] == 0.0


def test_a_racket_stands_on_the_floor():
    env, world = made()
    put_ball(world, 5.0, 9.0, 0.0, 0.0)
    put_racket(world, 0, -7.0, -6.0)
    for _ in range(5):
        env.step()
        world.match.courts.ball_position[0] = (5.0, 9.0)
    assert world.match.courts.racket_position[0, 0, 1] == pytest.approx(-6.9 + 0.5 * 0.9883, abs=1e-3)
    assert world.match.courts.racket_velocity[0, 0, 1] == 0.0


def test_both_sides_see_the_same_mirrored():
    env, world = made()
    put_racket(world, 0, -7.0, -3.0, 2.0, 1.0), put_racket(world, 1, 7.0, -3.0, -2.0, 1.0)
    put_ball(world, 3.0, 4.0, -5.0, 6.0)
    left, right = (np.asarray(agents.observe(slice(None))[0]) for agents in world.agents)
    assert left[0].tolist() == [-7.0, -3.0, 2.0, 1.0, 3.0, 4.0, -5.0, 6.0, 0.0]
    assert right[0].tolist() == [-7.0, -3.0, 2.0, 1.0, -3.0, 4.0, 5.0, 6.0, 0.0]
    assert env.get_steps(LEFT)[0].obs[0].shape == (1, 27)
    assert not env.get_steps(LEFT)[0].obs[0][:, :18].any()  # older frames come first


def test_where_matches_begin():
    _, world = made(areas=400)
    courts = world.match.courts
    assert (courts.racket_position[..., 1] == -1.5).all()
    assert (courts.ball_position[:, 1] == 6.0).all()
    for x in (-courts.racket_position[:, 0, 0], courts.racket_position[:, 1, 0], np.abs(courts.ball_position[:, 0])):
        assert 6.0 <= x.min() < 6.05 < 7.95 < x.max() <= 8.0
    assert 0.4 < (courts.ball_position[:, 0] < 0.0).mean() < 0.6


def test_parameters_do_what_they_say():
    env, world = made(scale=1.0, angle=20.0, gravity=6.0)
    assert world.match.courts.ball_radius[0] == 0.5
    env.set_actions(LEFT, ActionTuple(np.array([[0.0, 0.0, 1.0]], np.float32)))
    env.step()
    assert world.match.courts.lean[0, 0] == pytest.approx(np.radians(20.0))
    assert world.match.courts.ball_velocity[0, 1] == pytest.approx(-5 * 0.12)


def test_the_rule_rallies_with_itself():
    env, world = made(areas=4, seed=3)
    for _ in range(400):
        for name in env.behavior_specs:
            decisions = env.get_steps(name)[0]
            if len(decisions):
                env.set_actions(name, play_tennis(decisions))
        env.step()
    assert np.median(world.left.arrays.step_count) > 500


def test_it_keeps_the_contract():
    check_env(lambda: default_registry["Tennis"].make(num_areas=3))
