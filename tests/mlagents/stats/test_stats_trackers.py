"""Weights & Biases, MLflow and trackio are told what a run asks for; the libraries are real, the network is unused."""

from __future__ import annotations

import json
import sqlite3
import sys
from importlib.metadata import metadata
from importlib.util import find_spec

import pytest

from mlagents.stats import RunInfo, Statistics, StatsWriterPluginError, Writer, WriterError, plugin_writers, summary
from mlagents.stats.trackers.writer import IDS_FILE, TrackerWriter, flat

REWARD = "Environment/Cumulative Reward"


def run_info(folder, *track, resume=False, inference=False):
    settings = {"checkpoint_settings": {"track": list(track), "inference": inference}, "behaviors": {"B": {"x": 1}}}
    return RunInfo(run_id="first", folder=folder, resume=resume, settings=settings)


def write(run, *steps):
    """Write as a run does: hyperparameters, then a value and one that is not finite for each step, and the end."""
    statistics = Statistics(plugin_writers(run))
    statistics.text("B", "Hyperparameters", {"hyperparameters": {"batch_size": 64}})
    for step in steps:
        statistics.add("B", REWARD, step / 1000)
        statistics.write("B", step)
    statistics.close()


def ids(folder):
    return json.loads((folder / IDS_FILE).read_text())


def test_nothing_is_tracked_unless_the_run_asks_for_it(tmp_path):
    assert plugin_writers(run_info(tmp_path)) == []
    assert plugin_writers(RunInfo("first", tmp_path)) == []
    assert plugin_writers(run_info(tmp_path, "wandb", "mlflow", "trackio", inference=True)) == []


