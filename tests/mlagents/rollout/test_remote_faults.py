"""What is said when a cluster cannot be used: one sentence, soon, and nothing is left running."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mlagents_envs
from mlagents.rollout.cluster import Cluster, ClusterError, Places
from toys.cluster import STORE, await_nobody

pytestmark = pytest.mark.filterwarnings("default")  # Ray leaves sockets and files to the garbage collector

SRC = Path(mlagents_envs.__file__).parents[1]
CONFIG = """\
behaviors:
  Basic: {trainer_type: ppo, max_steps: 1000, hyperparameters: {batch_size: 32, buffer_size: 256}}
"""

ENVIRONMENT = """\
from mlagents_envs.registry import default_registry

ENTRY = default_registry["Basic"]
"""


def learn(folder, *flags, more="", **variables):
    """Run `mlagents-learn` as a user does, and return exit code and what it said on stderr."""
    (folder / "run.yaml").write_text(CONFIG + more)
    command = [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", "--results-dir=results", *flags]
    environment = os.environ | variables
    found = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return found.returncode, found.stderr


def test_an_address_that_does_not_answer():
    pytest.importorskip("ray")
    with pytest.raises(ClusterError, match=r"--ray=127\.0\.0\.1:1: no answer \(.*Connection refused\)"):
        Cluster("127.0.0.1:1", Places("--num-samplers", 1))
    with pytest.raises(ClusterError, match=r"--ray=nonsense: expected HOST:PORT"):
        Cluster("nonsense", Places("--num-samplers", 1))


@pytest.mark.parametrize("error", [Exception("The node timed\nout."), RuntimeError("The node timed out.")])
def test_what_ray_says_of_a_start_that_fails_is_one_line(monkeypatch, error):
    """Not the real thing: Ray gives up after 30 s, on machines that are busy only."""
    ray = pytest.importorskip("ray")

    def fail(**_):
        raise error

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ClusterError, match=r"^--ray=local: The node timed out\.$"):
        Cluster("local", Places("--num-samplers", 1))


def test_without_ray_the_command_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r'pip install "mlagents-jax\[ray\]"'):
        Cluster("local", Places("--num-samplers", 1))


@pytest.mark.slow
def test_without_ray_a_run_says_so_in_one_line(tmp_path):
    (tmp_path / "hidden/ray").mkdir(parents=True)
    (tmp_path / "hidden/ray/__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'ray'\", name='ray')")
    code, said = learn(tmp_path, "--env=Basic", "--ray=local", PYTHONPATH=str(tmp_path / "hidden"))
    assert code == 1
    assert said == (
        "error: --ray: Ray is not installed here. Install it, on every machine of the cluster, with:"
        ' pip install "mlagents-jax[ray]"\n'
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["silent", "web"])
def test_something_else_answers_at_the_address(tmp_path, kind):
    """A listener that never says a word, and a web server."""
    pytest.importorskip("ray")
    begin = time.monotonic()
    if kind == "silent":
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            code, said = learn(tmp_path, "--env=Basic", f"--ray=127.0.0.1:{port}")
    else:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "http.server", "-b", "127.0.0.1", str(port)]
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
            time.sleep(2)
            code, said = learn(tmp_path, "--env=Basic", f"--ray=127.0.0.1:{port}")
            server.terminate()
    assert code == 1, said
    assert said == (
        f"error: --ray=127.0.0.1:{port}: what answers there is no head node of a Ray cluster. Is it the port that"
        " `ray start --head --port` was given (6379 by default)?\n"
    )
    assert time.monotonic() - begin < 40


@pytest.mark.slow
def test_a_cluster_too_small_says_what_is_missing(two_nodes, tmp_path):
    code, said = learn(tmp_path, "--env=Basic", f"--ray={two_nodes.address}", "--num-samplers=4")
    assert (code, said) == (
        1,
        "error: --num-samplers=4: the cluster has room for 3 (each needs 1 CPU; 2 nodes). Add nodes, ask for fewer, or"
        " lower cpus_per_sampler or resources in ray_settings.\n",
    )
    with pytest.raises(ClusterError, match=r"room for 0 \(each needs 1 CPU, 1 unity"):
        Cluster(two_nodes.address, Places("--num-samplers", 1, resources={"unity": 1}))
    with pytest.raises(ClusterError, match=r"room for 2 \(each needs 0.5 CPU, 1 second"):
        Cluster(two_nodes.address, Places("--num-samplers", 3, 0.5, {"second": 1}))
    await_nobody()


@pytest.mark.slow
def test_an_environment_that_is_not_on_the_node_is_said_once(two_nodes, tmp_path):
    """The driver has it in its working folder, which is not that of the nodes."""
    (tmp_path / "mine.py").write_text(ENVIRONMENT)
    code, said = learn(tmp_path, "--env=./mine.py", f"--ray={two_nodes.address}", "--num-samplers=2")
    assert code == 1
    assert re.fullmatch(
        r"error: Sampler [01] on 127\.0\.0\.1: --env=\./mine\.py: no built-in environment and no file of that name\."
        r" An environment must be on all nodes, under this path, or in working_dir of ray_settings\.\n",
        said,
    )
    await_nobody()


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["another version", "not installed"])
def test_a_node_with_another_installation_is_named(two_nodes, tmp_path, fault):
    """A third node finds a copy of the packages first: of another version, or one that cannot be imported."""
    for package in ("mlagents", "mlagents_envs", "mlagents_sim"):
        shutil.copytree(SRC / package, tmp_path / "copy" / package, ignore=shutil.ignore_patterns("__pycache__"))
    if fault == "another version":
        changed = tmp_path / "copy/mlagents_envs/__init__.py"
        changed.write_text(changed.read_text().replace(mlagents_envs.__version__, "0.0.1"))
        expected = rf"the node 127\.0\.0\.1 has other versions: mlagents 0\.0\.1, here {mlagents_envs.__version__}"
    else:
        (tmp_path / "copy/mlagents/__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'mlagents'\")")
        expected = (
            r"^error: The node 127\.0\.0\.1 cannot import this package \(ModuleNotFoundError: No module named"
            r" 'mlagents'\)\. Install the same on all machines\.$"
        )
    before = os.environ["PYTHONPATH"]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path / "copy"), before])
    third = two_nodes.add_node(num_cpus=1, resources={"third": 1}, **STORE)
    os.environ["PYTHONPATH"] = before
    needs = "ray_settings: {resources: {third: 1}}\n"
    code, said = learn(tmp_path, "--env=Basic", f"--ray={two_nodes.address}", more=needs)
    two_nodes.remove_node(third)
    assert code == 1
    assert said.count("\n") == 1
    assert re.search(expected, said), said
    await_nobody()
