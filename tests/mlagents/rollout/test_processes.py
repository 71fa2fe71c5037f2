"""A pool of processes against the inline pool."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from pool_checks import NAME, assert_same, order, receive_from, worker_processes
from pool_environments import SLEEP, FailingSource, Scene, SceneSource

from mlagents.rollout.env_pool import InlinePool
from mlagents.rollout.processes import ProcessPool
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel

HEAVY = {"jax", "jaxlib", "equinox", "optax", "pydantic", "ruamel", "psutil", "mlagents_sim", "rich"}


@pytest.fixture
def pool():
    pool = ProcessPool(SceneSource(None, seed=7), 2)
    yield pool
    pool.close()


def inline(seed: int) -> InlinePool:
    parameters, stats = EnvironmentParametersChannel(), StatsSideChannel()
    return InlinePool(Scene(seed, [parameters, stats]), parameters, stats)


def actions(pool, step, rng):
    return {
        name: ActionTuple(
            rng.random((len(decision), pool.behavior_specs[name].action_spec.continuous_size), np.float32),
            rng.integers(0, 2, (len(decision), pool.behavior_specs[name].action_spec.discrete_size)),
        )
        for name, (decision, _) in step.steps.items()
    }


def test_each_worker_equals_the_inline_pool_with_its_seed(pool):
    # four rounds: few agents, more (the block grows), a behavior that appears at the third step, none at all
    expected = [inline(7), inline(8)]
    rngs = [[np.random.default_rng(i) for i in range(2)] for _ in range(2)]
    for parameters in ({"agents": 3}, {"agents": 40, "bonus": 1}, {"late": 3}, {"agents": 0}):
        pool.reset(parameters)
        for one in expected:
            one.reset(parameters)
        for step_of_round in range(6):
            for worker, step in receive_from(pool, {0, 1}).items():
                (same,) = expected[worker].receive()
                assert list(step.steps) == list(same.steps)
                assert not step.restarted
                for name in step.steps:
                    assert_same(step.steps[name], same.steps[name])
                if step_of_round < 5:  # a worker would begin the step that an inline pool drops at a reset
                    pool.send(worker, actions(pool, step, rngs[0][worker]))
                    expected[worker].send(0, actions(expected[worker], same, rngs[1][worker]))
    assert dict(pool.behavior_specs) == dict(expected[0].behavior_specs)
    assert pool.statistics() == [(i, one.statistics()[0][1]) for i, one in enumerate(expected)]


def test_parameters_reach_every_environment_and_stay(pool):
    pool.reset({"bonus": 4.0, "agents": 2})
    pool.reset({"agents": 5})
    for step in receive_from(pool, {0, 1}).values():
        np.testing.assert_array_equal(step.steps[NAME][0].reward, np.full(5, 4.0, np.float32))


def test_statistics_are_gathered_by_worker_and_forgotten(pool):
    pool.reset({})
    for _ in range(10):
        for worker in receive_from(pool, {0, 1}):
            pool.send(worker, {})
    receive_from(pool, {0, 1})
    sums = StatsAggregationMethod.SUM
    walked = {"walked": [(5.0, sums), (10.0, sums)]}
    assert pool.statistics() == [(0, walked), (1, walked)]
    assert pool.statistics() == []


def test_a_fast_worker_does_not_wait_for_a_slow_one(pool):
    pool.reset({})
    receive_from(pool, {0, 1})
    pool.send(0, order(SLEEP))
    pool.send(1, {})
    for _ in range(20):
        (step,) = pool.receive()
        assert step.worker == 1
        pool.send(1, {})
    start = os.times()
    receive_from(pool, {0, 1})
    assert os.times().user + os.times().system - start.user - start.system < 0.2  # it slept, too


def test_a_reset_drops_the_step_on_its_way(pool):
    pool.reset({})
    receive_from(pool, {0, 1})
    pool.send(0, order(SLEEP))
    pool.reset({"bonus": 9.0})
    steps = receive_from(pool, {0, 1})
    assert steps[0].steps[NAME][0].reward.tolist() == [9.0] * 3
    with pytest.raises(RuntimeError, match="anything to do"):
        pool.receive()


def test_arrays_hold_until_the_next_receive(pool):
    pool.reset({})
    decision, _ = receive_from(pool, {0, 1})[0].steps[NAME]
    before = decision.obs[0].copy()
    pool.send(0, order(0.0))
    pool.send(1, order(0.0))
    time.sleep(0.2)
    np.testing.assert_array_equal(decision.obs[0], before)


def test_misuse_is_told(pool):
    with pytest.raises(RuntimeError, match="reset"):
        pool.receive()
    pool.reset({})
    with pytest.raises(RuntimeError, match="Worker 1 is still"):
        pool.send(1, {})
    receive_from(pool, {0, 1})
    with pytest.raises(UnityActionException, match="Walker"):
        pool.send(0, {NAME: ActionTuple(np.zeros((1, 2)), np.zeros((1, 2)))})
    pool.close()
    with pytest.raises(UnityEnvironmentException, match="closed"):
        pool.reset({})


def test_close_ends_the_processes_and_may_be_repeated():
    pool = ProcessPool(SceneSource(None, seed=0), 2)
    workers = worker_processes()
    assert len(workers) == 2
    pool.close()
    pool.close()
    assert not any(worker.is_running() for worker in workers)


def test_workers_are_small_and_import_nothing_that_trains():
    with pytest.raises(LookupError) as caught:
        ProcessPool(FailingSource("modules", seed=0), 1)
    modules = {name.partition(".")[0] for name in str(caught.value).split()}
    assert "mlagents_envs" in modules
    assert not modules & HEAVY
    assert "pytest" not in modules  # the main module was not imported
    pool = ProcessPool(SceneSource(None, seed=0), 1)
    (worker,) = worker_processes()
    assert worker.memory_info().rss < 120 * 2**20
    pool.close()


def test_a_script_needs_neither_guard_nor_close(tmp_path):
    result = run_script(
        tmp_path,
        """
        pool = ProcessPool(SceneSource(None, seed=0), 2)
        pool.reset({})
        kept = pool.receive()
        print(len(kept) > 0)
        raise SystemExit(4)
        """,
    )
    assert (result.stdout, result.stderr, result.returncode) == ("True\n", "", 4)


def test_a_source_of_the_main_module(tmp_path):
    result = run_script(
        tmp_path,
        """
        class Mine(SceneSource):
            pass

        if __name__ == "__main__":
            pool = ProcessPool(Mine(None, seed=0), 1)
            pool.reset({})
            print(len(pool.receive()))
            pool.close()
        """,
    )
    assert (result.stdout, result.stderr) == ("1\n", "")


def run_script(folder: Path, body: str) -> subprocess.CompletedProcess[str]:
    head = "from pool_environments import *\nfrom mlagents.rollout.processes import ProcessPool\n"
    script = folder / "script.py"
    script.write_text(head + textwrap.dedent(body))
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    return subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env=env, timeout=60, check=False
    )
