"""A run and its files, as people meet them: two runs of one name, kills, closed terminals and pipes, wrong starts."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from mlagents.cli.learn import main
from mlagents.settings import load_run_settings
from mlagents.training.build import build
from mlagents_envs.logging_util import NOTSET, set_log_level

CONFIG = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256, learning_rate: 1.0e-3}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: %d
    time_horizon: 3
    summary_freq: 100
    checkpoint_interval: 700
"""
FOREVER = 10**8

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are sent as on POSIX")


def command(*flags, env="Basic", run="r"):
    return [sys.executable, "-m", "mlagents.cli.learn", "run.yaml", f"--env={env}", f"--run-id={run}", *flags]


def configure(folder, max_steps):
    (folder / "run.yaml").write_text(CONFIG % max_steps)


def start(folder, *flags, stderr=subprocess.STDOUT, before=(), **changes):
    return subprocess.Popen(
        [*before, *command(*flags, **changes)], cwd=folder, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def learn(folder, *flags, **changes):
    return subprocess.run(
        command(*flags, **changes), cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


def read_until(process, words):
    lines = []
    for line in process.stdout:
        lines.append(line)
        if words in line:
            return lines
    raise AssertionError("".join(lines))


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def newest_step(folder):
    return json.loads((folder / "models/r/training_status.json").read_text())["Basic"]["checkpoints"][-1]["steps"]


@pytest.fixture
def folder(tmp_path):
    configure(tmp_path, FOREVER)
    return tmp_path


@pytest.fixture
def here(folder, monkeypatch):
    """For runs in this process."""
    monkeypatch.chdir(folder)
    yield folder
    set_log_level(NOTSET)


def test_one_owner_and_one_history_when_a_run_is_killed(folder):
    """A second start is refused while the first runs; then it is killed, and goes on with every step written once."""
    with start(folder, "--jsonl") as process:
        read_until(process, "Step: 1000.")
        refused = learn(folder, "--resume")
        assert refused.returncode == 1
        assert refused.stderr.startswith(f"error: The run in models/r is in use by process {process.pid} on ")
        lost = _step_past_a_checkpoint(process, folder)
        process.kill()
        lost = max([lost, *_steps(process.stdout.readlines())])
    assert lost > newest_step(folder) + 100
    (folder / "models/r/Basic/Basic-999999.safetensors").write_text("")
    (folder / "models/r/.training_status.json.4711.tmp").write_text("")
    configure(folder, lost + 300)
    result = learn(folder, "--resume", "--jsonl")
    assert result.returncode == 0, result.stderr
    assert f"left by process {process.pid}" in result.stdout
    _every_step_stands_once(folder, last=(lost + 300) // 100 * 100)
    litter = {"models/r/Basic/Basic-999999.safetensors", "models/r/.training_status.json.4711.tmp", "models/r/run.lock"}
    assert not litter & {*files(folder)}


def _steps(lines):
    return [int(line.split("Step: ")[1].split(".")[0]) for line in lines if "Step: " in line]


def _step_past_a_checkpoint(process, folder):
    """Wait until the run has summaries behind its newest checkpoint, of which it writes one every 700 steps."""
    while True:
        [step] = _steps(read_until(process, "Step: ")[-1:])
        if 200 <= step - newest_step(folder) <= 400:
            return step


def _every_step_stands_once(folder, last):
    expected = list(range(100, last + 1, 100))
    with (folder / "summaries/r_Basic.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["Steps"]) for row in rows] == expected
    records = [json.loads(line) for line in (folder / "summaries/r.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if "step" in record] == expected
    events = EventAccumulator(str(folder / "summaries/r_Basic"), size_guidance={"scalars": 0}).Reload()
    tags = events.Tags()["scalars"]
    assert set(tags) <= set(rows[0])
    for tag in tags:
        steps = [event.step for event in events.Scalars(tag)]
        assert max(Counter(steps).values()) == 1, tag
        assert set(steps) <= set(expected)


def test_what_is_over_is_said_and_force_forgets_it(here, capsys):
    """The second run of the name is killed, as it were, before its first checkpoint."""
    configure(here, 300)
    assert main(command()[3:]) == 0
    assert main(command("--resume")[3:]) == 0
    assert "[WARNING] Basic: its training is over, step 30" in capsys.readouterr().out
    before = {path: path.read_bytes() for path in here.rglob("*") if path.is_file()}
    configure(here, 100)
    settings = load_run_settings(Path("run.yaml"), {"env_path": "Basic", "run_id": "r", "force": True})
    run = build(settings, None)
    assert {path for path in here.rglob("*") if path.is_file()} - before.keys() == {here / "models/r/run.lock"}
    run.folder.begin()
    run.close()
    assert not list(here.glob("models/r/Basic*"))
    assert main(command("--resume")[3:]) == 0
    assert "was stopped before its first checkpoint: it starts from step 0." in capsys.readouterr().out
    assert 100 <= newest_step(here) < 200


def test_a_closed_terminal_is_neither_the_end_nor_a_reason_to_complain(folder):
    """Nobody reads what is printed, and the whole group of processes gets SIGHUP: the run is saved."""
    with start(folder, "--num-envs=2", stderr=subprocess.PIPE) as process:
        read_until(process, "Step: 200.")
        process.stdout.close()
        time.sleep(1)
        assert process.poll() is None  # writes into a closed pipe, and trains on
        for member in (*psutil.Process(process.pid).children(recursive=True), process):
            member.send_signal(signal.SIGHUP)
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    assert errors == "SIGHUP: stopping after what is in progress, and saving; once more interrupts that.\n"
    assert newest_step(folder) >= 200
    with start(folder, "--resume", "--inference", stderr=subprocess.PIPE) as process:
        read_until(process, "Not Training.")
        process.stdout.close()  # as `| head` does
        errors = process.stderr.read()  # inference ends by itself
    assert (process.returncode, errors) == (0, "")


@pytest.mark.parametrize("delay_s", [0.3, 1.5])
def test_ctrl_c_before_training_ends_a_run_without_a_trace(folder, delay_s):
    _interrupt(folder, delay_s)


def _interrupt(folder, delay_s, *flags):
    with start(folder, *flags) as process:
        time.sleep(delay_s)
        process.send_signal(signal.SIGINT)
        begin = time.monotonic()
        output = process.stdout.read()
    assert "Traceback" not in output or process.returncode == -signal.SIGINT  # Python itself was starting
    if process.returncode == 0:
        assert newest_step(folder) >= 0
        return "saved"
    assert process.returncode in (130, -signal.SIGINT), output
    assert time.monotonic() - begin < 20
    assert files(folder) == ["run.yaml"], output
    return "ended"


@pytest.mark.slow
@pytest.mark.parametrize("flags", [(), ("--num-envs=2",)])
def test_ctrl_c_at_any_time(folder, flags):
    """Twenty-four times within the first seconds: it ends or saves, and is never lost."""
    chance = random.Random(3)
    for attempt in range(24):
        folder_of_attempt = folder / str(attempt)
        folder_of_attempt.mkdir()
        configure(folder_of_attempt, FOREVER)
        _interrupt(folder_of_attempt, 0.2 + chance.random() * 6, *flags)


def test_all_faults_of_a_start_are_said_at_once_and_leave_nothing(here, capsys):
    (here / "models/r").mkdir(parents=True)
    (here / "models/r/configuration.yaml").write_text("")
    (here / "run.yaml").write_text(CONFIG % 10)
    before = files(here)
    assert main(command(env="Basik")[3:]) == 1
    errors = capsys.readouterr().err
    for words in ("The run id 'r' is taken", "--env=Basik", "did you mean Basic?"):
        assert words in errors
    assert errors.count("error:") == 1
    assert files(here) == before


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--run-id=../.."], "--run-id=../..: a run id is a name, not a path"),
        (["--results-dir=run.yaml"], "run.yaml is not a folder. Choose another --results-dir"),
        (["--env=./not_executable"], "not_executable"),
        (["--results-dir=new/folder", "--env=./not_executable"], "not_executable"),
        (["--initialize-from=nobody"], "--initialize-from=nobody: models/nobody does not exist"),
        (["--force", "--initialize-from=r"], "--initialize-from=r: models/r does not exist"),
    ],
)
def test_starts_that_fail_say_one_thing_and_leave_nothing(here, capsys, flags, message):
    (here / "not_executable").write_text("text")
    others = {*here.parent.iterdir()}
    assert main([*command()[3:], *flags]) == 1
    output, errors = capsys.readouterr()
    assert message in errors
    assert errors.count("error:") == 1
    assert "Traceback" not in errors + output
    assert {path.name for path in here.iterdir()} == {"run.yaml", "not_executable"}
    assert {*here.parent.iterdir()} == others


def test_a_run_does_not_start_from_what_it_overwrites(here, capsys):
    configure(here, 100)
    assert main(command()[3:]) == 0
    before = files(here)
    (here / "run.yaml").write_text(CONFIG % 100 + "    init_path: models/r/Basic\n")
    for flags in (["--force"], ["--force", "--initialize-from=r"]):
        assert main(command(*flags)[3:]) == 1
        assert "--force overwrites; choose another --run-id" in capsys.readouterr().err
    assert files(here) == before
