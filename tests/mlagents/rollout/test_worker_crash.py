"""What happens when workers, or the process that owns them, go wrong."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from pool_checks import NAME, order, receive_from, worker_processes
from pool_environments import HANG, KILL, RAISE, FailingSource, SceneSource

from mlagents.rollout.processes import ProcessPool
from mlagents.rollout.restarts import RestartLimits, WorkerFailed
from mlagents.rollout.source import EnvironmentSource, UnknownEnvironment
from mlagents_envs.exception import UnityTimeOutException, UnityWorkerInUseException
from mlagents_envs.sampler_class import SamplerException


def make_pool(num_envs: int = 2, **limits: int) -> ProcessPool:
    pool = ProcessPool(SceneSource(None, seed=7), num_envs, **limits)
    pool.reset({"bonus": 2.0})
    receive_from(pool, set(range(num_envs)))
    return pool


def gone(processes: list[psutil.Process], within_s: float) -> bool:
    """Wait for processes to end; a zombie has ended."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if all(not p.is_running() or p.status() == psutil.STATUS_ZOMBIE for p in processes):
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize(
    ("fault", "reason"),
    [(RAISE, "ArithmeticError: the ball fell"), (KILL, "signal 9, SIGKILL"), (HANG, "no answer within 2 s")],
)
def test_only_the_worker_that_failed_is_restarted(fault, reason, caplog):
    pool = make_pool(timeout_wait=2)
    workers = {child.pid for child in worker_processes()}
    pool.reset({"agents": 3})
    receive_from(pool, {0, 1})
    pool.send(0, order(fault))
    reports = []
    while not any(step.worker == 0 for step in reports):
        pool.send(1, {})
        reports += pool.receive()
    pool.close()
    assert len(workers & {child.pid for child in worker_processes()}) == 0
    (fresh,) = [step for step in reports if step.worker == 0]
    others = [step for step in reports if step.worker == 1]
    assert fresh.restarted
    assert others  # the other one went on
    assert not any(step.restarted for step in others)
    # the parameters of all resets were sent again
    np.testing.assert_array_equal(fresh.steps[NAME][0].reward, np.full(3, 2.0, np.float32))
    assert reason in caplog.text


def test_a_restart_is_told_once():
    pool = make_pool(1)
    pool.send(0, order(KILL))
    (step,) = pool.receive()
    assert step.restarted
    pool.send(0, order(0.0))
    (step,) = pool.receive()
    assert not step.restarted
    pool.close()


def test_a_worker_that_fails_too_often_ends_the_run():
    pool = make_pool(1)
    pool.send(0, order(RAISE))
    (step,) = pool.receive()
    pool.send(step.worker, order(RAISE))
    with pytest.raises(WorkerFailed) as caught:
        pool.receive()
    message = str(caught.value)
    assert "Worker 0: its environment raised ArithmeticError: the ball fell through the floor." in message
    assert "--restarts-rate-limit-n=1" in message
    assert "_act_up" in message  # the traceback
    assert caught.value.worker == 0
    pool.close()
    assert worker_processes() == []


def test_the_lifetime_limit():
    pool = make_pool(1, max_lifetime_restarts=0)
    pool.send(0, order(KILL))
    with pytest.raises(WorkerFailed, match="--max-lifetime-restarts=0") as caught:
        pool.receive()
    assert "--num-envs" in str(caught.value)  # what to do about SIGKILL
    pool.close()


def test_no_limits():
    pool = make_pool(1, max_lifetime_restarts=-1, restarts_rate_limit_n=-1)
    for _ in range(3):
        pool.send(0, order(KILL))
        (step,) = pool.receive()
        assert step.restarted
    pool.close()


def test_restart_limits():
    limits = RestartLimits(lifetime=3, per_period=2, period_s=60)
    assert limits.refusal([], now=100) == ""
    assert limits.refusal([50], now=100) == ""
    assert "2 times in the last 60 s" in limits.refusal([50, 60], now=100)
    assert limits.refusal([30, 60], now=100) == ""
    assert "3 times in this run" in limits.refusal([1, 2, 3], now=1000)
    assert RestartLimits(-1, -1, 60).refusal([1.0] * 99, now=1) == ""


def test_an_unknown_environment_is_reported_as_itself():
    with pytest.raises(UnknownEnvironment, match="no built-in environment"):
        ProcessPool(EnvironmentSource("NoSuchScene", seed=0), 2)
    assert worker_processes() == []


def test_an_error_that_cannot_be_pickled_is_reported_as_text():
    with pytest.raises(WorkerFailed, match="_Unpicklable: worker 0: no licence") as caught:
        ProcessPool(FailingSource("licence", seed=0), 1)
    assert "at the start" in str(caught.value)


def test_every_error_of_environments_survives_pickling():
    for error in (UnityWorkerInUseException(3), UnityTimeOutException("two\nlines"), SamplerException("odd")):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy)) == (type(error), str(error))


def test_a_death_at_the_start():
    with pytest.raises(WorkerFailed, match="exit code 3"):
        ProcessPool(FailingSource("exit", seed=0), 1)


def test_close_ends_a_worker_that_hangs_and_what_it_started():
    pool = ProcessPool(SceneSource(None, seed=0, child=True), 1)
    pool.reset({})
    pool.receive()
    family = psutil.Process().children(recursive=True)
    workers = [p for p in family if "resource_tracker" not in " ".join(p.cmdline())]
    assert len(workers) == 2
    pool.send(0, order(HANG))
    time.sleep(0.1)
    start = time.monotonic()
    pool.close()
    assert time.monotonic() - start < 8
    assert gone(workers, within_s=1)


def test_workers_ignore_ctrl_c():
    pool = make_pool(1)
    (worker,) = worker_processes()
    worker.send_signal(signal.SIGINT)
    time.sleep(0.1)
    pool.send(0, order(0.0))
    (step,) = pool.receive()
    assert not step.restarted
    pool.close()


@pytest.mark.parametrize("fault", ["None", "HANG"])
def test_nothing_is_left_of_a_killed_parent(tmp_path, fault):
    # with None the worker waits for the next request, with HANG it is busy for 99 s
    process, family = start_script(tmp_path, f"{fault}\n")
    assert len(family) >= 3  # the worker, its own process, the resource tracker
    process.kill()
    process.wait()
    assert gone(family, within_s=10)
    process.stdout.close()


def test_ctrl_c_closes_everything(tmp_path):
    process, family = start_script(tmp_path, "None\n")
    process.send_signal(signal.SIGINT)
    process.wait(10)
    assert gone(family, within_s=1)
    process.stdout.close()


def start_script(folder: Path, fault: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start a process with a pool and tell its worker, which has a child, to behave like that."""
    body = f"""
        import time
        from pool_checks import *
        from pool_environments import *
        from mlagents.rollout.processes import ProcessPool

        pool = ProcessPool(SceneSource(None, seed=0, child=True), 1)
        pool.reset({{}})
        pool.receive()
        if {fault.strip()} is not None:
            pool.send(0, order({fault.strip()}))
        print("ready", flush=True)
        time.sleep(99)
    """
    script = folder / "script.py"
    script.write_text(textwrap.dedent(body))
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=env
    )
    assert process.stdout.readline() == "ready\n"
    return process, psutil.Process(process.pid).children(recursive=True)
