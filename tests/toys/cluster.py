"""A cluster of two nodes of this machine, runs whose samplers play there, and what is left of them."""

from __future__ import annotations

import os
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from mlagents.curriculum.schedule import ParameterSchedule
from mlagents.settings import EnvSettings, RaySettings
from mlagents.stats import Statistics
from mlagents.training.behavior import Behavior
from mlagents.training.build import make_learner
from mlagents.training.loop import TrainingLoop

TESTS = str(Path(__file__).parents[1])
STORE = {"object_store_memory": 100 * 2**20}
_MARK = "MLAGENTS_TEST_CLUSTER"
_RAYS_OWN = ("/site-packages/ray/", "ray::IDLE")


@contextmanager
def nodes_of_this_machine():
    """Yield a cluster with a head of one CPU and a node of two; its processes can import the tests' modules."""
    pytest.importorskip("ray")
    from ray._private import ray_constants
    from ray.cluster_utils import Cluster as Nodes

    paths = os.pathsep.join(filter(None, [TESTS, os.environ.get("PYTHONPATH")]))
    variables = {"PYTHONPATH": paths, "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", _MARK: uuid.uuid4().hex}
    before = {name: os.environ.get(name) for name in variables}, ray_constants.ENABLE_RAY_CLUSTER
    os.environ.update(variables)
    ray_constants.ENABLE_RAY_CLUSTER = False  # which makes Ray listen on 127.0.0.1 only
    nodes = Nodes(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, **STORE})
    try:
        nodes.second = nodes.add_node(num_cpus=2, resources={"second": 2}, **STORE)
        yield nodes
    finally:
        nodes.shutdown()
        ray_constants.ENABLE_RAY_CLUSTER = before[1]
        for name, value in before[0].items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value


@pytest.fixture(scope="module")
def two_nodes():
    """See `nodes_of_this_machine`."""
    with nodes_of_this_machine() as nodes:
        yield nodes


def programs_on_nodes():
    """Return the command lines of all that runs on nodes of the test's cluster, but for Ray's own processes."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(_MARK) != os.environ[_MARK] or process.pid == os.getpid():
                continue
            words = " ".join(process.cmdline())
        except psutil.Error:  # it has just ended, or is another user's
            continue
        if words and not any(part in words for part in _RAYS_OWN):
            found.append(words)
    return found


def await_nobody(timeout_s=30):
    """Wait until nothing runs on nodes any more."""
    until = time.monotonic() + timeout_s
    while left := programs_on_nodes():
        assert time.monotonic() < until, left
        time.sleep(0.2)


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
        self.segments, self.episodes, self.lanes, self.statistics = [], [], set(), []

    def __getattr__(self, name):
        return getattr(self._sampler, name)

    def collect(self, stop):
        found = self._sampler.collect(stop)
        for collected in found:
            self.segments += [(s.worker, len(s), s.version) for s in collected.segments]
            self.episodes += collected.episodes
            self.lanes |= set(collected.lanes.values())
            self.statistics += collected.statistics
        return found


def train(sampler, settings, stop=lambda: False, parameters=None, league=None):
    """Return the loop over a sampler, after its run."""
    statistics = Statistics()

    def make_behavior(name, spec):
        learner = make_learner(name, spec, settings, 0)
        if league is not None:
            league.add(name, settings.self_play, settings.max_steps)
        return Behavior(name, spec, settings, learner, statistics, np.random.default_rng(0), training=True)

    ignore = lambda *arguments: None  # noqa: E731
    parameters = parameters or ParameterSchedule({})
    loop = TrainingLoop(sampler, make_behavior, statistics, parameters, ignore, ignore, league)
    loop.run(stop)
    return loop
