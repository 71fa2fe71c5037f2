"""Keys of people who play, and what the example environments make of them."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.registry import default_registry
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, DecisionRequester
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.keys import Keys, write_actions

KEYS = (
    Keys(("up", "w"), "ahead", choice=(0, 1), number=(1, 0.5)),
    Keys(("down",), "back", choice=(0, 2)),
    Keys(("space",), "jump", choice=(1, 1)),
)

EXAMPLES = {
    "Basic": {"left": 1, "a": 1, "right": 2, "d": 2, "space": 0},
    "GridWorld": {"up": 1, "w": 1, "down": 2, "s": 2, "left": 3, "a": 3, "right": 4, "d": 4, "space": 0},
    "PushBlock": {"up": 1, "w": 1, "down": 2, "s": 2, "right": 3, "d": 3, "left": 4, "a": 4, "q": 5, "e": 6},
    "Hallway": {"up": 1, "w": 1, "down": 2, "s": 2, "right": 3, "d": 3, "left": 4, "a": 4},
    "Pyramids": {"up": 1, "w": 1, "down": 2, "s": 2, "right": 3, "d": 3, "left": 4, "a": 4},
}
for name in ("PushBlockCollab", "DungeonEscape"):
    EXAMPLES[name] = EXAMPLES["PushBlock"]
BALL = {"up": (0, 1), "w": (0, 1), "down": (0, -1), "s": (0, -1), "left": (1, 0), "a": (1, 0), "right": (-1, 0)}


@pytest.mark.parametrize(
    ("held", "continuous", "discrete"),
    [
        ((), [0.0, 0.0], [0, 0]),
        (("w",), [0.0, 0.5], [1, 0]),
        (("up", "down"), [0.0, 0.5], [2, 0]),
        (("down", "up"), [0.0, 0.5], [1, 0]),
        (("space", "down"), [0.0, 0.0], [2, 1]),
        (("x",), [0.0, 0.0], [0, 0]),
    ],
)
def test_held_keys_are_actions_and_the_newest_wins(held, continuous, discrete):
    action = ActionSpec(2, (3, 2)).empty_action(3)
    write_actions(KEYS, held, action.continuous, action.discrete)
    np.testing.assert_array_equal(action.continuous, [continuous] * 3)
    np.testing.assert_array_equal(action.discrete, [discrete] * 3)


def test_agents_that_are_objects_have_keys():
    class Walker(Agent):
        keys = KEYS[1:2]
        heard: tuple = ()

        def heuristic(self, actions_out):
            super().heuristic(actions_out)
            self.heard = self.held_keys

    behavior = BehaviorParameters("Walker", vector_observation_size=0, action_spec=ActionSpec.create_discrete((3,)))
    walkers = [Walker(behavior, decision_requester=DecisionRequester(period=1)) for _ in range(2)]
    env = SimEnvironment(AgentWorld(walkers))
    env.reset()
    assert [each.meaning for each in env.keys["Walker?team=0"]] == ["back"]
    assert env.heuristic("Walker?team=0").discrete.tolist() == [[0], [0]]
    env.hold_keys(["shift", "down"])
    assert env.heuristic("Walker?team=0").discrete.tolist() == [[2], [2]]
    assert walkers[0].heard == ("shift", "down")


@pytest.mark.parametrize("name", EXAMPLES)
def test_keys_of_discrete_examples(name):
    env = default_registry[name].make(num_areas=2)
    env.reset()
    (behavior,) = env.behavior_specs
    assert {key for keys in env.keys[behavior] for key in keys.names} == EXAMPLES[name].keys()
    agents = len(env.get_steps(behavior)[0])
    for key, choice in EXAMPLES[name].items():
        env.hold_keys([key])
        assert env.heuristic(behavior).discrete.tolist() == [[choice]] * agents, key


@pytest.mark.parametrize("name", ["3DBall", "3DBallHard"])
def test_keys_of_balls(name):
    env = default_registry[name].make(num_areas=1)
    env.reset()
    for key, action in BALL.items():
        env.hold_keys([key])
        assert env.heuristic(f"{name}?team=0").continuous.tolist() == [list(action)], key


def velocity_of_ball(key):
    """float32 [3], after the ball has fallen onto a platform that is then tilted by a key, or is not."""
    env = default_registry["3DBall"].make(num_areas=1, seed=3)
    env.reset()
    (behavior,) = env.behavior_specs
    for decision in range(13):
        env.hold_keys([key] if decision >= 9 else [])
        env.set_actions(behavior, env.heuristic(behavior))
        env.step()
    return env.get_steps(behavior)[0].obs[0][0, 5:]


@pytest.mark.parametrize(("key", "axis", "sign"), [("up", 2, 1), ("down", 2, -1), ("left", 0, -1), ("right", 0, 1)])
def test_a_ball_rolls_where_the_key_says(key, axis, sign):
    """+Z is away from the spectators, +X to their right."""
    assert sign * (velocity_of_ball(key) - velocity_of_ball("none"))[axis] > 0.2


def test_turn_based():
    turns = {
        name
        for name in (*EXAMPLES, "3DBall", "Match3", "Match3Visual", "Sorter")
        if default_registry[name].make(num_areas=1).turn_based
    }
    assert turns == {"Basic", "GridWorld", "Match3", "Match3Visual"}


def test_two_people_play_tennis():
    env = default_registry["Tennis"].make(num_areas=1)
    env.reset()
    env.hold_keys(["d", "w", "q", "left", "m"])
    left, right = (env.heuristic(f"Tennis?team={team}").continuous[0] for team in (0, 1))
    np.testing.assert_allclose(left, [0.5, 1.0, -0.6])
    np.testing.assert_allclose(right, [0.5, 0.0, -0.6])


@pytest.mark.parametrize("name", ["SoccerTwos", "StrikersVsGoalie"])
def test_two_people_play_soccer(name):
    env = default_registry[name].make(num_areas=1)
    env.reset()
    env.hold_keys(["w", "e", "a", "down", "n", "right"])
    blue, purple = (env.heuristic(behavior).discrete for behavior in env.behavior_specs)
    assert (blue == (1, 1, 1)).all()
    assert (purple == (2, 2, 2)).all()
