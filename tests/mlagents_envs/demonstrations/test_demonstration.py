"""Demonstrations as episodes of arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, DecisionSteps, ObservationSpec, TerminalSteps
from mlagents_envs.base_env import DimensionProperty as Axis
from mlagents_envs.base_env import ObservationType as Kind
from mlagents_envs.demonstrations import (
    DemonstrationError,
    DemonstrationPathError,
    DemonstrationWriter,
    EpisodeRecorder,
    load_demonstration,
    read_recording,
)

SPEC = BehaviorSpec([ObservationSpec((2,), (Axis.NONE,), Kind.DEFAULT, "position")], ActionSpec(1, (3, 2)))


def decision(obs, reward=0.0, agent=0, forbidden=()) -> DecisionSteps:
    masks = [np.zeros((1, size), bool) for size in SPEC.action_spec.discrete_branches]
    for branch, choice in forbidden:
        masks[branch][0, choice] = True
    return DecisionSteps(
        [np.array([obs], np.float32)], np.array([reward], np.float32), np.array([agent], np.int32), masks
    )


def end(obs, reward=0.0, agent=0, interrupted=False) -> TerminalSteps:
    return TerminalSteps(
        [np.array([obs], np.float32)],
        np.array([reward], np.float32),
        np.array([interrupted]),
        np.array([agent], np.int32),
    )


def action(continuous, *discrete) -> ActionTuple:
    return ActionTuple(np.array([[continuous]], np.float32), np.array([discrete], np.int32))


@pytest.fixture
def two_episodes(tmp_path):
    """Agent 0: two decisions and an end; one decision and an interruption. Rewards 1, 2 and 4."""
    path = tmp_path / "two.demo"
    recorder = EpisodeRecorder(DemonstrationWriter(path, "Walker?team=1", SPEC))
    recorder.record_decisions(decision([1, 2]), action(0.5, 2, 1))
    recorder.record_decisions(decision([3, 4], 1.0, forbidden=[(0, 1), (1, 0)]), action(-0.5, 0, 1))
    recorder.record_ends(end([5, 6], 2.0))
    recorder.record_decisions(decision([7, 8]), action(1.5, 1, 0))
    recorder.record_ends(end([9, 10], 4.0, interrupted=True))
    recorder.close()
    return path


def test_rows_of_an_episode(two_episodes):
    demonstration = load_demonstration(two_episodes)
    assert demonstration.name == "two"
    assert demonstration.behavior == "Walker?team=1"
    assert demonstration.spec == SPEC
    first, second = demonstration.episodes
    np.testing.assert_array_equal(first.obs[0], [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(first.action.continuous, [[0.5], [-0.5]])
    np.testing.assert_array_equal(first.action.discrete, [[2, 1], [0, 1]])
    assert first.action_mask is not None
    np.testing.assert_array_equal(first.action_mask[0], [[False, False, False], [False, True, False]])
    np.testing.assert_array_equal(first.action_mask[1], [[False, False], [True, False]])
    np.testing.assert_array_equal(first.reward, [1.0, 2.0])
    assert (len(first), first.terminated, first.truncated) == (2, True, False)
    np.testing.assert_array_equal(second.obs[0], [[7, 8], [9, 10]])
    np.testing.assert_array_equal(second.action.continuous, [[1.5]])
    np.testing.assert_array_equal(second.reward, [4.0])
    assert (len(second), second.terminated, second.truncated) == (1, False, True)
    assert demonstration.decisions == 3
    assert demonstration.mean_reward == pytest.approx((3.0 + 4.0) / 2)


def test_meta_data_count_as_unity_does(two_episodes):
    meta = read_recording(two_episodes).meta
    assert meta.number_steps == 5
    assert meta.number_episodes == 3  # two ends, and the closing of the file
    assert meta.mean_reward == pytest.approx(7.0 / 3)


def test_reward_from_before_the_first_decision_counts(tmp_path):
    recorder = EpisodeRecorder(DemonstrationWriter(tmp_path / "idle.demo", "Walker?team=0", SPEC))
    recorder.record_decisions(decision([0, 0], 0.5), action(0, 0, 0))
    recorder.record_ends(end([0, 0], 1.0))
    recorder.close()
    (episode,) = load_demonstration(tmp_path / "idle.demo").episodes
    assert episode.first_reward == 0.5
    np.testing.assert_array_equal(episode.reward, [1.0])
    assert episode.total_reward == 1.5


def test_agents_side_by_side_are_told_apart(tmp_path):
    """Agent 0: 10, 11, end; agent 1: 20, 21, 22, not ended; agent 2 has decided once."""
    path = tmp_path / "many.demo"
    recorder = EpisodeRecorder(DemonstrationWriter(path, "Walker?team=0", SPEC))
    for step in range(2):
        for agent in (0, 1):
            recorder.record_decisions(decision([10 * (agent + 1) + step, 0], 1.0, agent), action(agent, 0, 0))
    recorder.record_ends(end([12, 0], 1.0, agent=0))
    recorder.record_decisions(decision([22, 0], 1.0, agent=1), action(1, 0, 0))
    recorder.record_decisions(decision([30, 0], 1.0, agent=2), action(2, 0, 0))
    recorder.close()
    first, second = load_demonstration(path).episodes
    np.testing.assert_array_equal(first.obs[0][:, 0], [10, 11, 12])
    assert first.is_whole
    np.testing.assert_array_equal(second.obs[0][:, 0], [20, 21, 22])
    assert not second.is_whole
    np.testing.assert_array_equal(second.action.continuous, [[1.0], [1.0]])  # of the third nothing came


def test_an_end_without_a_decision_is_left_out(tmp_path, two_episodes):
    recorder = EpisodeRecorder(DemonstrationWriter(tmp_path / "end.demo", "Walker?team=0", SPEC))
    recorder.record_ends(end([0, 0]))
    recorder.close()
    assert read_recording(tmp_path / "end.demo").pairs == []
    with pytest.raises(DemonstrationError, match=r"end\.demo: the file has 0 pairs"):
        load_demonstration(tmp_path / "end.demo")


@given(
    episodes=st.lists(
        st.tuples(st.integers(0, 2), st.lists(st.floats(-10, 10, width=32), min_size=1, max_size=4), st.booleans()),
        min_size=1,
        max_size=6,
    )
)
def test_any_episodes_are_read_as_they_were_recorded(tmp_path_factory, episodes):
    """Each (agent, the reward of every decision, whether it was interrupted); observations are the reward so far."""
    path = tmp_path_factory.mktemp("demo") / "any.demo"
    recorder = EpisodeRecorder(DemonstrationWriter(path, "Walker?team=0", SPEC))
    for agent, rewards, interrupted in episodes:
        for step, reward in enumerate([0.0, *rewards[:-1]]):
            recorder.record_decisions(decision([step, reward], reward, agent), action(reward, agent, 1))
        recorder.record_ends(end([-1, 0], rewards[-1], agent, interrupted))
    recorder.close()
    read = load_demonstration(path).episodes
    assert len(read) == len(episodes)
    for episode, (agent, rewards, interrupted) in zip(read, episodes, strict=True):
        np.testing.assert_array_equal(episode.reward, rewards)
        np.testing.assert_array_equal(episode.obs[0][:-1, 1], [0.0, *rewards[:-1]])
        np.testing.assert_array_equal(episode.action.continuous[:, 0], [0.0, *rewards[:-1]])
        np.testing.assert_array_equal(episode.action.discrete[:, 0], agent)
        assert (episode.terminated, episode.truncated) == (not interrupted, interrupted)


def test_a_folder_is_all_its_files(two_episodes):
    (two_episodes.parent / "a.demo").write_bytes(two_episodes.read_bytes())
    (two_episodes.parent / "readme.txt").write_text("no demonstration")
    demonstration = load_demonstration(two_episodes.parent)
    assert len(demonstration.episodes) == 4
    assert demonstration.name == two_episodes.parent.name


def test_an_empty_folder(tmp_path):
    with pytest.raises(DemonstrationPathError, match=r"no \.demo file"):
        load_demonstration(tmp_path)


def other_spec(shape=(2,), spec=SPEC.action_spec) -> BehaviorSpec:
    return BehaviorSpec([ObservationSpec(shape, (Axis.NONE,), Kind.DEFAULT, "other name")], spec)


def test_files_of_other_behaviors_in_one_folder_are_refused(two_episodes):
    spec = other_spec((3,))
    with DemonstrationWriter(two_episodes.parent / "wide.demo", "Walker?team=0", spec) as writer:
        obs = [np.zeros((1, 3), np.float32)]
        row = DecisionSteps(obs, np.zeros(1, np.float32), np.zeros(1, np.int32), None)
        writer.write(2 * writer.decisions(row, action(0, 0, 0)), 0.0, ended=False)
    with pytest.raises(DemonstrationError, match=r"wide\.demo: another demonstration than two\.demo .*\(3,\)"):
        load_demonstration(two_episodes.parent)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (other_spec((3,)), r"shapes \[\(2,\) 'position'\]; expected \[\(3,\) 'other name'\]"),
        (other_spec(spec=ActionSpec(2, (3, 2))), "Continuous: 1, Discrete: .* expected Continuous: 2"),
    ],
)
def test_a_demonstration_for_another_behavior_is_refused(two_episodes, spec, message):
    demonstration = load_demonstration(two_episodes)
    assert demonstration.fit_to(other_spec(), "Walker") is demonstration
    with pytest.raises(DemonstrationError, match=message) as error:
        demonstration.fit_to(spec, "Runner")
    assert "'two'" in str(error.value)
    assert "'Runner'" in str(error.value)


def test_numbers_that_cannot_be_are_refused_with_the_file(tmp_path):
    with DemonstrationWriter(tmp_path / "nan.demo", "Walker?team=0", SPEC) as writer:
        writer.write(2 * writer.decisions(decision([np.nan, 0]), action(0, 0, 0)), 0.0, ended=False)
    with pytest.raises(DemonstrationError, match=r"nan\.demo: .*NaN"):
        load_demonstration(tmp_path / "nan.demo")


def image_spec(*shape) -> BehaviorSpec:
    axes = (Axis.NONE, Axis.TRANSLATIONAL_EQUIVARIANCE, Axis.TRANSLATIONAL_EQUIVARIANCE)
    return BehaviorSpec([ObservationSpec(shape, axes, Kind.DEFAULT, "camera")], ActionSpec(1, ()))


def recorded(path, images, **options):
    """Write one agent's decisions and its end, each with an image, and read them: `Recording`, and [n, *shape]."""
    *decided, last = images
    spec, numbers = image_spec(*last.shape), (np.zeros(1, np.float32), np.zeros(1, np.int32))
    with DemonstrationWriter(path, "Looker?team=0", spec, **options) as writer:
        pairs = [
            *(writer.decisions(DecisionSteps([image[None]], *numbers, None), action(0))[0] for image in decided),
            *writer.ends(TerminalSteps([last[None]], numbers[0], np.zeros(1, bool), numbers[1])),
        ]
        writer.write(pairs, 0.0, ended=True)
    demonstration = load_demonstration(path)
    assert demonstration.spec.observation_specs == spec.observation_specs
    return read_recording(path), demonstration.episodes[0].obs[0]


