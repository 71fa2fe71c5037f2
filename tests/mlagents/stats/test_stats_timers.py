from __future__ import annotations

import json
import math
import sys
from importlib.metadata import version

import pytest

import mlagents_envs
from mlagents.stats import GaugeWriter, Statistics, write_timers
from mlagents_envs import timers


@pytest.fixture(autouse=True)
def fresh_timers():
    timers.reset_timers()
    yield
    timers.reset_timers()


def test_gauges_have_the_known_names():
    statistics = Statistics([GaugeWriter()])
    for step, value in ((1000, 1.0), (2000, 3.0)):
        statistics.add("My Ball", "Environment/Cumulative Reward", value)
        statistics.add("My Ball", "Environment/Cumulative Reward", value + 1)
        statistics.add("My Ball", "bad", math.nan)
        statistics.write("My Ball", step)
    gauges = timers.get_timer_tree()["gauges"]
    assert set(gauges) == {
        "MyBall.Environment.CumulativeReward.mean",
        "MyBall.Environment.CumulativeReward.sum",
    }
    assert gauges["MyBall.Environment.CumulativeReward.mean"] == {
        "value": 3.5,
        "min": 1.5,
        "max": 3.5,
        "count": 2,
    }
    assert gauges["MyBall.Environment.CumulativeReward.sum"] == {
        "value": 7.0,
        "min": 3.0,
        "max": 7.0,
        "count": 2,
    }


def test_the_timers_file_has_the_known_form(tmp_path):
    with timers.hierarchical_timer("TrainerController.start_learning"), timers.hierarchical_timer("env_step"):
        pass
    path = tmp_path / "run_logs" / "timers.json"
    write_timers(path, communication_protocol_version="1.5.0")
    text = path.read_text()
    tree = json.loads(text)
    assert text == json.dumps(tree, indent=4) + "\n"
    assert tree["name"] == "root"
    assert tree["children"]["TrainerController.start_learning"]["children"]["env_step"]["count"] == 1
    metadata = tree["metadata"]
    assert set(metadata) == {
        "timer_format_version",
        "start_time_seconds",
        "end_time_seconds",
        "python_version",
        "command_line_arguments",
        "mlagents_version",
        "mlagents_envs_version",
        "communication_protocol_version",
        "jax_version",
        "numpy_version",
    }
    assert metadata["timer_format_version"] == "0.1.0"
    assert metadata["mlagents_version"] == version("mlagents-jax")
    assert metadata["mlagents_envs_version"] == mlagents_envs.__version__
    assert metadata["communication_protocol_version"] == "1.5.0"
    assert metadata["jax_version"] == version("jax")
    assert metadata["python_version"] == sys.version
    assert all(isinstance(value, str) for value in metadata.values())


def test_timers_that_cannot_be_written_do_not_end_the_run(tmp_path, caplog):
    obstacle = tmp_path / "run_logs"
    obstacle.write_text("a file where the folder should be")
    write_timers(obstacle / "timers.json", communication_protocol_version="1.5.0")
    assert str(obstacle) in caplog.records[0].getMessage()
