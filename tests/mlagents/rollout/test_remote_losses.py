"""What survives on a cluster of two nodes of this machine: samplers, nodes and drivers that are killed, or stand still.

Everywhere decisions are counted twice, where they are played and where they are learned from: what was handed in is
never more than what was played, and less by what was in flight only.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from mlagents.rollout.cluster import ClusterError
from toys.cluster import STORE, Watched, await_nobody, cluster_sampler, programs_on_nodes, train
from toys.remote import DyingSource, WalkSource
from toys.training import ppo_settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # Ray leaves sockets and files to the garbage collector
]

SETTINGS = ppo_settings(10**6, {"buffer_size": 200, "num_epoch": 1}, time_horizon=8)
IN_FLIGHT = 200 + 2 * 4 * 8
"""Decisions that one sampler may not have handed in: those of an order, and of open segments of four agents."""


def assert_nothing_twice_and_nothing_lost(folder, watched, learner):
    """Compare what each environment has written down with what was learned from."""
    received = sum(length for _, length, _ in watched.segments)
    played = [int(path.read_text() or 0) for path in folder.iterdir()]
    assert learner.steps == received
    assert sum(played) - IN_FLIGHT * len(played) <= received <= sum(played)


def test_a_sampler_that_is_killed_is_replaced_and_the_run_goes_on(two_nodes, tmp_path):
    """The first process of sampler 0 is killed in the middle."""
    killed = []

    def kill_once():
        if not killed and len(watched.episodes) > 50:
            (pid,) = (int(path.name.split("-")[1]) for path in tmp_path.glob("0-*"))
            os.kill(pid, signal.SIGKILL)
            killed.append(len(watched.segments))
        return bool(killed) and {worker for worker, _, _ in watched.segments[killed[0] :]} == {0, 1} and there_again()

    def there_again():
        return any(seat.index == 0 and seat.generation == 1 and seat.lanes for seat in watched._seats)

    with cluster_sampler(two_nodes, WalkSource("walk", 0, pid_folder=str(tmp_path)), num_samplers=2) as sampler:
        watched = Watched(sampler)
        learner = train(watched, SETTINGS, kill_once).behaviors["Walk"].learner
    await_nobody()
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == ["0", "0", "1"]  # with the same seed
    assert_nothing_twice_and_nothing_lost(tmp_path, watched, learner)
    assert max(watched.lanes) == 8
    assert learner.version > 1


def test_a_sampler_that_is_killed_takes_its_environments_with_it(two_nodes, tmp_path):
    """Each sampler has two environments, in processes of their own."""
    killed = []

    def stop():
        if not killed and len(watched.episodes) > 50:
            environments = [int(path.name.split("-")[1]) for path in tmp_path.iterdir()]
            hosts = {psutil.Process(pid).ppid() for pid in environments}
            assert len(environments) == 4
            assert len(hosts) == 2
            victim = min(hosts)
            killed.append((len(watched.segments), [p for p in environments if psutil.Process(p).ppid() == victim]))
            os.kill(victim, signal.SIGKILL)
        return bool(killed) and len({worker for worker, _, _ in watched.segments[killed[0][0] :]}) == 4

    source = WalkSource("walk", 0, pid_folder=str(tmp_path))
    with cluster_sampler(two_nodes, source, num_samplers=2, envs_per_sampler=2) as sampler:
        watched = Watched(sampler)
        learner = train(watched, SETTINGS, stop).behaviors["Walk"].learner
        assert not any(psutil.pid_exists(pid) for pid in killed[0][1])
    await_nobody()
    assert_nothing_twice_and_nothing_lost(tmp_path, watched, learner)


def test_a_sampler_that_stands_still_holds_nobody_up(two_nodes, tmp_path, caplog):
    pause = tmp_path / "pause"

    def stop():
        if watched.episodes and not pause.exists():
            pause.touch()
        return len({version for _, _, version in watched.segments}) > 3

    source = WalkSource("walk", 0, pause_file=str(pause))
    with cluster_sampler(two_nodes, source, timeout_wait=1.0, num_samplers=2) as sampler:
        watched = Watched(sampler)
        train(watched, SETTINGS, stop)
        pause.unlink()
    assert "Sampler 1 has not answered for 1 s; the others go on without it." in caplog.text


def test_a_sampler_that_does_not_answer_at_all_is_replaced(two_nodes, tmp_path, caplog):
    """Its process is stopped, as a machine that hangs is: Ray sees it alive, and it says nothing."""
    stopped = []

    def stop():
        if watched.episodes and not stopped:
            (pid,) = (int(path.name.split("-")[1]) for path in tmp_path.glob("1-*"))
            os.kill(pid, signal.SIGSTOP)
            stopped.append(pid)
        return any(seat.generation == 1 and seat.lanes for seat in watched._seats)

    source = WalkSource("walk", 0, pid_folder=str(tmp_path))
    with cluster_sampler(two_nodes, source, timeout_wait=1.0, num_samplers=2) as sampler:
        watched = Watched(sampler)
        learner = train(watched, SETTINGS, stop).behaviors["Walk"].learner
    assert "Sampler 1 is lost, and another starts in its place: no answer for 3 s (--timeout-wait is 1)" in caplog.text
    await_nobody()
    assert_nothing_twice_and_nothing_lost(tmp_path, watched, learner)


def test_a_node_that_dies_is_made_up_for_by_a_new_one(two_nodes, tmp_path):
    """Both samplers need what only the second node has; it is killed, and a third one has it, too."""
    added = []

    def stop():
        if not added and len(watched.episodes) > 50:
            two_nodes.remove_node(two_nodes.second, allow_graceful=False)
            two_nodes.second = two_nodes.add_node(num_cpus=2, resources={"second": 2}, **STORE)
            added.append(len(watched.segments))
        return bool(added) and all(seat.generation >= 1 and seat.lanes for seat in watched._seats)

    source = WalkSource("walk", 0, pid_folder=str(tmp_path))
    with cluster_sampler(two_nodes, source, num_samplers=2, resources={"second": 1}) as sampler:
        watched = Watched(sampler)
        learner = train(watched, SETTINGS, stop).behaviors["Walk"].learner
    await_nobody()
    assert_nothing_twice_and_nothing_lost(tmp_path, watched, learner)
    assert {worker for worker, _, _ in watched.segments[added[0] :]} == {0, 1}


def test_a_node_that_is_added_in_the_middle_takes_a_lost_sampler(two_nodes, tmp_path):
    """The sampler needs what only a third node has, which dies: the sampler waits, until a fourth one comes."""
    third = two_nodes.add_node(num_cpus=1, resources={"third": 1}, **STORE)
    moments = {}

    def stop():
        if "killed" not in moments and len(watched.episodes) > 50:
            two_nodes.remove_node(third, allow_graceful=False)
            moments["killed"] = len(watched.segments)
        elif "killed" in moments and "added" not in moments and watched._seats[0].generation >= 1:
            moments["added"] = two_nodes.add_node(num_cpus=1, resources={"third": 1}, **STORE)
        return "added" in moments and len(watched.segments) > moments["killed"] + 20

    source = WalkSource("walk", 0, pid_folder=str(tmp_path))
    with cluster_sampler(two_nodes, source, resources={"third": 1}) as sampler:
        watched = Watched(sampler)
        learner = train(watched, SETTINGS, stop).behaviors["Walk"].learner
    two_nodes.remove_node(moments["added"])
    assert_nothing_twice_and_nothing_lost(tmp_path, watched, learner)


def test_samplers_that_only_die_end_the_run(two_nodes):
    """Three times each, while nobody hands anything in."""
    expected = r"^Samplers were lost 6 times in a row before any of them handed anything in, the last one, [01], with: "
    with (
        pytest.raises(ClusterError, match=expected),
        cluster_sampler(two_nodes, DyingSource("dying", 0), num_samplers=2),
    ):
        pass
    await_nobody()


def test_a_driver_that_is_killed_is_resumed_elsewhere_and_leaves_nobody_behind(two_nodes, tmp_path):
    """As a user does it: from another working folder, with the results on a file system that both see.

    The lock then names a machine that is gone, and is older than ten minutes.
    """
    first, second, shared = (tmp_path / name for name in ("first", "second", "shared"))
    for folder in (first, second):
        folder.mkdir()
        (folder / "run.yaml").write_text(RUN)
    flags = [f"--ray={two_nodes.address}", "--num-samplers=2", f"--results-dir={shared}", "--run-id=r", "--seed=1"]
    command = [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", "--env=Basic", *flags]
    checkpoints = shared / "r/Basic"
    with subprocess.Popen(command, cwd=first, start_new_session=True, stdout=subprocess.DEVNULL) as driver:
        until = time.monotonic() + 240
        while not list(checkpoints.glob("Basic-*.safetensors")):
            assert driver.poll() is None
            assert time.monotonic() < until
            time.sleep(0.2)
        assert any("ray::RemoteSampler" in words for words in programs_on_nodes())
        driver.kill()
    await_nobody(60)
    saved = max(int(path.stem.split("-")[1]) for path in checkpoints.glob("Basic-*.safetensors"))
    lock = shared / "r/run.lock"
    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"host": "a-machine-that-is-gone"}))
    os.utime(lock, (0, 0))
    with subprocess.Popen([*command, "--resume"], cwd=second, stdout=subprocess.PIPE, text=True) as driver:
        for line in driver.stdout:
            if "resuming training from step" in line:
                resumed = int(line.split()[-1].rstrip("."))
            if "Step: " in line:
                driver.send_signal(signal.SIGINT)
        assert driver.wait(120) == 0
    assert resumed >= saved  # provisional ones are newer
    await_nobody()


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
