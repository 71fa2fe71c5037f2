"""SoccerTwos and StrikersVsGoalie: players, ball, walls, kicks, goals, and where episodes begin."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.registry import default_registry
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.examples.rules import RULES
from mlagents_sim.examples.soccer import SoccerWorld

FRICTION = 0.35 * 9.81 * 0.02  # m/s in a step, before drag
BALL = -1
RADIUS = 0.015 * 41.6115
AWAY = np.array([(-14.0, 6.0), (-14.0, -6.0), (14.0, 6.0), (14.0, -6.0)])
AHEAD = (1, 0, 0)


def made(name: str = "SoccerTwos", areas: int = 1, seed: int = 1, **parameters: float):
    channel = EnvironmentParametersChannel()
    for key, value in parameters.items():
        channel.set_float_parameter(key, value)
    env = default_registry[name].make(seed=seed, num_areas=areas, side_channels=[channel])
    env.reset()
    return env, env._world


@pytest.fixture
def world() -> SoccerWorld:
    """SoccerTwos with all players in the corners, and the ball in the middle; all at rest."""
    world = made()[1]
    pitches = world.fields.pitches
    pitches.position[0, :BALL], pitches.position[0, BALL] = AWAY, 0.0
    return world


def step(world: SoccerWorld, steps: int = 1) -> None:
    for _ in range(steps):
        assert world.advance(1) == (1, False)


def ball(world: SoccerWorld) -> tuple[float, float]:
    """Return place and velocity along x."""
    pitches = world.fields.pitches
    return float(pitches.position[0, BALL, 0]), float(pitches.velocity[0, BALL, 0])


def test_a_sliding_ball_loses_friction_and_drag_and_is_hindered(world):
    """A kick is 2000 N for a step: 13.333 m/s. v' = 0.98 v - 0.0673; the way is (v - 1.739) dt; spin + 0.216."""
    pitches = world.fields.pitches
    pitches.kick[0] = (2000.0 * 0.02 / 3.0, 0.0)
    speed, place, roll = 40.0 / 3.0, 0.0, 0.0
    for _ in range(25):
        step(world)
        speed = 0.98 * speed - 0.98 * FRICTION
        place += 0.02 * (speed - 1.739)
        roll = 0.98 * roll + 0.98 * FRICTION * 0.5 / (0.4 * RADIUS**2)
        assert ball(world) == pytest.approx((place, speed), abs=1e-3)
        assert pitches.roll[0] == pytest.approx((roll, 0.0), abs=1e-9)
    assert pytest.approx(0.22, abs=0.005) == 0.98 * FRICTION * 0.5 / (0.4 * RADIUS**2)


def test_a_shot_rolls_after_40_steps_at_3_8_and_then_only_slows_down(world):
    pitches = world.fields.pitches
    pitches.position[0, BALL] = (-9.0, 0.0)
    pitches.kick[0] = (2000.0 * 0.02 / 3.0, 0.0)
    steps = 0
    while steps == 0 or ball(world)[1] > RADIUS * pitches.roll[0, 0] + 1e-9:
        step(world)
        steps += 1
    assert 39 <= steps <= 43
    assert ball(world)[1] == pytest.approx(3.8, abs=0.05)
    place, speed = ball(world)
    step(world)
    assert ball(world)[1] == pytest.approx(0.977 * speed, rel=1e-3)
    assert ball(world)[0] - place == pytest.approx(0.02 * ball(world)[1])


