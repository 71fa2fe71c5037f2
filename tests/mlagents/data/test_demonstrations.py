"""Demonstrations as rows to learn from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mlagents.data.demonstrations import load_demonstrations
from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, ObservationSpec
from mlagents_envs.base_env import DimensionProperty as Axis
from mlagents_envs.base_env import ObservationType as Kind
from mlagents_envs.demonstrations import Demonstration, DemonstrationError, Episode, save_demonstration
from mlagents_envs.registry import default_registry

IMAGE_AXES = (Axis.NONE, Axis.TRANSLATIONAL_EQUIVARIANCE, Axis.TRANSLATIONAL_EQUIVARIANCE)
EYE = ObservationSpec((1, 2, 2), IMAGE_AXES, Kind.DEFAULT, "eye")
NOSE = ObservationSpec((3,), (Axis.NONE,), Kind.DEFAULT, "nose")
ACTION = ActionSpec(1, (3, 2))
SPEC = BehaviorSpec([EYE, NOSE], ACTION)


def episode(first: int, length: int, *, level=None, terminated=False, truncated=False, group=0.0) -> Episode:
    """Observation t holds first + t; an image is uniform, of that many 255ths unless told otherwise."""
    numbers = np.arange(first, first + length + 1, dtype=np.float32)
    images = (
        (numbers / np.float32(255))[:, None, None, None] if level is None else np.full((length + 1, 1, 1, 1), level)
    )
    forbidden = np.zeros((length, 3), np.bool_)
    forbidden[:, 1] = True
    return Episode(
        obs=[images.astype(np.float32).repeat(2, 2).repeat(2, 3), numbers[:, None].repeat(3, 1)],
        action=ActionTuple(numbers[:-1, None], np.tile(np.array([[2, 1]], np.int32), (length, 1))),
        action_mask=[forbidden, np.zeros((length, 2), np.bool_)],
        first_reward=0.0,
        reward=np.ones(length, np.float32),
        group_reward=np.full(length, group, np.float32),
        terminated=terminated,
        truncated=truncated,
    )


def save(path, *episodes, spec=SPEC) -> None:
    if spec.observation_specs[0] == NOSE:
        episodes = tuple(replace(one, obs=one.obs[::-1]) for one in episodes)
    save_demonstration(Demonstration("made", "Dog?team=0", spec, episodes), path)


def test_rows_of_several_files(tmp_path):
    """Two files, the second with its sensors in another order: episodes of 3, 2 and 4 decisions."""
    save(tmp_path / "a.demo", episode(0, 3, terminated=True), episode(10, 2, truncated=True, group=0.5))
    save(tmp_path / "b.demo", episode(20, 4), spec=BehaviorSpec([NOSE, EYE], ACTION))
    rows = load_demonstrations(tmp_path, SPEC, "Dog")
    numbers = [0, 1, 2, 10, 11, 20, 21, 22, 23]
    assert len(rows) == 9
    assert rows.observations[0].dtype == rows.final_observations[0].dtype == np.uint8
    np.testing.assert_array_equal(rows.observations[0][:, 0, 1, 1], numbers)
    np.testing.assert_array_equal(rows.observations[1], np.float32(numbers)[:, None].repeat(3, 1))
    np.testing.assert_array_equal(rows.final_observations[0][:, 0, 0, 0], [3, 12, 24])
    np.testing.assert_array_equal(rows.final_observations[1][:, 0], [3, 12, 24])
    np.testing.assert_array_equal(rows.continuous[:, 0], numbers)
    np.testing.assert_array_equal(rows.discrete, 9 * [[2, 1]])
    np.testing.assert_array_equal(rows.allowed, 9 * [[True, False, True, True, True]])
    np.testing.assert_array_equal(rows.reward, [1, 1, 1, 1.5, 1.5, 1, 1, 1, 1])
    np.testing.assert_array_equal(np.flatnonzero(rows.terminated), [2])
    np.testing.assert_array_equal(np.flatnonzero(rows.truncated), [4, 8])
    np.testing.assert_array_equal(rows.starts, [0, 3, 5])
    np.testing.assert_array_equal(rows.lengths, [3, 2, 4])
    assert rows.mean_reward == 3.0  # of the whole ones, 3 and 2 * 1.5
    assert [note.split(": ")[0] for note in rows.notes] == [str(tmp_path / "a.demo"), str(tmp_path / "b.demo")]


def test_sequences_do_not_cross_episodes(tmp_path):
    save(tmp_path / "a.demo", episode(0, 3, terminated=True), episode(10, 2, terminated=True), episode(20, 4))
    rows = load_demonstrations(tmp_path / "a.demo", SPEC, "Dog")
    starts, lengths = rows.sequences(2)
    np.testing.assert_array_equal(starts, [0, 2, 3, 5, 7])
    np.testing.assert_array_equal(lengths, [2, 1, 2, 2, 2])
    starts, lengths = rows.sequences(64)
    np.testing.assert_array_equal(starts, rows.starts)
    np.testing.assert_array_equal(lengths, rows.lengths)
    assert starts.dtype == lengths.dtype == np.int32


def test_images_that_bytes_cannot_hold_make_all_rows_floats(tmp_path):
    """Those of the final observations, too."""
    save(tmp_path / "a.demo", episode(0, 2, terminated=True), episode(5, 2, level=0.3))
    rows = load_demonstrations(tmp_path, SPEC, "Dog")
    assert rows.observations[0].dtype == rows.final_observations[0].dtype == np.float32
    np.testing.assert_allclose(rows.observations[0][:, 0, 0, 0], [0, 1 / 255, 0.3, 0.3], rtol=1e-6)
    np.testing.assert_allclose(rows.final_observations[0][:, 0, 0, 0], [2 / 255, 0.3], rtol=1e-6)


def test_a_choice_that_its_mask_forbids_is_taken_as_allowed_and_said(tmp_path):
    one = episode(0, 3, terminated=True)
    one.action.discrete[1, 0] = 1
    save(tmp_path / "a.demo", one)
    rows = load_demonstrations(tmp_path, SPEC, "Dog")
    np.testing.assert_array_equal(rows.allowed[:, 1], [False, True, False])
    assert rows.notes[-1].startswith("1 recorded choices are ones that their masks forbid")


def test_the_pairing_can_be_given(tmp_path):
    save(tmp_path / "a.demo", episode(0, 3, terminated=True))
    rows = load_demonstrations(tmp_path, SPEC, "Dog", "next")
    np.testing.assert_array_equal(rows.continuous[:, 0], [1, 2, 0])  # beside the end stands nothing


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (BehaviorSpec([EYE, NOSE], ActionSpec(2, (3, 2))), "its actions are .*Continuous: 1.* expected Continuous: 2"),
        (BehaviorSpec([EYE], ACTION), r"shapes \[\(1, 2, 2\) 'eye', \(3,\) 'nose'\]; expected \[\(1, 2, 2\) 'eye'\]"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_file(tmp_path, spec, message):
    save(tmp_path / "a.demo", episode(0, 3))
    with pytest.raises(DemonstrationError, match=rf"a\.demo: .*'Dog' *.*{message}"):
        load_demonstrations(tmp_path, spec, "Dog")


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.demo"):
        load_demonstrations(tmp_path / "none.demo", SPEC, "Dog")
    with pytest.raises(DemonstrationError, match=r"no \.demo file"):
        load_demonstrations(tmp_path, SPEC, "Dog")
    (tmp_path / "empty.demo").write_bytes(b"")
    with pytest.raises(DemonstrationError, match=r"empty\.demo: the file is empty"):
        load_demonstrations(tmp_path, SPEC, "Dog")


def test_unitys_food_collector(shared_data):
    """Actions one pair later than observations; three whole episodes of 1001 and one of 729."""
    vector, grid = (ObservationSpec((size,), (Axis.NONE,), Kind.DEFAULT, "") for size in (4, 49))
    spec = BehaviorSpec([vector, grid], ActionSpec(0, (3, 3, 3, 2)))
    rows = load_demonstrations(shared_data / "demos" / "ExpertFood.demo", spec, "FoodCollector")
    assert [column.shape for column in rows.observations] == [(3732, 4), (3732, 49)]
    np.testing.assert_array_equal(rows.lengths, [1001, 1001, 1001, 729])
    np.testing.assert_array_equal(rows.discrete[0], [1, 2, 1, 0])
    assert rows.allowed.shape == (3732, 11)
    assert rows.allowed.all()


@pytest.mark.parametrize(
    ("environment", "file"), [("PushBlock", "ExpertPush"), ("Hallway", "ExpertHallway"), ("Pyramids", "ExpertPyramid")]
)
def test_the_recordings_that_come_with_the_toolkit_fit_and_are_of_experts(environment, file):
    """And are as small as promised, and where `config/imitation` looks for them."""
    root = Path(__file__).resolve().parents[3]
    entry = default_registry[environment]
    with entry.make(num_areas=1) as env:
        ((behavior, spec),) = env.behavior_specs.items()
    rows = load_demonstrations(root / "demos" / f"{file}.demo", spec, behavior)
    assert rows.terminated.sum() + rows.truncated.sum() == len(rows.lengths) >= 4
    assert rows.mean_reward > entry.expected_reward
    assert (root / "demos" / f"{file}.demo").stat().st_size < 640_000
    assert f"demo_path: demos/{file}.demo" in (root / "config" / "imitation" / f"{environment}.yaml").read_text()
