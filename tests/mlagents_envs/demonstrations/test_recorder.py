"""Recording an environment while it is played."""

from __future__ import annotations

import socket
import threading

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import RecordedEnv, load_demonstration, read_recording
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.registry import default_registry
from mlagents_envs.serve import serve
from mlagents_envs.testing import check_env

NAME = "Basic?team=0"
RIGHT = 2


def play(env, steps: int) -> None:
    env.reset()
    for _ in range(steps):
        waiting = len(env.get_steps(NAME)[0])
        env.set_actions(NAME, ActionTuple(discrete=np.full((waiting, 1), RIGHT)))
        env.step()


def test_walking_to_the_goal(tmp_path):
    """Two areas, seven steps to the goal at 0.93: after 16 steps two episodes each, and two steps of the next."""
    env = RecordedEnv(default_registry["Basic"].make(num_areas=2), tmp_path / "walk.demo")
    play(env, 16)
    env.close()
    assert env.paths == [tmp_path / "walk.demo"]
    *whole, rest = load_demonstration(tmp_path / "walk.demo").episodes
    assert [len(episode) for episode in whole] == 4 * [7]
    for episode in whole:
        assert episode.total_reward == pytest.approx(0.93)
        np.testing.assert_array_equal(episode.obs[0].argmax(1), [10, 11, 12, 13, 14, 15, 16, 17])
        np.testing.assert_array_equal(episode.action.discrete, 7 * [[RIGHT]])
    assert (len(rest), rest.is_whole) == (1, False)


def test_actions_that_were_not_set_are_zeros_and_single_agents_count(tmp_path):
    env = RecordedEnv(default_registry["Basic"].make(num_areas=1), tmp_path / "walk.demo")
    env.reset()
    env.step()
    env.set_action_for_agent(NAME, 0, ActionTuple(discrete=np.array([[1]])))
    env.step()
    env.step()
    env.close()
    (episode,) = load_demonstration(tmp_path / "walk.demo").episodes
    np.testing.assert_array_equal(episode.action.discrete[:, 0], [0, 1])


def test_what_a_reset_cuts_is_not_recorded(tmp_path):
    env = RecordedEnv(default_registry["Basic"].make(num_areas=1), tmp_path / "walk.demo")
    play(env, 3)
    play(env, 7)
    env.close()
    (episode,) = load_demonstration(tmp_path / "walk.demo").episodes
    assert (len(episode), episode.is_whole) == (7, True)


def test_a_recorded_environment_is_one_still(tmp_path):
    check_env(lambda: RecordedEnv(default_registry["Basic"].make(), tmp_path / "walk.demo"), deterministic=True)


def test_pictures_are_compressed_unless_that_is_not_wanted(tmp_path):
    sizes = []
    for png in (True, False):
        env = RecordedEnv(default_registry["GridWorld"].make(num_areas=1), tmp_path / f"{png}.demo", png=png)
        env.reset()
        shown = []
        for _ in range(4):
            shown.append(env.get_steps("GridWorld?team=0")[0].obs[0][0])
            env.step()
        env.close()
        (path,) = env.paths
        (episode,) = load_demonstration(path).episodes
        np.testing.assert_array_equal(episode.obs[0], shown)
        sizes.append(path.stat().st_size)
    assert 50 * sizes[0] < sizes[1]


def test_without_a_decision_there_is_no_file(tmp_path):
    env = RecordedEnv(default_registry["Basic"].make(), tmp_path / "walk.demo")
    env.reset()
    env.close()
    assert env.paths == []
    assert list(tmp_path.iterdir()) == []


def test_over_the_wire_the_same_is_recorded(tmp_path):
    """A player in another thread, and the same environment here: both files hold the same play."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    make = default_registry["Basic"].make
    player = threading.Thread(
        target=lambda: serve(lambda seed, num_areas, side_channels: make(num_areas=2), port), daemon=True
    )
    player.start()
    far, near = tmp_path / "far.demo", tmp_path / "near.demo"
    for env in (RecordedEnv(UnityEnvironment(base_port=port), far), RecordedEnv(make(num_areas=2), near)):
        play(env, 16)
        env.close()
    player.join(20)
    assert read_recording(far).stated_pairing == read_recording(near).stated_pairing == "same"
    one, other = load_demonstration(far), load_demonstration(near)
    assert one.spec == other.spec
    assert [len(episode) for episode in one.episodes] == [len(episode) for episode in other.episodes] == [*4 * [7], 1]
    for left, right in zip(one.episodes, other.episodes, strict=True):
        np.testing.assert_array_equal(left.obs[0], right.obs[0])
        np.testing.assert_array_equal(left.action.discrete, right.action.discrete)
        np.testing.assert_array_equal(left.reward, right.reward)
