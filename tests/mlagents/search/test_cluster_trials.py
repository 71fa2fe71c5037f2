"""Trials of a search on a cluster of two nodes of this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlagents.rollout.cluster import ClusterError
from mlagents.search.cluster_trials import ClusterTrials, Order
from mlagents.search.metrics import Metric
from mlagents.search.study import Plan, Search, SearchError
from mlagents.settings import RunSettings, load_run_settings
from toys.cluster import STORE, await_nobody, programs_on_nodes

CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: %d
    time_horizon: 3
    summary_freq: 300
    checkpoint_interval: 1500
env_settings: {env_path: Basic, seed: 1}
search:
  behaviors.Basic.hyperparameters.learning_rate: {log_uniform: [1.0e-5, 1.0e-2]}
"""


def order(folder, content=b"mine"):
    mark = folder / "search.lock"
    return Order(folder, "trial-00000", RunSettings(), folder, mark, content)


def test_a_machine_that_does_not_see_the_folder_is_told_apart(tmp_path):
    """By a file in it: a folder of the same name may be there, too."""
    assert "does not see" in order(tmp_path).fault()
    (tmp_path / "search.lock").write_bytes(b"another's")
    assert f"does not see {tmp_path}. All machines must see it under this path" in order(tmp_path).fault()
    (tmp_path / "search.lock").write_bytes(b"mine")
    assert order(tmp_path).fault() is None


def test_a_machine_without_the_working_folder_is_told_apart(tmp_path):
    (tmp_path / "search.lock").write_bytes(b"mine")
    found = Order(tmp_path, "t", RunSettings(), tmp_path / "none", tmp_path / "search.lock", b"mine").fault()
    assert found == f"has no folder {tmp_path / 'none'}, in which paths of the trainer file begin"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "search.yaml").write_text(CONFIG % 20_000)
    (tmp_path / "study").mkdir()
    (tmp_path / "study/search.lock").write_text("mine")
    return tmp_path


def searching(folder, start, **plan):
    path = folder / "search.yaml"
    space = load_run_settings(path).search
    found = Plan(Metric("reward", "Basic"), space, **{"seed": 1, "prunes": False, **plan})
    return Search(folder / "study", found, lambda values: load_run_settings(path, trial=values), start)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_trial_that_is_lost_with_its_node_goes_on_elsewhere(two_nodes, folder, caplog):
    """Two trials at a time; the second node, which has at least one of them, is killed, and another one added."""
    killed = []

    def watch():
        checkpoints = list((folder / "study/trials").glob("*/Basic/Basic-*.safetensors"))
        if not killed and {path.parents[1].name for path in checkpoints} == {"trial-00000", "trial-00001"}:
            assert sum("mlagents.cli.learn" in words for words in programs_on_nodes()) == 2
            two_nodes.remove_node(two_nodes.second, allow_graceful=False)
            two_nodes.second = two_nodes.add_node(num_cpus=2, resources={"second": 2}, **STORE)
            killed.append(time.monotonic())
        return False

    trials = ClusterTrials(two_nodes.address, 2, 1, folder / "study/search.lock")
    try:
        search = searching(folder, trials, trials=3, jobs=2)
        search.run(watch)
        results = search.results()
        search.close()
    finally:
        trials.close()
    await_nobody()
    assert killed
    assert "is lost with its machine, and goes on elsewhere" in caplog.text
    assert [result.state for result in results] == ["complete"] * 3
    assert all(result.steps >= 19_000 for result in results)
    logs = "".join(path.read_text() for path in (folder / "study/trials").glob("*.log"))
    assert "resuming training from step" in logs  # rather than anew


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_what_a_node_lacks_ends_the_search(two_nodes, folder):
    """The working folder is gone when the first trial starts."""
    gone = folder / "gone"
    gone.mkdir()
    before = os.getcwd()
    trials = ClusterTrials(two_nodes.address, 2, 1, folder / "study/search.lock")
    search = searching(folder, trials, trials=2, jobs=2)
    try:
        os.chdir(gone)
        pending = trials(folder / "study/trials", "trial-x", load_run_settings(folder / "search.yaml"))
        os.chdir(before)
        pending.finish()
        moved = Order(folder, "trial-y", RunSettings(), gone / "no", folder / "study/search.lock", b"mine")
        lacking = type(pending)(pending._ray, pending._host_class, moved)
        with pytest.raises(SearchError, match=r"trial-y: the node 127\.0\.0\.1 has no folder .*/gone/no, in which"):
            lacking.finish()
    finally:
        os.chdir(before)
        search.close()
        trials.close()
    await_nobody()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_cluster_too_small_for_the_trials(two_nodes, folder):
    with pytest.raises(ClusterError, match=r"--jobs=9: the cluster has room for 3 \(each needs 1 CPU; 2 nodes\)"):
        ClusterTrials(two_nodes.address, 9, 1, folder / "study/search.lock")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_search_on_a_cluster_is_killed_and_goes_on(two_nodes, tmp_path):
    """As a user does it: `mlagents tune --ray`, whose process is killed; its trials end with it, and go on later."""
    (tmp_path / "search.yaml").write_text(CONFIG % 20_000)
    flags = ["search.yaml", "--trials=2", "--jobs=2", f"--ray={two_nodes.address}", "--no-pruning"]
    command = [sys.executable, "-m", "mlagents.cli.main", "tune", *flags]
    trials = tmp_path / "results/search/trials"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as search:
        until = time.monotonic() + 300
        while len({path.parents[1].name for path in trials.glob("*/Basic/Basic-*.safetensors")}) < 2:
            assert search.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        search.send_signal(signal.SIGKILL)
    await_nobody(60)
    found = subprocess.run(
        [*command, "--resume"], cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
    )
    assert found.returncode == 0, found.stderr
    rows = [row.split("\t") for row in found.stdout.splitlines() if row[:1].isdigit()]
    assert {row[1] for row in rows} == {"complete"}
    assert all(int(row[4]) >= 19_000 for row in rows)
    assert all("resuming training from step" in Path(trials / f"trial-0000{n}.log").read_text() for n in (0, 1))
    await_nobody()