@pytest.mark.parametrize(
    ("choice", "yaw", "velocity"),
    [
        ((1, 0, 0), 0.0, (0.0, 2.0)),
        ((2, 0, 0), 0.0, (0.0, -2.0)),
        ((0, 1, 0), 0.0, (0.6, 0.0)),
        ((0, 2, 0), 0.0, (-0.6, 0.0)),
        ((1, 1, 0), 0.0, (0.6, 0.0)),
        ((1, 0, 0), 90.0, (2.0, 0.0)),
        ((0, 1, 0), 90.0, (0.0, -0.6)),
    ],
)
def test_what_players_do(world, choice, yaw, velocity):
    """Steps aside replace those ahead. Drag 3, then friction of one point."""
    pitches = world.fields.pitches
    pitches.position[0, 0], pitches.yaw[0, 0] = (-5.0, 0.0), np.radians(yaw)
    world.blue.arrays.discrete[0] = choice
    step(world)
    expected = 0.94 * np.array(velocity) * (1.0 - FRICTION / np.hypot(*velocity))
    assert pitches.velocity[0, 0] == pytest.approx(expected, abs=1e-12)
    assert pitches.position[0, 0] == pytest.approx(np.array((-5.0, 0.0)) + 0.02 * expected)


def test_players_turn_by_2_degrees_and_run_where_they_looked_before(world):
    pitches = world.fields.pitches
    pitches.position[0, 0], pitches.yaw[0, 0] = (-5.0, 0.0), 0.0
    world.blue.arrays.discrete[0] = (1, 0, 2)
    step(world)
    assert pitches.yaw[0, 0] == pytest.approx(np.radians(2.0))
    assert pitches.velocity[0, 0, 0] == 0.0
    world.blue.arrays.discrete[0] = (0, 0, 1)
    step(world, 2)
    assert pitches.yaw[0, 0] == pytest.approx(np.radians(-2.0))


def test_run_speeds(world):
    """1.815, 3.522, and 29.5 m/s after 60 steps, on a field that is long enough."""
    pitches = world.fields.pitches
    pitches.yaw[0, 0] = np.pi / 2
    world.blue.arrays.discrete[0] = AHEAD
    speeds = []
    for _ in range(60):
        pitches.position[0, 0] = (-8.0, 3.0)
        step(world)
        speeds.append(pitches.velocity[0, 0, 0])
    assert speeds[0] == pytest.approx(1.815, abs=1e-3)
    assert speeds[1] == pytest.approx(3.522, abs=1e-3)
    assert speeds[-1] == pytest.approx(29.5, abs=0.05)


@pytest.mark.parametrize(
    ("choice", "kicks"), [((1, 0, 0), True), ((1, 1, 0), True), ((0, 1, 0), False), ((2, 0, 0), False)]
)
def test_kicks(world, choice, kicks):
    """Who begins to touch the ball kicks it if the first branch says ahead: 13.333 m/s in the next step, and once."""
    pitches = world.fields.pitches
    pitches.position[0, 0] = (-0.5 - RADIUS - 0.01, 0.0)
    world.blue.arrays.discrete[0] = choice
    pitches.velocity[0, 0] = (1.0, 0.0)
    pitches.yaw[0, 0] = np.pi
    step(world)
    assert pitches.began[0].tolist() == [True, False, False, False]
    assert pitches.kick[0] == pytest.approx((40.0 / 3.0 if kicks else 0.0, 0.0), abs=0.3)
    assert np.hypot(*pitches.kick[0]) == pytest.approx(40.0 / 3.0 if kicks else 0.0)
    before = ball(world)[1]
    step(world)
    gained = ball(world)[1] - 0.98 * before
    assert gained == pytest.approx(0.98 * (40.0 / 3.0) if kicks else 0.0, abs=0.5)  # the player also rubs past


def test_a_player_who_runs_into_the_ball_is_heavy(world):
    """50 kg against 3 kg, restitution 0.8; from 2 m/s on."""
    pitches = world.fields.pitches
    pitches.position[0, 0], pitches.velocity[0, 0] = (-1.2, 0.0), (5.0, 0.0)
    step(world)
    speed = 5.0 * 0.94 - 0.94 * FRICTION
    expected = 1.8 * speed * 50.0 / 53.0
    assert ball(world)[1] == pytest.approx(expected, abs=1e-6)
    assert pitches.velocity[0, 0, 0] == pytest.approx(speed - 1.8 * speed * 3.0 / 53.0, abs=1e-6)


