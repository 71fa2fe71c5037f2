"""What a stopped run had begun: written, read, and refused when it does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.artifacts import continuation
from mlagents.artifacts.continuation import read_begun, write_begun
from mlagents.settings import RunSettings

BEGUN = {
    "rng": np.random.default_rng(3).bit_generator.state,
    "behaviors": {"A/b": {"columns": [np.arange(3, dtype=np.int32), np.zeros((0, 2), np.float32)], "used": 3}},
    "mask": np.array([True, False]),
    "nothing": None,
}
SETTINGS = RunSettings.model_validate({"behaviors": {"A/b": {"trainer_type": "ppo"}}})


def changed(**sections):
    return RunSettings.model_validate(SETTINGS.model_dump() | sections)


def assert_same(one, other):
    if isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            assert_same(a, b)
    else:
        assert one == other


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "begun.safetensors"
    write_begun(path, BEGUN, {"A/b": 10}, SETTINGS)
    return path


def test_it_comes_back_as_it_was(path):
    assert_same(read_begun(path, {"A/b": 10}, SETTINGS), BEGUN)


def test_what_may_change_between_stop_and_resume(path):
    longer = {"A/b": {"trainer_type": "ppo", "max_steps": 10**7, "summary_freq": 7, "keep_checkpoints": 1}}
    assert read_begun(path, {"A/b": 10}, changed(behaviors=longer)) is not None
    assert read_begun(path, {"A/b": 10}, changed(checkpoint_settings={"resume": True})) is not None


@pytest.mark.parametrize(
    "sections",
    [
        {"behaviors": {"A/b": {"trainer_type": "ppo", "time_horizon": 5}}},
        {"env_settings": {"num_areas": 3}},
        {"environment_parameters": {"mass": 3}},
    ],
)
def test_other_settings_begin_new_episodes(path, sections):
    assert read_begun(path, {"A/b": 10}, changed(**sections)) is None


def test_another_checkpoint_begins_new_episodes(path):
    assert read_begun(path, {"A/b": 11}, SETTINGS) is None


def test_a_damaged_file_is_said_and_left_out(path, caplog):
    path.write_bytes(path.read_bytes()[:-5])
    assert read_begun(path, {"A/b": 10}, SETTINGS) is None
    assert "cannot be read" in caplog.text


def test_nothing_or_too_much_removes_an_older_file(path, monkeypatch):
    write_begun(path, None, {"A/b": 11}, SETTINGS)
    assert not path.exists()
    write_begun(path, BEGUN, {"A/b": 11}, SETTINGS)
    monkeypatch.setattr(continuation, "LARGEST_BYTES", 5)
    write_begun(path, BEGUN, {"A/b": 12}, SETTINGS)
    assert read_begun(path, {"A/b": 12}, SETTINGS) is None


def test_a_disk_that_is_full_does_not_keep_the_run_from_its_end(tmp_path, caplog):
    (tmp_path / "run").write_text("in the way")
    write_begun(tmp_path / "run" / "begun.safetensors", BEGUN, {"A/b": 10}, SETTINGS)
    assert "could not be written" in caplog.text
