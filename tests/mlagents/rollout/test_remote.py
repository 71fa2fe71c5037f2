"""Samplers on a cluster of two nodes of this machine: what they return, what survives, and what is said when not."""

from __future__ import annotations

import os
import signal
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


def test_an_address_that_does_not_answer():
    pytest.importorskip("ray")
    with pytest.raises(ClusterError, match=r"--ray=127\.0\.0\.1:1: no answer \(.*Connection refused\)"):
        Cluster(RaySettings(address="127.0.0.1:1"))
    with pytest.raises(ClusterError, match=r"--ray=nonsense: expected HOST:PORT"):
        Cluster(RaySettings(address="nonsense"))


def test_without_ray_the_command_to_install_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ClusterError, match=r'pip install "mlagents-jax\[ray\]"'):
        Cluster(RaySettings(address="local"))
