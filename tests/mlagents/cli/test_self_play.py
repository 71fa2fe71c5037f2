"""Self-play as a user types it: train, stop, resume, look at the league, and play models against each other."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlagents.cli import learn, main

TESTS = Path(__file__).resolve().parents[2]
FILE = TESTS / "toys" / "contest_file.py"
CONFIG = """\
behaviors:
  Runner:
    trainer_type: ppo
    hyperparameters: {batch_size: 64, buffer_size: 512, learning_rate: 3.0e-3}
    network_settings: {hidden_units: 16, num_layers: 1}
    max_steps: %d
    time_horizon: 20
    summary_freq: 1000
    checkpoint_interval: 1000
    self_play: {save_steps: 500, team_change: 1500, swap_steps: 300, window: 4, %s}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(max_steps=4000, extra="baselines: [random, heuristic], baseline_episodes: 10"):
    Path("race.yaml").write_text(CONFIG % (max_steps, extra))


def train(*flags, run="r"):
    return learn.main(["race.yaml", f"--env={FILE}", f"--run-id={run}", "--results-dir=results", "--seed=1", *flags])


def league_of(run="r"):
    return json.loads(Path(f"results/{run}/run_logs/training_status.json").read_text())["metadata"]["league"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run, and what it said."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "race.yaml").write_text(CONFIG % (4000, "baselines: [random, heuristic], baseline_episodes: 10"))
    process = start("--keep-best=2", cwd=folder)
    said, _ = process.communicate(timeout=250)
    assert process.returncode == 0, said
    return folder, said


def test_a_run(trained, capsys, monkeypatch):
    folder, said = trained
    monkeypatch.chdir(folder)
    run = folder / "results" / "r"
    assert re.search(r"Runner\. Step: 4000\. .* Training\. ELO: \d+\.\d{3}\.", said)
    assert "Self-play: team 1 learns now." in said
    assert re.search(r"Runner against random: \d+ won, \d+ drawn, \d+ lost", said)
    assert re.search(r"Best checkpoint of Runner: step \d+, Elo \d+", said)
    assert {path.name for path in run.glob("*.onnx")} == {"Runner.onnx"}, "one model of a behavior, not of a team"
    found = league_of()
    assert found["entrants"]["Runner"]["count"] >= 7
    snapshots = sorted(path.name for path in (run / "Runner" / "snapshots").iterdir())
    assert 4 <= len(snapshots) <= 7, "those of the window, and of games that go on"
    status = json.loads((run / "run_logs" / "training_status.json").read_text())
    ratings = [checkpoint["rating"] for checkpoint in status["Runner"]["checkpoints"]]
    assert ratings[-1] == found["standings"]["ratings"]["Runner"][0]

    assert main.main(["league", "results/r"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "player\tElo\t+-"
    assert any(line.startswith("Runner:random\t") for line in lines)
    assert any(line.startswith("points in % against\tRunner:0") for line in lines)
    assert main.main(["league", "results/r", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ratings"]["Runner"]["elo"] > report["ratings"]["Runner:random"]["elo"]
    assert (
        sum(r["wins"] + r["draws"] + r["losses"] for r in report["results"] if r["opponent"] == "Runner:random") >= 70
    )
    assert main.main(["league", "results/r", "--png", "matrix.png"]) == 0
    picture = np.asarray(Image.open("matrix.png").convert("RGB"))
    assert picture.shape[0] > 300
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5


def test_who_never_met_plays_now(trained, capsys, monkeypatch):
    """Newest weights meet snapshots and baselines; two baselines never met while the run went on."""
    monkeypatch.chdir(trained[0])
    assert main.main(["league", "results/r", "--json", "--last=3"]) == 0
    before = json.loads(capsys.readouterr().out)["results"]
    assert main.main(["league", "results/r", "--json", "--last=3", "--games=5"]) == 0
    found = {(r["player"], r["opponent"]): r for r in json.loads(capsys.readouterr().out)["results"]}
    played = {pair: r for pair, r in found.items() if pair not in {(r["player"], r["opponent"]) for r in before}}
    last = league_of()["entrants"]["Runner"]["count"]
    shown = [f"Runner:{what}" for what in (last - 3, last - 2, last - 1, "random", "heuristic")]
    assert all((a, b) in found or (b, a) in found for a, b in itertools.combinations(shown, 2))
    (rules,) = {("Runner:random", "Runner:heuristic"), ("Runner:heuristic", "Runner:random")} & played.keys()
    assert played[rules]["losses" if rules[0] == "Runner:random" else "wins"] >= 4
    assert all(r["wins"] + r["draws"] + r["losses"] == 5 for r in played.values())
    assert main.main(["league", "results/r", "--games=2", "--last=2", "--env=Basic"]) == 1
    assert "a match needs two teams" in capsys.readouterr().err


def play(capsys, *flags):
    capsys.readouterr()
    assert main.main(["play", str(FILE), "--json", "--num-areas=5", *flags]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_trained_model_beats_random_and_the_snapshots_are_players(trained, capsys, monkeypatch):
    monkeypatch.chdir(trained[0])
    found = play(capsys, "--model=r", "--against=random", "--episodes=41")
    assert found["wins"] + found["draws"] + found["losses"] == 41
    assert found["rate"] >= 0.9
    low, high = found["interval"]
    assert 0.7 < low < found["rate"] <= high <= 1
    assert [(leg["team"], leg["wins"] + leg["draws"] + leg["losses"]) for leg in found["legs"]] == [(0, 21), (1, 20)]
    again = play(capsys, "--model=random", "--against=r", "--episodes=41")
    assert again["rate"] <= 0.1
    newest = max(int(p.stem.rpartition("-")[2]) for p in Path("results/r/Runner/snapshots").iterdir())
    even = play(capsys, f"--model=r@{newest}", "--against=heuristic", "--episodes=20", "--deterministic")
    assert even["losses"] == 0, "the rule runs forward always: so does a trained agent, and nobody can do better"
    same = play(capsys, "--model=heuristic", "--against=heuristic", "--episodes=20")
    assert (same["wins"], same["draws"], same["losses"]) == (0, 20, 0)
    assert main.main(["play", str(FILE), "--model=r", "--against=random", "--episodes=4"]) == 0
    assert "together\t" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--model=r@99", "--against=random"), r"run 'r' has no snapshot 99 of Runner \(there are: .*\d\)"),
        (("--model=r", "--against=nobody"), "there is no model or run 'nobody'"),
        (("--model=random", "--against=x.safetensors"), "x.safetensors does not exist"),
        (("--heuristic", "--against=random"), "--against goes with --model only"),
    ],
)
def test_bad_players(flags, words, capsys):
    Path("results/r/Runner/snapshots").mkdir(parents=True)
    Path("results/r/Runner/snapshots/Runner-3.safetensors").write_bytes(b"")
    Path("results/r/Runner.onnx").write_bytes(b"")
    assert main.main(["play", str(FILE), *flags]) != 0
    assert re.search(words, capsys.readouterr().err)


def test_a_model_of_other_shapes_is_refused_before_training(capsys):
    write(extra="baselines: [pair.safetensors]")
    from mlagents.artifacts.layout import Layout
    from mlagents.artifacts.snapshots import Snapshots
    from mlagents.data.segments import WeightsId
    from mlagents.rollout.collected import Weights
    from mlagents.settings import NetworkSettings
    from toys.contest import two_against_one
    from toys.policies import seasoned_policy

    spec, network = two_against_one().spec, NetworkSettings(hidden_units=4, num_layers=1)
    weights = Weights(seasoned_policy(spec, hidden_units=4, num_layers=1), 0)
    layout = Layout("other", Path("results"))
    Snapshots(layout).save(WeightsId("Runner", 0), weights, 0, spec, network)
    layout.snapshot("Runner", 0).rename("pair.safetensors")
    assert train() == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert (
        "pair.safetensors is for observations [1] and 0 continuous actions and branches [2], but the behavior has"
        in line
    )


def test_league_without_self_play(capsys):
    write()
    text = Path("race.yaml").read_text().replace("    self_play", "    # self_play")
    Path("race.yaml").write_text(text.replace("4000", "600"))
    assert train() == 0
    capsys.readouterr()
    assert main.main(["league", "results/r"]) == 2
    assert "has no league: none of its behaviors had self_play" in capsys.readouterr().err


def start(*flags, cwd=None):
    argv = [sys.executable, "-m", "mlagents.cli.learn", "race.yaml", f"--env={FILE}", "--run-id=r"]
    return subprocess.Popen(
        [*argv, "--results-dir=results", "--seed=1", *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
    )


def test_killed_and_resumed_with_ratings_and_snapshots():
    write(max_steps=10**8, extra="")
    process = start()
    status, deadline = Path("results/r/run_logs/training_status.json"), time.monotonic() + 100
    while not (status.exists() and '"league"' in status.read_text()) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(1.0)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    before = league_of()
    assert before["entrants"]["Runner"]["count"] > 0
    write(max_steps=json.loads(status.read_text())["Runner"]["checkpoints"][-1]["steps"] + 1200, extra="")
    assert train("--resume") == 0
    after = league_of()
    for name, score in before["standings"]["ratings"].items():
        if name != "Runner" and int(name.rpartition(":")[2]) < after["entrants"]["Runner"]["count"] - 6:
            assert after["standings"]["ratings"][name] == score, "who is out of the window keeps its rating"
    assert after["entrants"]["Runner"]["count"] > before["entrants"]["Runner"]["count"]
    assert after["standings"]["ratings"]["Runner"] != before["standings"]["ratings"]["Runner"]


def test_another_run_inherits_the_rating_on_request():
    write(1500, extra="")
    assert train() == 0
    elo = league_of()["standings"]["ratings"]["Runner"]
    write(100, extra="inherit_rating: true")
    assert train("--initialize-from=r", run="heir") == 0
    write(100, extra="")
    assert train("--initialize-from=r", run="stranger") == 0
    assert abs(league_of("heir")["standings"]["ratings"]["Runner"][0] - elo[0]) < 60
    assert abs(league_of("stranger")["standings"]["ratings"]["Runner"][0] - 1200) < abs(elo[0] - 1200)
