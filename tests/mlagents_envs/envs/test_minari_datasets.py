"""Demonstrations as Minari datasets and back."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, ObservationSpec
from mlagents_envs.base_env import DimensionProperty as Axis
from mlagents_envs.base_env import ObservationType as Kind
from mlagents_envs.demonstrations import Demonstration, DemonstrationError, Episode, load_demonstration

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")
spaces = pytest.importorskip("gymnasium").spaces

from mlagents_envs.foreign.minari_datasets import from_minari, to_minari  # noqa: E402

EVEN = Axis.TRANSLATIONAL_EQUIVARIANCE
CAMERA = ObservationSpec((3, 20, 24), (Axis.NONE, EVEN, EVEN), Kind.DEFAULT, "camera")
NOSE = ObservationSpec((3,), (Axis.NONE,), Kind.DEFAULT, "nose")


@pytest.fixture(autouse=True)
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))


def demonstration(action: ActionSpec, *, scale=1.0) -> Demonstration:
    rng = np.random.default_rng(0)
    episodes = []
    for length, terminated in ((3, True), (2, False), (1, False)):
        masks = [rng.random((length, size)) < 0.3 for size in action.discrete_branches] or None
        episodes.append(
            Episode(
                obs=[
                    rng.integers(0, 256, (length + 1, *CAMERA.shape)).astype(np.float32) / 255,
                    rng.standard_normal((length + 1, 3)).astype(np.float32),
                ],
                action=ActionTuple(
                    scale * rng.uniform(-1, 1, (length, action.continuous_size)).astype(np.float32),
                    rng.integers(0, 2, (length, action.discrete_size)).astype(np.int32),
                ),
                action_mask=masks,
                first_reward=0.5,
                reward=np.arange(length, dtype=np.float32),
                group_reward=np.full(length, 0.25, np.float32),
                terminated=terminated,
                truncated=False,
            )
        )
    return Demonstration("made", "Dog?team=0", BehaviorSpec([CAMERA, NOSE], action), tuple(episodes))


@pytest.mark.parametrize(
    ("action", "scale", "space"),
    [
        (ActionSpec(2, ()), 1.0, spaces.Box(-1.0, 1.0, (2,), np.float32)),
        (ActionSpec(2, ()), 5.0, spaces.Box(-np.inf, np.inf, (2,), np.float32)),
        (ActionSpec(0, (3,)), 1.0, spaces.Discrete(3)),
        (ActionSpec(0, (3, 2)), 1.0, spaces.MultiDiscrete([3, 2])),
        (ActionSpec(1, (3,)), 1.0, spaces.Tuple((spaces.Box(-1.0, 1.0, (1,), np.float32), spaces.Discrete(3)))),
    ],
)
def test_there_and_back(tmp_path, action, scale, space):
    made = demonstration(action, scale=scale)
    dataset = to_minari(made, "dog/made-v0")
    assert dataset.action_space == space
    assert dataset.observation_space["camera"] == spaces.Box(0, 255, (20, 24, 3), np.uint8)
    assert from_minari("dog/made-v0", tmp_path / "back.demo", "Dog") == 3
    back = load_demonstration(tmp_path / "back.demo")
    assert back.behavior == "Dog?team=0"
    assert back.spec == made.spec
    for one, other in zip(back.episodes, made.episodes, strict=True):
        np.testing.assert_array_equal(one.obs[0], other.obs[0])
        np.testing.assert_array_equal(one.obs[1], other.obs[1])
        np.testing.assert_array_equal(one.action.continuous, other.action.continuous)
        np.testing.assert_array_equal(one.action.discrete, other.action.discrete)
        for a, b in zip(one.action_mask or (), other.action_mask or (), strict=True):
            np.testing.assert_array_equal(a, b)
        assert one.total_reward == other.total_reward + other.group_reward.sum()
        assert (one.terminated, one.truncated) == (other.terminated, not other.terminated)


def test_the_dataset_is_what_minari_users_expect():
    """Lengths, rewards and ends as Gymnasium gives them."""
    made = demonstration(ActionSpec(0, (3,)))
    to_minari(made, "dog/made-v0")
    first, second, _ = minari.load_dataset("dog/made-v0").iterate_episodes()
    assert first.observations["nose"].shape == (4, 3)
    assert first.actions.shape == (3,)
    np.testing.assert_allclose(first.rewards, [0.75, 1.25, 2.25])
    np.testing.assert_array_equal(first.terminations, [False, False, True])
    np.testing.assert_array_equal(second.truncations, [False, True])
    assert first.infos["action_mask"].shape == (4, 3)


def test_bounds_of_a_box_become_the_policys(tmp_path):
    """From 0 to 10, as Gymnasium environments have: 0 is -1, 7.5 is 0.5."""
    buffer = minari.data_collector.EpisodeBuffer(
        id=0,
        observations=np.zeros((3, 2), np.float32),
        actions=np.float32([[0.0], [7.5]]),
        rewards=[1.0, 2.0],
        terminations=[False, True],
        truncations=[False, False],
    )
    with pytest.warns(UserWarning, match="."):
        minari.create_dataset_from_buffers(
            "box/test-v0",
            [buffer],
            observation_space=spaces.Box(-1, 1, (2,), np.float32),
            action_space=spaces.Box(0, 10, (1,), np.float32),
        )
    from_minari("box/test-v0", tmp_path / "box.demo", "Box")
    (episode,) = load_demonstration(tmp_path / "box.demo").episodes
    np.testing.assert_allclose(episode.action.continuous, [[-1.0], [0.5]])
    assert (episode.terminated, episode.total_reward) == (True, 3.0)


def test_names_that_are_no_datasets(tmp_path):
    with pytest.raises(DemonstrationError, match=r"no dataset 'dog/none-v0' here.*minari download dog/none-v0"):
        from_minari("dog/none-v0", tmp_path / "none.demo", "Dog")
    assert not (tmp_path / "none.demo").exists()
    with pytest.raises(DemonstrationError, match="Minari does not take the demonstration as 'a dog'"):
        to_minari(demonstration(ActionSpec(0, (3,))), "a dog")
