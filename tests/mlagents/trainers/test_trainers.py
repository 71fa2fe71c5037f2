"""`mlagents.trainers`, as programs of others import it."""

from __future__ import annotations

import importlib
import math
import sys

import numpy as np
import pytest

from mlagents.settings import RunSettings
from mlagents.stats import RunInfo, Statistics, plugin_writers
from mlagents.trainers import demo_loader, learn
from mlagents.trainers.settings import RunOptions
from mlagents.trainers.stats import (
    StatsAggregationMethod,
    StatsPropertyType,
    StatsReporter,
    StatsSummary,
    StatsWriter,
)
from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.demonstrations import DemonstrationError, DemonstrationWriter, read_recording

CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 128}
    network_settings: {hidden_units: 8, num_layers: 1}
    max_steps: 200
    summary_freq: 100
"""


class Noting(StatsWriter):
    def __init__(self):
        self.heard, self.written, self.properties = [], [], []

    def on_add_stat(self, category, key, value, aggregation=StatsAggregationMethod.AVERAGE):
        self.heard.append((category, key, value, aggregation))

    def write_stats(self, category, values, step):
        self.written.append((category, step, values))

    def add_property(self, category, property_type, value):
        self.properties.append((category, property_type, value))


@pytest.fixture
def writer(monkeypatch):
    monkeypatch.setattr(StatsReporter, "writers", [])
    noting = Noting()
    StatsReporter.add_writer(noting)
    return noting


def test_reporters_share_their_writers(writer):
    walk, talk = StatsReporter("Walk"), StatsReporter("Talk")
    for value in (1.0, 2.0, 6.0):
        walk.add_stat("Losses/Value Loss", value)
    walk.add_stat("Steps", 4.0, StatsAggregationMethod.SUM)
    walk.add_stat("Steps", 5.0, StatsAggregationMethod.SUM)
    talk.set_stat("Is Training", 0.0)
    talk.set_stat("Is Training", 1.0)
    summary = walk.get_stats_summaries("Losses/Value Loss")
    assert (summary.num, summary.mean, summary.sum, summary.aggregated_value) == (3, 3.0, 9.0, 3.0)
    assert summary.std == pytest.approx(math.sqrt(14 / 3))
    walk.write_stats(100)
    ((category, step, values),) = writer.written
    assert (category, step) == ("Walk", 100)
    assert values["Steps"].aggregated_value == 9.0
    assert StatsReporter("Talk").get_stats_summaries("Is Training").full_dist == [1.0]
    assert walk.get_stats_summaries("Steps") == StatsSummary.empty()
    assert writer.heard[0] == ("Walk", "Losses/Value Loss", 1.0, StatsAggregationMethod.AVERAGE)
    assert len(writer.heard) == 7
    walk.add_property(StatsPropertyType.HYPERPARAMETERS, {"gamma": 0.9})
    assert writer.properties == [("Walk", StatsPropertyType.HYPERPARAMETERS, {"gamma": 0.9})]
    talk.write_stats(1)


PLUGIN = """
from mlagents.trainers.stats import StatsWriter

class Lines(StatsWriter):
    def __init__(self, folder):
        self.folder = folder
    def write_stats(self, category, values, step):
        for key, summary in values.items():
            (self.folder / "stats.txt").write_text(f"{category} {step} {key} {summary.full_dist}")
    def add_property(self, category, property_type, value):
        (self.folder / "properties.txt").write_text(f"{category} {property_type.value} {value['gamma']}")

def writers(run):
    return [Lines(run.folder)]
"""


def test_plug_ins_may_give_such_writers(tmp_path, monkeypatch):
    (tmp_path / "older_stats_plugin.py").write_text(PLUGIN)
    info = tmp_path / "older_stats_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: older-stats-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[mlagents.stats_writer]\nlines = older_stats_plugin:writers\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    importlib.invalidate_caches()
    statistics = Statistics(plugin_writers(RunInfo("run", tmp_path)))
    statistics.add("Walk", "Losses/Value Loss", 2.0)
    statistics.add("Walk", "Losses/Value Loss", 4.0)
    statistics.write("Walk", 50)
    assert (tmp_path / "stats.txt").read_text() == "Walk 50 Losses/Value Loss [2.0, 4.0]"
    statistics.text("Walk", "Hyperparameters", {"gamma": 0.9})
    assert (tmp_path / "properties.txt").read_text() == "Walk hyperparameters 0.9"


@pytest.fixture
def recording(tmp_path):
    spec = BehaviorSpec(
        [ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "legs")], ActionSpec(1, ())
    )
    with DemonstrationWriter(tmp_path / "Walk.demo", "Walk?team=0", spec) as writer:
        for value in (1.0, 2.0):
            steps = DecisionSteps([np.full((1, 2), value, np.float32)], np.zeros(1, np.float32), np.int32([0]), None)
            writer.write(writer.decisions(steps, ActionTuple(np.float32([[value]]))), 0.0, ended=False)
    return tmp_path / "Walk.demo"


def test_demonstrations_as_messages(recording, tmp_path):
    spec, pairs, count = demo_loader.load_demonstration(str(recording))
    assert count == len(pairs) == 2
    assert spec.observation_specs[0].shape == (2,)
    assert spec.action_spec == ActionSpec(1, ())
    assert [pair.action_info.continuous_actions[0] for pair in pairs] == [1.0, 2.0]
    whole = read_recording(recording)
    demo_loader.write_demo(str(tmp_path / "Copy.demo"), whole.meta, whole.brain, whole.pairs)
    assert demo_loader.get_demo_files(str(tmp_path)) == [str(tmp_path / "Copy.demo"), str(recording)]
    assert demo_loader.load_demonstration(str(tmp_path))[1] == pairs * 2
    (tmp_path / "Copy.demo").write_bytes(b"nonsense")
    with pytest.raises(DemonstrationError):
        demo_loader.load_demonstration(str(tmp_path))


def test_places_without_demonstrations(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    for path, error in (("", ValueError), ("notes.txt", ValueError), ("absent.demo", FileNotFoundError)):
        with pytest.raises(error, match=r"demo"):
            demo_loader.get_demo_files(str(tmp_path / path))


def test_a_command_line_becomes_options(tmp_path):
    (tmp_path / "config.yaml").write_text(CONFIG)
    options = learn.parse_command_line([str(tmp_path / "config.yaml"), "--env=Basic", "--run-id=first", "--seed=7"])
    assert isinstance(options, RunOptions)
    assert RunOptions is RunSettings is learn.RunOptions
    assert options.checkpoint_settings.run_id == "first"
    assert options.env_settings.seed == 7
    assert options.behavior("Basic").max_steps == 200


def test_options_are_trained(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(CONFIG)
    learn.run_cli(learn.parse_command_line(["config.yaml", "--env=Basic", "--run-id=first", "--results-dir=results"]))
    assert (tmp_path / "results" / "first" / "Basic.onnx").is_file()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("mlagents.trainers.buffer", r"mlagents\.data"),
        ("mlagents.trainers.ppo.optimizer_torch", r"mlagents\.algorithms\.ppo"),
        ("mlagents.trainers.torch_entities.networks", r"mlagents\.nn"),
        ("mlagents.trainers.no_such", r"architecture"),
    ],
)
def test_what_is_not_here_says_where_to_look(module, words):
    with pytest.raises(ImportError, match=rf"is not here; look in .*{words}"):
        __import__(module)


def test_other_imports_are_left_alone():
    with pytest.raises(ModuleNotFoundError, match=r"No module named 'mlagents\.no_such'"):
        __import__("mlagents.no_such")
