"""Demonstrations made of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, ObservationSpec
from mlagents_envs.base_env import DimensionProperty as Axis
from mlagents_envs.base_env import ObservationType as Kind
from mlagents_envs.demonstrations import (
    Demonstration,
    DemonstrationError,
    Episode,
    load_demonstration,
    save_demonstration,
)
from mlagents_envs.demonstrations.editing import cut, filter_rewards, merge, split


def sensors(*names: str) -> BehaviorSpec:
    return BehaviorSpec([ObservationSpec((2,), (Axis.NONE,), Kind.DEFAULT, n) for n in names], ActionSpec(1, (3, 2)))


SPEC = sensors("eye")


def episode(first: int, length: int, *, terminated=True, truncated=False, group=0.0) -> Episode:
    """Observations count from `first`; each decision earns 1."""
    column = np.arange(first, first + length + 1, dtype=np.float32)
    forbidden = np.zeros((length, 3), np.bool_)
    forbidden[0, 1] = True
    return Episode(
        obs=[np.stack([column, -column], axis=1)],
        action=ActionTuple(column[:-1, None] / 100, np.zeros((length, 2), np.int32)),
        action_mask=[forbidden, np.zeros((length, 2), np.bool_)],
        first_reward=0.25,
        reward=np.ones(length, np.float32),
        group_reward=np.full(length, group, np.float32),
        terminated=terminated,
        truncated=truncated,
    )


def demonstration(*episodes: Episode, spec=SPEC) -> Demonstration:
    return Demonstration("made", "Walker?team=0", spec, episodes)


def assert_equal(one: Episode, other: Episode) -> None:
    np.testing.assert_array_equal(one.obs[0], other.obs[0])
    np.testing.assert_array_equal(one.action.continuous, other.action.continuous)
    np.testing.assert_array_equal(one.action.discrete, other.action.discrete)
    for a, b in zip(one.action_mask or (), other.action_mask or (), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(one.reward, other.reward)
    np.testing.assert_array_equal(one.group_reward, other.group_reward)
    assert (one.first_reward, one.terminated, one.truncated) == (
        other.first_reward,
        other.terminated,
        other.truncated,
    )


def test_what_is_saved_is_loaded_again(tmp_path):
    episodes = (
        episode(0, 3),
        episode(10, 1, terminated=False, truncated=True, group=0.5),
        episode(20, 4, terminated=False),
    )
    save_demonstration(demonstration(*episodes), tmp_path / "made.demo")
    again = load_demonstration(tmp_path / "made.demo")
    assert again.spec == SPEC
    for one, other in zip(again.episodes, episodes, strict=True):
        assert_equal(one, other)


def test_an_unfinished_episode_that_others_follow_becomes_a_truncated_one(tmp_path):
    save_demonstration(demonstration(episode(0, 3, terminated=False), episode(9, 2)), tmp_path / "made.demo")
    first, second = load_demonstration(tmp_path / "made.demo").episodes
    assert (len(first), first.terminated, first.truncated) == (3, False, True)
    np.testing.assert_array_equal(first.obs[0][:, 0], [0, 1, 2, 3])
    assert_equal(second, episode(9, 2))


def test_a_behavior_without_a_team_is_read_as_it_was_written(tmp_path):
    """In Unity's files of 2019, which have no teams, ends are decisions; in ours they are not."""
    made = Demonstration("made", "Walker", SPEC, (episode(0, 2), episode(9, 2)))
    save_demonstration(made, tmp_path / "made.demo")
    for one, other in zip(load_demonstration(tmp_path / "made.demo").episodes, made.episodes, strict=True):
        assert_equal(one, other)


def test_images_stay_what_they_are(tmp_path):
    spec = BehaviorSpec(
        [ObservationSpec((3, 4, 5), (Axis.NONE, *2 * (Axis.TRANSLATIONAL_EQUIVARIANCE,)), Kind.DEFAULT, "camera")],
        ActionSpec(1, ()),
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 4, 5)).astype(np.float32) / 255
    made = Episode(
        [images], ActionTuple(np.zeros((2, 1), np.float32)), None, 0.0, *2 * (np.zeros(2, np.float32),), True, False
    )
    save_demonstration(demonstration(made, spec=spec), tmp_path / "made.demo")
    again = load_demonstration(tmp_path / "made.demo")
    np.testing.assert_array_equal(again.episodes[0].obs[0], images)
    assert again.episodes[0].action_mask is None


def test_merging_puts_observations_in_the_order_of_the_first():
    both = sensors("eye", "ear")
    one = episode(0, 2)
    left = Demonstration("left", "A?team=0", both, (_two(one),))
    right = Demonstration("right", "B?team=0", sensors("ear", "eye"), (_two(one, flipped=True),))
    merged = merge([left, right])
    assert (merged.behavior, len(merged.episodes)) == ("A?team=0", 2)
    for made in merged.episodes:
        np.testing.assert_array_equal(made.obs[0], one.obs[0])
        np.testing.assert_array_equal(made.obs[1], 7 * one.obs[0])
    with pytest.raises(DemonstrationError, match=r"'made' .* does not fit behavior 'A"):
        merge([left, demonstration(one)])


def _two(one: Episode, *, flipped=False) -> Episode:
    obs = [one.obs[0], 7 * one.obs[0]]
    return replace(one, obs=obs[::-1] if flipped else obs)


def test_cutting_by_episodes_and_decisions():
    made = demonstration(*(episode(10 * i, 3) for i in range(4)))
    assert [part.obs[0][0, 0] for part in cut(made, 2, 3).episodes] == [10, 20]
    first, second = cut(made, first=3, decisions=4).episodes
    assert_equal(first, episode(20, 3))
    assert (len(second), second.is_whole) == (1, False)
    np.testing.assert_array_equal(second.obs[0][:, 0], [30, 31])
    np.testing.assert_array_equal(second.action.continuous, [[np.float32(0.3)]])
    assert cut(made, first=5).episodes == ()


def test_filtering_and_splitting():
    made = demonstration(episode(0, 3), episode(10, 1), episode(20, 2))
    assert [len(part) for part in filter_rewards(made, 2.25).episodes] == [3, 2]  # 2 and 0.25 from before
    assert [[len(part) for part in piece.episodes] for piece in split(made, 2)] == [[3, 1], [2]]
