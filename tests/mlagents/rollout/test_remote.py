"""Samplers on a cluster of two nodes of this machine: what they return, what survives, and what is said when not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.nn.tensors import named_tensors
from mlagents.rollout.cluster import Cluster, ClusterError
from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.sampler import LocalSampler
from mlagents.settings import EnvSettings, RaySettings
from mlagents.stats import Statistics
from mlagents.training.behavior import Behavior
from mlagents.training.build import make_learner
from mlagents.training.loop import TrainingLoop
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsSideChannel
from toys.remote import WalkSource
from toys.training import ppo_settings, sac_settings

pytestmark = pytest.mark.filterwarnings("default")  # Ray leaves sockets and files to the garbage collector

TESTS = str(Path(__file__).parents[2])


@pytest.fixture(scope="module")
def two_nodes():
    """A cluster with a head of one CPU and a node of two; its processes can import the tests' modules."""
    pytest.importorskip("ray")
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster as Nodes

    before = os.environ.get("PYTHONPATH"), ray_constants.ENABLE_RAY_CLUSTER
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [TESTS, before[0]]))
    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
    ray_constants.ENABLE_RAY_CLUSTER = False  # which makes Ray listen on 127.0.0.1 only
    store = {"object_store_memory": 100 * 2**20, "include_dashboard": False}
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, **store})
    nodes.second = nodes.add_node(num_cpus=2, resources={"second": 2}, object_store_memory=100 * 2**20)
    yield nodes
    nodes.shutdown()
    ray_constants.ENABLE_RAY_CLUSTER = before[1]
    os.environ.pop("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER")
    os.environ.pop("PYTHONPATH")
    if before[0] is not None:
        os.environ["PYTHONPATH"] = before[0]


@contextmanager
def cluster_sampler(nodes, source, timeout_wait=60.0, **settings):
    from mlagents.rollout.remote import ClusterSampler

    found = RaySettings(address=nodes.address, **settings)
    sampler = ClusterSampler(found, EnvSettings(env_path="walk", timeout_wait=timeout_wait), source)
    try:
        yield sampler
    finally:
        sampler.close()


class Watched:
    """A sampler that keeps what it handed on, without the arrays."""

    def __init__(self, sampler):
        self._sampler = sampler
        self.segments, self.episodes, self.lanes = [], [], set()

    def __getattr__(self, name):
        return getattr(self._sampler, name)

    def collect(self, stop):
        found = self._sampler.collect(stop)
        for collected in found:
            self.segments += [(s.worker, len(s), s.version) for s in collected.segments]
            self.episodes += collected.episodes
            self.lanes.add(collected.lanes["Walk"])
        return found


def train(sampler, settings, stop=lambda: False):
    statistics = Statistics()

    def make_behavior(name, spec):
        learner = make_learner(name, spec, settings, 0)
        return Behavior(name, spec, settings, learner, statistics, np.random.default_rng(0), training=True)

    ignore = lambda *arguments: None  # noqa: E731
    loop = TrainingLoop(sampler, make_behavior, statistics, ParameterSchedule({}), ignore, ignore)
    loop.run(stop)
    return loop.behaviors["Walk"].learner


def test_one_sampler_without_staleness_trains_the_same_weights_as_this_machine(two_nodes):
    settings = ppo_settings(2500, {"buffer_size": 500, "num_epoch": 1}, time_horizon=8)
    pool = InlinePool(WalkSource("walk", 0).make(0, []), EnvironmentParametersChannel(), StatsSideChannel())
    here = train(LocalSampler(pool), settings)
    with cluster_sampler(two_nodes, WalkSource("walk", 0)) as sampler:
        there = train(sampler, settings)
    assert here.version == there.version >= 4
    ours, theirs = (named_tensors({"policy": learner.snapshot()}) for learner in (here, there))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        np.testing.assert_array_equal(tensor, theirs[name], err_msg=name)