@pytest.mark.parametrize("name", ["wandb", "mlflow", "trackio"])
def test_a_library_that_is_missing_is_one_clear_sentence(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(StatsWriterPluginError) as caught:
        plugin_writers(run_info(tmp_path, name))
    message = str(caught.value)
    assert message.startswith(f"--track={name} needs the package {name}, which is not installed here")
    assert message.endswith(f"pip install 'mlagents-jax[{name}]'.")
    assert name in (metadata("mlagents-jax").get_all("Provides-Extra") or ())


class Diary:
    """A tracker that writes down what it is told, and fails where it is asked to."""

    def __init__(self, fails=""):
        self.told = []
        self.fails = fails

    def _tell(self, what, *told):
        if what == self.fails:
            raise RuntimeError("no account")
        self.told.append((what, *told))

    def start(self, run, known):
        self._tell("start", known)
        return known or "id-1"

    def settings(self, behavior, values):
        self._tell("settings", behavior, values)

    def log(self, behavior, step, values):
        self._tell("log", behavior, step, values)

    def finish(self):
        self._tell("finish")


def summaries(**values):
    return {tag: summary.summarize([value], summary.Aggregation.AVERAGE) for tag, value in values.items()}


def test_a_run_is_started_once_and_known_when_it_is_resumed(tmp_path):
    diary = Diary()
    writer = TrackerWriter("diary", diary, run_info(tmp_path))
    assert isinstance(writer, Writer)
    assert not (tmp_path / IDS_FILE).exists()
    writer.text("B", "Note", "not sent")
    writer.write("B", 10, summaries(a=2.0, b=float("nan")) | {"Step": summaries(x=1.0)["x"]})
    writer.write("B", 20, summaries(a=3.0))
    writer.close()
    writer.close()
    told = [("start", None), ("log", "B", 10, {"B/a": 2.0}), ("log", "B", 20, {"B/a": 3.0}), ("finish",)]
    assert diary.told == told
    assert ids(tmp_path) == {"diary": "id-1"}

    again = Diary()
    TrackerWriter("diary", again, run_info(tmp_path, resume=True)).write("B", 30, {})
    assert again.told[0] == ("start", "id-1")
    anew = Diary()
    TrackerWriter("diary", anew, run_info(tmp_path)).write("B", 30, {})
    assert anew.told[0] == ("start", None)


def test_a_run_that_tracks_nothing_leaves_no_file(tmp_path):
    writer = TrackerWriter("diary", Diary(), run_info(tmp_path))
    writer.close()
    assert list(tmp_path.iterdir()) == []


def test_a_tracker_that_cannot_start_ends_the_run_with_the_reason(tmp_path):
    writer = TrackerWriter("diary", Diary(fails="start"), run_info(tmp_path))
    with pytest.raises(StatsWriterPluginError, match=r"--track=diary: it cannot be started: RuntimeError: no account"):
        writer.write("B", 1, {})


def test_a_tracker_that_fails_later_is_left_out_and_said(tmp_path, caplog):
    diary = Diary(fails="log")
    statistics = Statistics([TrackerWriter("diary", diary, run_info(tmp_path))])
    statistics.text("B", "Hyperparameters", {"a": 1})
    for step in (1, 2):
        statistics.add("B", "tag", 1.0)
        statistics.write("B", step)
    assert "--track=diary: RuntimeError: no account. The run goes on without it." in caplog.text
    assert "make room on the disk" not in caplog.text
    assert len(caplog.records) == 1
    assert diary.told == [("start", None), ("settings", "B", {"a": 1}), ("finish",)]
    with pytest.raises(WriterError, match="no account"):
        TrackerWriter("diary", Diary(fails="settings"), run_info(tmp_path)).text("B", "Hyperparameters", {})


def test_nested_settings_become_dotted_keys():
    assert flat({"a": {"b": 1, "c": {"d": [2]}}, "e": None}) == {"a.b": 1, "a.c.d": [2], "e": None}


def needs(name):
    return pytest.mark.skipif(find_spec(name) is None, reason=f"needs the extra `{name}`")


@pytest.mark.slow
@needs("wandb")
@pytest.mark.filterwarnings("default")
def test_weights_and_biases_offline(tmp_path, monkeypatch):
    for key, value in {"WANDB_MODE": "offline", "WANDB_DIR": str(tmp_path), "WANDB_SILENT": "true"}.items():
        monkeypatch.setenv(key, value)
    write(run_info(tmp_path, "wandb"), 1000, 2000)
    (log,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    content = log.read_bytes()  # protocol buffers: texts stand in them as they are
    assert log.name == f"run-{ids(tmp_path)['wandb']}.wandb"
    assert f"B/{REWARD}".encode() in content
    assert b"B/Step" in content
    assert b"batch_size" in content


@pytest.mark.slow
@needs("mlflow")
@pytest.mark.filterwarnings("default")
def test_mlflow_in_a_file(tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    write(run_info(tmp_path, "mlflow"), 1000, 2000)
    write(run_info(tmp_path, "mlflow", resume=True), 3000)
    client, run_id = mlflow.MlflowClient(), ids(tmp_path)["mlflow"]
    history = client.get_metric_history(run_id, f"B/{REWARD}")
    assert [(point.step, point.value) for point in history] == [(1000, 1.0), (2000, 2.0), (3000, 3.0)]
    found = client.get_run(run_id)
    assert (found.info.run_name, found.info.status) == ("first", "FINISHED")
    assert found.data.params == {"B.hyperparameters.batch_size": "64"}
    assert client.get_experiment(found.info.experiment_id).name == "mlagents"


@pytest.mark.slow
@needs("trackio")
@pytest.mark.filterwarnings("default")
def test_trackio_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "trackio"]:
        monkeypatch.delitem(sys.modules, name)  # it reads the variable when it is imported
    write(run_info(tmp_path, "trackio"), 1000, 2000)
    assert ids(tmp_path) == {"trackio": "first"}
    (database,) = (tmp_path / "trackio").glob("mlagents*.db")
    with sqlite3.connect(database) as connection:
        rows = connection.execute("select run_name, step, metrics from metrics order by step").fetchall()
    found = [(name, step, json.loads(metrics)[f"B/{REWARD}"]) for name, step, metrics in rows]
    assert found == [("first", 1000, 1.0), ("first", 2000, 2.0)]