@pytest.mark.parametrize(("place", "normal"), [((0.0, 6.8), (0.0, -1.0)), ((14.3, 4.15), (-1.0, 0.0))])
def test_the_ball_bounces_off_walls_with_four_fifths(world, place, normal):
    pitches = world.fields.pitches
    pitches.position[0, BALL] = place
    pitches.velocity[0, BALL] = -6.0 * np.array(normal)
    step(world)
    assert pitches.velocity[0, BALL] @ normal == pytest.approx(0.8 * 0.98 * (6.0 - FRICTION), abs=1e-6)


def test_players_stop_at_walls_and_at_each_other(world):
    pitches = world.fields.pitches
    world.blue.arrays.discrete[0] = AHEAD
    pitches.position[0, 0], pitches.yaw[0, 0] = (3.0, 6.0), 0.0
    step(world, 60)
    assert pitches.position[0, 0, 1] == pytest.approx(7.0, abs=1e-3)
    assert pitches.velocity[0, 0, 1] == pytest.approx(0.0, abs=1e-9)
    pitches.position[0, :2] = ((3.0, 0.0), (3.0, 2.0))
    pitches.velocity[0, 0] = (0.0, 10.0)
    world.blue.arrays.discrete[0] = 0
    fastest = 0.0
    for _ in range(20):
        step(world)
        fastest = max(fastest, pitches.velocity[0, 1, 1])
        assert np.hypot(*(pitches.position[0, 0] - pitches.position[0, 1])) > 0.999
    assert 2.5 < fastest < 3.2  # half of what drag had left of 10 m/s: no bounce


@pytest.mark.slow
def test_nothing_leaves_the_field():
    """Whatever players do for a minute, on 20 fields: also where the ball is between two of them and a wall."""
    env, world = made(areas=20, seed=4)
    rng = np.random.default_rng(0)
    pitches = world.fields.pitches
    for _ in range(600):
        for name in env.behavior_specs:
            waiting = len(env.get_steps(name)[0])
            choices = rng.integers(0, 3, (waiting, 3)).astype(np.int32)
            choices[:, 0] = 1
            env.set_actions(name, ActionTuple(discrete=choices))
        env.step()
        place = np.abs(pitches.position)
        assert (place[..., 1] < 7.5).all()
        assert (place[..., 0] < 17.37).all()
        in_goal = place[..., 0] > 15.0
        assert (place[in_goal][:, 1] < 4.15).all()
    assert np.isfinite(pitches.velocity).all()


def test_a_ball_between_two_players_goes_to_neither_side(world):
    pitches = world.fields.pitches
    pitches.position[0, 0], pitches.position[0, 2] = (-1.2, 0.0), (1.2, 0.0)
    pitches.yaw[0, 0], pitches.yaw[0, 2] = np.pi / 2, -np.pi / 2
    world.blue.arrays.discrete[0] = world.purple.arrays.discrete[0] = AHEAD
    for _ in range(30):
        step(world)
        assert ball(world) == pytest.approx((0.0, 0.0), abs=1e-6)


def test_equal_teams_hold_each_other():
    """All run at the ball and meet it at once, two from each side: whoever was served first would push it away."""
    env, world = made()
    pitches = world.fields.pitches
    touches = 0
    for _ in range(14):
        for name in env.behavior_specs:
            env.set_actions(name, RULES["SoccerTwos"](env.get_steps(name)[0]))
        env.step()
        touches += int(pitches.is_touching[0].sum())
        np.testing.assert_allclose(pitches.position[0, :2], -pitches.position[0, 3:1:-1], atol=1e-9)
        np.testing.assert_allclose(pitches.position[0, BALL], 0.0, atol=1e-9)
    assert touches >= 4


@pytest.mark.parametrize(("name", "team", "rate"), [("SoccerTwos", 0, 0.5), ("SoccerTwos", 1, 0.5)])
def test_the_rule_beats_random_players(name, team, rate):
    env, _ = made(name, areas=8, seed=3)
    outcome: list[float] = []
    for _ in range(400):
        for behavior, spec in env.behavior_specs.items():
            decisions, ended = env.get_steps(behavior)
            rule, number = RULES[behavior.split("?")[0]], int(behavior[-1])
            if number == team:
                outcome += ended.reward.tolist()
            if len(decisions):
                random = spec.action_spec.random_action(len(decisions))
                env.set_actions(behavior, rule(decisions) if number == team else random)
        env.step()
    assert len(outcome) > 20
    assert (np.array(outcome) > 0.0).mean() > rate