@pytest.mark.slow
def test_a_sampler_that_is_killed_is_replaced_and_the_run_goes_on(two_nodes, tmp_path):
    """Two samplers with two environments each; the first process of sampler 1 is killed in the middle."""
    killed = []

    def kill_once():
        if not killed and len(watched.episodes) > 50:
            (pid,) = (int(path.name.split("-")[1]) for path in tmp_path.iterdir() if path.name.startswith("0-"))
            os.kill(pid, signal.SIGKILL)
            killed.append(len(watched.segments))
        back = {worker for worker, _, _ in watched.segments[killed[0] :]} == {0, 1} if killed else False
        return back and len(list(tmp_path.glob("0-*"))) == 2 and there_again()

    def there_again():
        return any(seat.index == 0 and seat.generation == 1 and seat.lanes for seat in watched._seats)

    settings = ppo_settings(10**6, {"buffer_size": 200, "num_epoch": 1}, time_horizon=8)
    with cluster_sampler(two_nodes, WalkSource("walk", 0, pid_folder=str(tmp_path)), num_samplers=2) as sampler:
        watched = Watched(sampler)
        learner = train(watched, settings, kill_once)
    assert killed
    assert {int(path.name.split("-")[0]) for path in tmp_path.iterdir()} == {0, 1}  # a seed for each environment
    assert learner.steps == sum(length for _, length, _ in watched.segments)
    assert max(watched.lanes) == 8
    assert learner.version > 1
    for path in tmp_path.iterdir():
        pid = int(path.name.split("-")[1])
        until = time.monotonic() + 10
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < until:
            time.sleep(0.1)
        assert not os.path.exists(f"/proc/{pid}")


@pytest.mark.slow
def test_a_sampler_that_stands_still_holds_nobody_up(two_nodes, tmp_path, caplog):
    pause = tmp_path / "pause"

    def stop():
        if watched.episodes and not pause.exists():
            pause.touch()
        return len(versions()) > 3

    def versions():
        return {version for _, _, version in watched.segments}

    settings = ppo_settings(10**6, {"buffer_size": 200, "num_epoch": 1}, time_horizon=8)
    source = WalkSource("walk", 0, pause_file=str(pause))
    with cluster_sampler(two_nodes, source, timeout_wait=1.0, num_samplers=2) as sampler:
        watched = Watched(sampler)
        train(watched, settings, stop)
        pause.unlink()
    assert "Sampler 1 has not answered for 1 s; the others go on without it." in caplog.text


@pytest.mark.slow
def test_a_node_that_dies_is_made_up_for_by_a_new_one(two_nodes, tmp_path):
    """Both samplers need what only the second node has; it is killed, and a third one has it, too."""
    added = []

    def stop():
        if not added and len(watched.episodes) > 50:
            two_nodes.remove_node(two_nodes.second, allow_graceful=False)
            store = {"object_store_memory": 100 * 2**20}
            two_nodes.second = two_nodes.add_node(num_cpus=2, resources={"second": 2}, **store)
            added.append(len(watched.segments))
        return bool(added) and all(seat.generation >= 1 and seat.lanes for seat in watched._seats)

    settings = ppo_settings(10**6, {"buffer_size": 200, "num_epoch": 1}, time_horizon=8)
    source = WalkSource("walk", 0, pid_folder=str(tmp_path))
    with cluster_sampler(two_nodes, source, num_samplers=2, resources={"second": 1}) as sampler:
        watched = Watched(sampler)
        learner = train(watched, settings, stop)
    assert learner.steps == sum(length for _, length, _ in watched.segments)
    assert {worker for worker, _, _ in watched.segments[added[0] :]} == {0, 1}


@pytest.mark.slow
def test_sac_takes_what_there_is(two_nodes):
    settings = sac_settings(600, time_horizon=8)
    with cluster_sampler(two_nodes, WalkSource("walk", 0)) as sampler:
        learner = train(sampler, settings)
    assert learner.steps > 600
    assert learner.updates == (learner.steps - 200) // 4  # from buffer_init_steps on, one in steps_per_update


