"""`mlagents.train`: a run beside the program, and what its handle tells."""

from __future__ import annotations

import json
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import mlagents
from mlagents.artifacts.checkpoints import CheckpointError
from mlagents.background import TrainingError
from mlagents.background.history import STEP, WALL_S, History
from mlagents.rollout.source import UnknownEnvironment
from mlagents.settings import SettingsError
from mlagents.stats.clock import read_clock
from mlagents.stats.summary import Aggregation, summarize
from mlagents_envs.registry import default_registry
from toys.contest import Race
from toys.contest_file import _Entry

REWARD = "Environment/Cumulative Reward"
CONFIG = {
    "behaviors": {
        "Basic": {
            "trainer_type": "ppo",
            "hyperparameters": {"batch_size": 32, "buffer_size": 256, "learning_rate": 1.0e-3},
            "network_settings": {"hidden_units": 20, "num_layers": 1},
            "max_steps": 100_000_000,
            "time_horizon": 3,
            "summary_freq": 200,
        }
    }
}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def until(condition, what):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def handlers():
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("where", ["thread", "process"])
def test_a_run_is_watched_stopped_and_loaded(here, where):
    before = handlers()
    with mlagents.train(CONFIG, env="Basic", run_id="r", seed=1, where=where) as training:
        assert handlers() == before
        assert training.running
        until(lambda: len(training.statistics()[STEP]) >= 3, "three summaries")
        told = training.progress["Basic"]
        assert told.step > 0
        assert told.max_steps == 100_000_000
        assert told.reward is not None
        assert repr(training).startswith("Training('r', running; Basic: step ")
        training.stop()
        assert not training.running
    statistics = training.statistics("Basic")
    assert statistics[STEP][:3].tolist() == [200, 400, 600]
    assert (np.diff(statistics[WALL_S]) >= 0).all()
    assert statistics[REWARD].shape == statistics[STEP].shape
    assert statistics[REWARD].dtype == np.float64
    assert (here / "models/r/training_status.json").exists()
    timers = json.loads((here / "summaries/r_timers.json").read_text())
    assert timers["metadata"]["bound_by"] in ("environment", "acting", "learning")
    assert sum(timers["gauges"][f"time.{n}"]["value"] for n in ("environment", "acting", "learning", "saving")) <= 1.01
    clock = read_clock(here / "summaries/r_clock.csv")
    assert [row[1] for row in clock] == statistics[STEP].tolist()
    assert all(before[2:] <= after[2:] for before, after in pairwise(clock))
    assert repr(training).startswith("Training('r', ended; Basic: step ")
    assert training.load().predict(np.zeros(20)).shape == (1,)
    with pytest.raises(CheckpointError if where == "thread" else TrainingError, match="'r' is taken"):
        mlagents.train(CONFIG, env="Basic", run_id="r", where=where)
    assert not [thread for thread in threading.enumerate() if thread.name == "training"]


def test_an_entry_of_this_program_is_trained_in_its_thread_only(here):
    entry = _Entry("RaceOfThisTest", Race)
    section = CONFIG["behaviors"]["Basic"] | {"max_steps": 600}
    try:
        training = mlagents.train({"behaviors": {"Runner": section}}, env=entry, run_id="r", seed=2).wait()
        assert training.statistics()[STEP][-1] == 600
        for options in ({"where": "process"}, {"num_envs": 2}):
            with pytest.raises(ValueError, match="RaceOfThisTest is known to this process only"):
                mlagents.train({"behaviors": {"Runner": section}}, env=entry, run_id="s", **options)
    finally:
        default_registry._known.pop("RaceOfThisTest", None)


def test_what_keeps_a_run_from_starting_is_raised_at_once(here):
    with pytest.raises(UnknownEnvironment, match="did you mean Basic"):
        mlagents.train(CONFIG, env="Basik", run_id="r")
    with pytest.raises(SettingsError, match="did you mean 'num_envs'"):
        mlagents.train(CONFIG, env="Basic", num_env=2)
    with pytest.raises(ValueError, match="'thread' or 'process'"):
        mlagents.train(CONFIG, env="Basic", where="cloud")
    assert list(Path().iterdir()) == []


def test_a_history_is_arrays_with_gaps():
    now = [10.0]
    history = History(lambda: now[0])
    history.write("A", 100, {"x": summarize([1.0, 3.0], Aggregation.AVERAGE)})
    now[0] = 12.5
    history.add("A", 200, {"y": 5.0})
    found = history.arrays("A")
    assert found["Step"].tolist() == [100, 200]
    assert found["Wall Time"].tolist() == [0.0, 2.5]
    np.testing.assert_array_equal(found["x"], [2.0, np.nan])
    np.testing.assert_array_equal(found["y"], [np.nan, 5.0])
    assert history.arrays("B")["Step"].shape == (0,)