def is_png(recording) -> list[bool]:
    return [pair.agent_info.observations[0].compressed_data.startswith(b"\x89PNG") for pair in recording.pairs]


@pytest.mark.parametrize("channels", [*range(1, 8), 12])
def test_images_of_bytes_are_compressed_and_come_back_the_same(tmp_path, channels):
    """Twelve channels are a stack of four pictures. Of one channel, readers take the mean of three, which rounds."""
    levels = np.random.default_rng(channels).integers(0, 256, (3, channels, 40, 1)).repeat(30, axis=3)
    images = (levels / np.float32(255)).astype(np.float32)
    compressed, seen = recorded(tmp_path / "png.demo", images)
    raw, seen_raw = recorded(tmp_path / "raw.demo", images, png=False)
    assert (is_png(compressed), is_png(raw)) == ([True] * 3, [False] * 3)
    np.testing.assert_array_equal(seen_raw, images)
    np.testing.assert_array_equal(seen, images)
    assert 10 * (tmp_path / "png.demo").stat().st_size < (tmp_path / "raw.demo").stat().st_size


@pytest.mark.parametrize("odd", [0.3, -1.0, 2.0, 1e38, 1.0000001, 254.5 / 255])
def test_other_images_are_written_as_floats(tmp_path, odd):
    """In the same file as those that are bytes."""
    images = np.zeros((3, 3, 6, 4), np.float32)
    images[1, 2, 5, 3] = odd
    images[2] = 1.0
    recording, seen = recorded(tmp_path / "some.demo", images)
    assert is_png(recording) == [True, False, True]
    np.testing.assert_array_equal(seen, images)


