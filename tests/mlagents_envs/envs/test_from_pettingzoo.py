"""PettingZoo environments as a `BaseEnv`."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from gymnasium import spaces
from pettingzoo.utils.conversions import turn_based_aec_to_parallel
from zoo_games import Countdown, Nim

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.envs.unity_parallel_env import UnityParallelEnv
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.foreign.from_pettingzoo import PettingZooEnvironment, make_pettingzoo
from mlagents_envs.registry import default_registry
from mlagents_envs.testing import check_env
from toys.environments import environments


@pytest.mark.parametrize("module", ["countdown_v0", "nim_v1", "countdown_aec_v3"])
@pytest.mark.parametrize("num_areas", [None, 3])
def test_the_contract(module, num_areas):
    check_env(lambda: make_pettingzoo(module, seed=3, num_areas=num_areas), steps=60, deterministic=True)


@pytest.mark.parametrize("name", environments())
def test_there_and_back_again(name):
    def make():
        zoo = UnityParallelEnv(default_registry[name].make(seed=1, num_areas=2))
        return PettingZooEnvironment([zoo], "back", [0])

    check_env(make, steps=100)


def report(env, name):
    """Rewards of who decides, rewards and interruptions of who ended, by agent."""
    decisions, terminals = env.get_steps(name)
    return (
        {agent: step.reward for agent, step in decisions.items()},
        {agent: (step.reward, step.interrupted) for agent, step in terminals.items()},
    )


def forces(*values):
    return ActionTuple(np.float32([[value] for value in values]))


def test_agents_end_one_by_one_and_the_next_game_begins_with_the_last():
    env, name = make_pettingzoo("countdown_v0", seed=0), "countdown?team=0"
    assert list(env.behavior_specs) == [name]
    env.reset()
    assert report(env, name) == ({0: 0.0, 1: 0.0}, {})
    assert env.get_steps(name)[0].obs[0][:, :2].tolist() == [[0, 1], [1, 2]]
    env.set_actions(name, forces(-1.0, 1.0))  # the box is [0, 10]
    env.step()
    assert report(env, name) == ({1: 10.0}, {0: (0.0, False)})
    assert env.get_steps(name)[1].obs[0][:, :2].tolist() == [[0, 0]]
    env.set_actions(name, forces(0.0))
    env.step()
    assert report(env, name) == ({0: 0.0, 1: 0.0}, {1: (5.0, True)})
    assert env.get_steps(name)[0].obs[0][:, :2].tolist() == [[0, 1], [1, 2]]


def test_copies_have_agents_and_seeds_of_their_own():
    env, name = make_pettingzoo("countdown_v0", seed=5, num_areas=3), "countdown?team=0"
    env.reset()
    decisions, _ = env.get_steps(name)
    assert decisions.agent_id.tolist() == [0, 1, 2, 3, 4, 5]
    seeds = decisions.obs[0][::2, 2]
    assert len(set(seeds)) == 3
    other = make_pettingzoo("countdown_v0", seed=6, num_areas=3)
    other.reset()
    assert not set(seeds) & set(other.get_steps(name)[0].obs[0][:, 2])


def test_each_kind_of_agent_is_a_behavior():
    env = PettingZooEnvironment([Countdown(runners=1, jumpers=2)], "countdown", [0])
    assert {name: spec.action_spec for name, spec in env.behavior_specs.items()} == {
        "countdown_runner?team=0": ActionSpec(1, ()),
        "countdown_jumper?team=0": ActionSpec(0, (3,)),
    }
    env.reset()
    name = "countdown_jumper?team=0"
    decisions, _ = env.get_steps(name)
    assert decisions.agent_id.tolist() == [1, 2]
    assert decisions.action_mask[0].tolist() == [[False, True, False], [False, False, False]]  # from the infos
    env.set_actions(name, ActionTuple(discrete=np.int32([[0], [2]])))
    env.step()
    assert report(env, name)[0] == {1: 10.0, 2: 30.0}  # choices start at 1
    assert env.get_steps(name)[0].action_mask is None


def test_kinds_with_the_same_stem_are_told_apart():
    class Odd(Countdown):
        def action_space(self, agent):
            return super().action_space("jumper" if agent == "runner_1" else "runner")

    env = PettingZooEnvironment([Odd()], "odd", [0])
    assert list(env.behavior_specs) == ["odd_runner?team=0", "odd_runner_1?team=0"]


def test_without_possible_agents_behaviors_are_known_after_the_reset():
    env = PettingZooEnvironment([Countdown(known=False)], "unknown", [0])
    assert not env.behavior_specs
    env.reset()
    assert list(env.behavior_specs) == ["unknown?team=0"]


def test_who_is_not_at_turn_is_silent_and_the_last_move_is_paid_to_both():
    env, name = make_pettingzoo("nim_v1"), "nim?team=0"
    (sensor,) = env.behavior_specs[name].observation_specs
    assert sensor.shape == (6,)
    env.reset()
    told = []
    for taken in (2, 2, 1):
        decisions, _ = env.get_steps(name)
        told.append((decisions.agent_id.tolist(), decisions.obs[0].argmax(), decisions.action_mask[0][0].tolist()))
        env.set_actions(name, ActionTuple(discrete=np.int32([[taken - 1]])))
        env.step()
    assert told == [([0], 5, [False, False]), ([1], 3, [False, False]), ([0], 1, [False, True])]
    assert report(env, name) == ({0: 0.0}, {0: (1.0, False), 1: (-1.0, False)})


def test_an_agent_that_never_acted_does_not_end_and_earns_nothing():
    env = PettingZooEnvironment([turn_based_aec_to_parallel(Nim(1, 2))], "nim", [0])
    env.reset()
    env.step()
    assert report(env, "nim?team=0") == ({0: 0.0}, {0: (1.0, False)})
    env.step()
    assert report(env, "nim?team=0") == ({1: 0.0}, {})


def test_an_end_by_itself_at_the_limit_is_no_interruption():
    class Both(Countdown):
        def step(self, actions):
            observations, rewards, terminations, truncations, infos = super().step(actions)
            return observations, rewards, terminations | truncations, truncations, infos

    env = PettingZooEnvironment([Both()], "both", [0])
    env.reset()
    env.step()
    env.step()
    assert report(env, "both?team=0")[1] == {1: (5.0, False)}


def test_spaces_that_change_from_game_to_game():
    class Growing(Countdown):
        def action_space(self, agent):
            return spaces.Discrete(2 + self.games, start=1)

        def step(self, actions):
            assert all(actions[agent] in self.action_space(agent) for agent in actions)
            return super().step({agent: [0.0] for agent in actions})

    env = PettingZooEnvironment([Growing(runners=1)], "growing", [0])
    env.reset()
    env.step()
    assert [spec.action_spec.discrete_branches for spec in env.behavior_specs.values()] == [(2,), (3,), (4,)]
    assert [len(env.get_steps(name)[0]) for name in env.behavior_specs] == [0, 0, 1]


def test_the_seed_is_of_the_first_reset():
    class Noting(Countdown):
        seeds = ()

        def reset(self, seed=None, options=None):
            self.seeds += (seed,)
            return super().reset(seed, options)

    zoo = Noting()
    env = PettingZooEnvironment([zoo], "noting", [7])
    env.reset()
    env.reset()
    assert zoo.seeds == (7, None)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("pistonbal_v6", ["no module pistonbal_v6", "Did you mean pettingzoo.butterfly.pistonball_v6?"]),
        ("pettingzoo.clasic.tictactoe_v3", ["no module", "pettingzoo.classic.tictactoe_v3"]),
        ("nowhere_to_be_found", ["no module nowhere_to_be_found"]),
        ("zoo_games", ["`parallel_env` or `env`", "zoo_games"]),
    ],
)
def test_modules_that_do_not_do(module, words):
    with pytest.raises(UnityEnvironmentException) as caught:
        make_pettingzoo(module)
    for word in words:
        assert word in str(caught.value)


def test_a_module_that_lacks_a_library_is_told_with_the_extra_that_has_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(UnityEnvironmentException, match=r"pygame.*pip install 'pettingzoo\[classic\]'"):
        make_pettingzoo("tictactoe_v3")


def test_num_areas_is_checked():
    with pytest.raises(ValueError, match="at least 1; got 0"):
        make_pettingzoo("nim_v1", num_areas=0)


def test_modules_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "my_own_game.py").write_text("from zoo_games import Countdown as parallel_env\n")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    assert list(make_pettingzoo("my_own_game").behavior_specs) == ["my_own_game?team=0"]
