from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from mlagents.stats import RunInfo, Statistics, StatsWriterPluginError, plugin_writers

PLUGIN = """
class Lines:
    def __init__(self, path):
        self.path = path
    def write(self, behavior, step, summaries):
        with self.path.open("a") as file:
            for tag, summary in summaries.items():
                print(behavior, step, tag, summary.value, file=file)
    def text(self, behavior, name, value):
        pass
    def close(self):
        pass

def writers(run):
    return [Lines(run.folder / f"{run.run_id}.txt")]

def fails(run):
    raise RuntimeError("no account")

def wrong(run):
    return [42]

def nothing(run):
    return None
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package with one entry point, as pip leaves it."""

    def install(function):
        (tmp_path / "stats_plugin_for_test.py").write_text(PLUGIN)
        info = tmp_path / "stats_plugin_for_test-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stats-plugin-for-test\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[mlagents.stats_writer]\nlines = stats_plugin_for_test:{function}\n")
        monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
        importlib.invalidate_caches()
        return RunInfo(run_id="run1", folder=tmp_path)

    yield install
    sys.modules.pop("stats_plugin_for_test", None)


def test_a_plug_in_writes(install, tmp_path):
    statistics = Statistics(plugin_writers(install("writers")))
    statistics.add("B", "tag", 2.0)
    statistics.write("B", 1000)
    assert (tmp_path / "run1.txt").read_text() == "B 1000 tag 2.0\n"


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("fails", "RuntimeError: no account"),
        ("wrong", "gave 42; expected objects with the methods write"),
        ("nothing", "TypeError"),
        ("absent", "AttributeError"),
    ],
)
def test_a_plug_in_that_fails_is_named(install, function, reason):
    with pytest.raises(StatsWriterPluginError, match=reason) as caught:
        plugin_writers(install(function))
    message = str(caught.value)
    assert f"'lines = stats_plugin_for_test:{function}' of stats-plugin-for-test" in message
    assert "mlagents.stats_writer" in message


def test_statistics_need_neither_jax_nor_tensorboard_to_be_imported():
    code = "import sys, mlagents.stats; print({'jax', 'tensorboardX', 'mujoco', 'grpc'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "set()\n"