def test_images_wider_than_readers_take_are_written_as_floats(tmp_path):
    recording, seen = recorded(tmp_path / "wide.demo", np.zeros((2, 3, 1, 9000), np.float32))
    assert is_png(recording) == [False, False]
    np.testing.assert_array_equal(seen, np.zeros((2, 3, 1, 9000)))


def test_unitys_expert_of_basic_walks_seven_steps_for_093(shared_data):
    """Ten whole episodes; in files this old the observation of an end is the first of the next episode."""
    demonstration = load_demonstration(shared_data / "demos" / "ExpertBasic.demo")
    *whole, rest = demonstration.episodes
    assert [len(episode) for episode in whole] == 10 * [7]
    assert not rest.is_whole
    for episode in whole:
        assert episode.total_reward == pytest.approx(0.93)
        np.testing.assert_array_equal(episode.action.discrete[:, 0], 2)
        np.testing.assert_array_equal(episode.obs[0].argmax(1), [10, 11, 12, 13, 14, 15, 16, 10])


def test_unitys_expert_of_3dball_is_one_unfinished_episode(shared_data):
    demonstration = load_demonstration(shared_data / "demos" / "Expert3DBall.demo")
    (episode,) = demonstration.episodes
    assert (len(episode), episode.is_whole) == (548, False)
    assert episode.action.continuous.shape == (548, 2)
    assert demonstration.mean_reward == pytest.approx(54.8)


def test_unitys_expert_of_pyramids(shared_data):
    """Twelve ends, as many pairs as the file says; each whole episode earned the 2 of the goal at its end."""
    demonstration = load_demonstration(shared_data / "demos" / "ExpertPyramid.demo")
    whole = [episode for episode in demonstration.episodes if episode.is_whole]
    assert (len(whole), demonstration.decisions) == (12, 1983)
    np.testing.assert_allclose([episode.reward[-1] for episode in whole], 2.0, atol=1e-3)
    assert demonstration.spec.action_spec == ActionSpec(0, (5,))