@pytest.mark.slow
def test_a_cluster_too_small_says_what_is_missing(two_nodes):
    with pytest.raises(ClusterError, match=r"--num-samplers=4: the cluster has room for 3 \(each needs 1 CPU; 2 nodes"):
        Cluster(RaySettings(address=two_nodes.address, num_samplers=4))
    with pytest.raises(ClusterError, match=r"room for 0 \(each needs 1 CPU, 1 unity"):
        Cluster(RaySettings(address=two_nodes.address, resources={"unity": 1}))


@pytest.mark.slow
def test_an_environment_that_is_not_on_the_node_is_said_once(two_nodes):
    from mlagents.rollout.remote import ClusterSampler
    from mlagents.rollout.source import EnvironmentSource

    settings = RaySettings(address=two_nodes.address)
    with pytest.raises(ClusterError, match=r"Sampler 0: --env=/no/game: no built-in environment and no file"):
        ClusterSampler(settings, EnvSettings(env_path="/no/game"), EnvironmentSource("/no/game", 0))


class Aged(Watched):
    """A sampler that also keeps how old the weights of each segment are when the learner gets it."""

    def __init__(self, sampler):
        super().__init__(sampler)
        self.ages = []

    def collect(self, stop):
        found = super().collect(stop)
        newest = self._sampler._versions
        self.ages += [newest[s.behavior.name] - s.version for collected in found for s in collected.segments]
        return found


@pytest.mark.slow
@pytest.mark.parametrize("staleness", [0, 1])
def test_experience_is_as_old_as_is_permitted(two_nodes, staleness):
    """Updates take a while, in which samplers that may, play on with the weights of before."""
    settings = ppo_settings(4000, {"buffer_size": 400, "num_epoch": 30}, time_horizon=8)
    with cluster_sampler(two_nodes, WalkSource("walk", 0), num_samplers=2, max_staleness=staleness) as sampler:
        watched = Aged(sampler)
        learner = train(watched, settings)
    assert learner.version >= 5
    assert set(watched.ages) == set(range(staleness + 1))
    assert learner.steps == sum(length for _, length, _ in watched.segments)


@pytest.mark.slow
def test_samplers_are_where_their_resources_are(two_nodes):
    """Two need what only the second node has, and half a CPU each; then a third would find no room."""
    import ray
    from ray._private import state

    needs = {"resources": {"second": 1}, "cpus_per_sampler": 0.5}
    with cluster_sampler(two_nodes, WalkSource("walk", 0), num_samplers=2, **needs) as sampler:
        there = {state.actors(seat.actor._actor_id.hex())["Address"]["NodeID"] for seat in sampler._seats}
        free = ray.available_resources()
    assert there == {two_nodes.second.node_id}
    assert (free.get("second", 0), free["CPU"]) == (0, 2)
    with pytest.raises(ClusterError, match=r"room for 2 \(each needs 0.5 CPU, 1 second"):
        Cluster(RaySettings(address=two_nodes.address, num_samplers=3, **needs))


@pytest.mark.slow
def test_a_node_that_is_added_in_the_middle_takes_a_lost_sampler(two_nodes):
    """The sampler needs what only a third node has, which dies: the sampler waits, until a fourth one comes."""
    store = {"object_store_memory": 100 * 2**20}
    third = two_nodes.add_node(num_cpus=1, resources={"third": 1}, **store)
    moments = {}

    def stop():
        if "killed" not in moments and len(watched.episodes) > 50:
            two_nodes.remove_node(third, allow_graceful=False)
            moments["killed"] = len(watched.segments)
        elif "killed" in moments and "added" not in moments and watched._seats[0].generation >= 1:
            moments["added"] = two_nodes.add_node(num_cpus=1, resources={"third": 1}, **store)
        return "added" in moments and len(watched.segments) > moments["killed"] + 20

    settings = ppo_settings(10**6, {"buffer_size": 200, "num_epoch": 1}, time_horizon=8)
    with cluster_sampler(two_nodes, WalkSource("walk", 0), resources={"third": 1}) as sampler:
        watched = Watched(sampler)
        learner = train(watched, settings, stop)
    two_nodes.remove_node(moments["added"])
    assert learner.steps == sum(length for _, length, _ in watched.segments)