@pytest.mark.parametrize(("x", "z", "scores"), [(15.2, 0.0, True), (15.1, 0.0, False), (-15.2, 2.0, True)])
def test_goals_are_where_the_ball_dips_below_the_goals_floor(world, x, z, scores):
    world.fields.pitches.position[0, BALL] = (x, z)
    assert world.advance(1) == (1, False)
    assert (world.blue.arrays.end[0] != 0) == scores


def shoot(env, world, steps: int, side: float, waits: int = 0):
    """Let time pass, then let the ball roll into a goal; returns the last reports."""
    for _ in range(waits):
        env.step()
    world.fields.pitches.position[0, BALL] = (14.0 * side, 0.0)
    world.fields.pitches.velocity[0, BALL] = (13.0 * side, 0.0)
    for _ in range(steps):
        env.step()
        reports = {name: env.get_steps(name)[1] for name in env.behavior_specs}
        if all(len(each) for each in reports.values()):
            return reports
    raise AssertionError("no goal")


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_rewards_of_a_goal_in_soccer_twos(side):
    """+1 less the part of 3000 steps that has passed, to both who scored; -1 to the others."""
    env, world = made()
    reports = shoot(env, world, 3, side, waits=10)
    blue, purple = reports["SoccerTwos?team=0"], reports["SoccerTwos?team=1"]
    won, lost = (blue, purple) if side > 0 else (purple, blue)
    assert len(won) == len(lost) == 2
    assert lost.reward.tolist() == [-1.0, -1.0]
    assert won.reward[0] == won.reward[1]
    passed = (1.0 - won.reward[0]) * 3000.0
    assert 50.0 < passed <= 65.0
    assert passed == pytest.approx(round(float(passed)), abs=1e-2)
    assert not blue.interrupted.any()


def test_rewards_of_a_goal_by_the_strikers():
    """A step costs strikers 1 / 3000 and pays the goalie as much; a goal is 1 for them and -1 for the goalie."""
    env, world = made("StrikersVsGoalie")
    env.step()
    assert env.get_steps("Striker?team=0")[0].reward == pytest.approx([-5.0 / 3000.0] * 2)
    assert env.get_steps("Goalie?team=1")[0].reward == pytest.approx([5.0 / 3000.0])
    reports = shoot(env, world, 3, 1.0)
    steps = (1.0 - reports["Striker?team=0"].reward[0]) * 3000.0
    assert 0.99 < steps < 6.01
    assert reports["Striker?team=0"].reward[1] == reports["Striker?team=0"].reward[0]
    assert reports["Goalie?team=1"].reward == pytest.approx([-1.0 + steps / 3000.0], abs=1e-6)


def test_nobody_scores_in_the_strikers_goal():
    _, world = made("StrikersVsGoalie")
    pitches = world.fields.pitches
    pitches.position[0, BALL], pitches.velocity[0, BALL] = (-13.0, 0.0), (-13.0, 0.0)
    step(world, 20)
    assert pitches.velocity[0, BALL, 0] > 0.0
    assert pitches.position[0, BALL, 0] > -15.0 + RADIUS - 0.05


def test_teams_are_groups_in_the_form_of_today():
    """+1 less the part of 5000 steps to the group that scored, -1 to the other; nothing to anybody alone."""
    env, world = made("SoccerTwosGroups", areas=3)
    blue, purple = (env.get_steps(f"SoccerTwos?team={team}")[0] for team in (0, 1))
    assert blue.group_id.tolist() == [1, 1, 3, 3, 5, 5]
    assert purple.group_id.tolist() == [2, 2, 4, 4, 6, 6]
    world.fields.pitches.position[0, :BALL] = AWAY
    reports = shoot(env, world, 3, 1.0)
    won, lost = reports["SoccerTwos?team=0"], reports["SoccerTwos?team=1"]
    assert lost.group_reward.tolist() == [-1.0, -1.0]
    assert (won.group_reward > 0.998).all()
    assert (won.group_reward < 1.0).all()
    assert not won.reward.any()
    assert not lost.reward.any()