@pytest.mark.slow
def test_versions_that_differ_are_said_with_the_node(two_nodes, monkeypatch):
    from mlagents.rollout import remote

    monkeypatch.setattr(remote, "versions", lambda: {"mlagents": "0.0.1", "Python": "3.11", "numpy": "9"})
    with (
        pytest.raises(
            ClusterError, match=r"the node 127\.0\.0\.1 has other versions: mlagents .*, here 0\.0\.1; .*numpy"
        ),
        cluster_sampler(two_nodes, WalkSource("walk", 0)),
    ):
        pass


@pytest.mark.slow
def test_a_driver_that_is_killed_is_resumed_and_leaves_nobody_behind(two_nodes, tmp_path):
    """As a user does it, from a shared folder: the second driver goes on from the last checkpoint of the first."""
    (tmp_path / "run.yaml").write_text(RUN)
    flags = [f"--ray={two_nodes.address}", "--num-samplers=2", "--results-dir=results", "--run-id=r", "--seed=1"]
    command = [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", "--env=Basic", *flags]
    checkpoints = tmp_path / "results/r/Basic"
    with subprocess.Popen(command, cwd=tmp_path, start_new_session=True, stdout=subprocess.DEVNULL) as first:
        until = time.monotonic() + 240
        while not list(checkpoints.glob("Basic-*.safetensors")):
            assert first.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        first.kill()
    until = time.monotonic() + 60
    while samplers_of(two_nodes):
        assert time.monotonic() < until
        time.sleep(0.5)
    saved = max(int(path.stem.split("-")[1]) for path in checkpoints.glob("Basic-*.safetensors"))
    with subprocess.Popen([*command, "--resume"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as second:
        for line in second.stdout:
            if "resuming training from step" in line:
                resumed = int(line.split()[-1].rstrip("."))
            if "Step: " in line:
                second.send_signal(signal.SIGINT)
        assert second.wait(120) == 0
    assert resumed >= saved  # provisional ones are newer
    assert not samplers_of(two_nodes)


RUN = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 100000000
    time_horizon: 3
    summary_freq: 500
    checkpoint_interval: 2000
"""


def samplers_of(nodes):
    """Processes of samplers on any node of the cluster, which are this machine's."""
    import psutil

    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or [])
        if "ray::RemoteSampler" in words:
            found.append(words)
    return found


def test_an_address_that_does_not_answer():
    pytest.importorskip("ray")
    with pytest.raises(ClusterError, match=r"--ray=127\.0\.0\.1:1: no answer \(.*Connection refused\)"):
        Cluster(RaySettings(address="127.0.0.1:1"))
    with pytest.raises(ClusterError, match=r"--ray=nonsense: expected HOST:PORT"):
        Cluster(RaySettings(address="nonsense"))


@pytest.mark.parametrize("error", [Exception("The node timed\nout."), RuntimeError("The node timed out.")])
def test_what_ray_says_of_a_start_that_fails_is_one_line(monkeypatch, error):
    """Not the real thing: Ray gives up after 30 s, on machines that are busy only."""
    ray = pytest.importorskip("ray")

    def fail(**_):
        raise error

    monkeypatch.setattr(ray, "init", fail)
    with pytest.raises(ClusterError, match=r"^--ray=local: The node timed out\.$"):
        Cluster(RaySettings(address="local"))


def test_without_ray_the_command_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r'pip install "mlagents-jax\[ray\]"'):
        Cluster(RaySettings(address="local"))