def test_time_counts_for_everybody_alone_in_todays_strikers():
    env, world = made("StrikersVsGoalieGroups")
    world.fields.pitches.position[0, BALL] = (0.0, 0.0)
    env.step()
    assert env.get_steps("Striker?team=0")[0].reward == pytest.approx([-5.0 / 5000.0] * 2)
    assert env.get_steps("Goalie?team=1")[0].reward == pytest.approx([5.0 / 5000.0])
    reports = shoot(env, world, 3, 1.0)
    assert reports["Goalie?team=1"].group_reward.tolist() == [-1.0]


@pytest.mark.parametrize(("name", "steps"), [("SoccerTwos", 3000), ("SoccerTwosGroups", 5000)])
def test_without_goals_an_episode_is_cut(name, steps):
    env, world = made(name)
    for agents in world.agents:
        agents.arrays.step_count[:] = steps - 2
    env.step()
    ended = env.get_steps("SoccerTwos?team=0")[1]
    assert ended.interrupted.tolist() == [True, True]
    assert ended.reward.tolist() == [0.0, 0.0]
    assert len(env.get_steps("SoccerTwos?team=1")[1]) == 2


def test_a_touch_is_rewarded_if_that_is_wanted():
    env, world = made(ball_touch=0.5)
    world.fields.pitches.position[0, 0] = (-0.5 - RADIUS - 0.01, 0.0)
    env.step()
    assert env.get_steps("SoccerTwos?team=0")[0].reward == pytest.approx([0.1, 0.0])


def test_where_episodes_begin():
    _, twos = made()
    pitches = twos.fields.pitches
    assert pitches.position[0].tolist() == [[-7.19, 1.2], [-7.19, -1.2], [7.19, 1.2], [7.19, -1.2], [0.0, 0.0]]
    assert np.degrees(pitches.yaw[0]) == pytest.approx([90.0, 90.0, -90.0, -90.0])
    _, strikers = made("StrikersVsGoalie")
    pitches = strikers.fields.pitches
    assert pitches.position[0].tolist() == [[-7.19, 1.2], [-7.19, -1.2], [12.0, 0.0], [0.0, 0.0]]
    _, today = made("SoccerTwosGroups", areas=200)
    pitches = today.fields.pitches
    x = pitches.position[:, :2, 0]
    assert -13.19 <= x.min() < -13.0
    assert -3.4 < x.max() <= -3.19
    degrees = np.degrees(pitches.yaw)
    assert 80.0 <= degrees[:, :2].min() < 81.0 < 99.0 < degrees[:, :2].max() <= 100.0
    assert -100.0 <= degrees[:, 2:].min() < degrees[:, 2:].max() <= -80.0
    assert 2.3 < np.abs(pitches.position[:, BALL]).max() <= 2.5


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("SoccerTwos", {"SoccerTwos?team=0": [264, 72], "SoccerTwos?team=1": [264, 72]}),
        ("StrikersVsGoalie", {"Striker?team=0": [231, 63], "Goalie?team=1": [738]}),
    ],
)
def test_observations(name, sizes):
    specs = default_registry[name].make(num_areas=1).behavior_specs
    assert {key: [each.shape[0] for each in spec.observation_specs] for key, spec in specs.items()} == sizes
    assert all(spec.action_spec.discrete_branches == (3, 3, 3) for spec in specs.values())


@pytest.mark.parametrize("name", ["SoccerTwos", "StrikersVsGoalie", "SoccerTwosGroups", "StrikersVsGoalieGroups"])
def test_it_keeps_the_contract(name):
    check_env(lambda: default_registry[name].make(num_areas=2))
