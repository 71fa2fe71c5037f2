"""`mlagents runs` over runs that were written by the writers of a run, in both layouts."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mlagents.artifacts.layout import Layout
from mlagents.artifacts.manifest import manifest
from mlagents.artifacts.run_lock import RunLock
from mlagents.artifacts.status import Status, listed
from mlagents.cli.main import main
from mlagents.files import write_atomically
from mlagents.runs.chart import COLOURS, short, ticks
from mlagents.runs.comparison import differences
from mlagents.runs.curves import behaviors_of, read_curves
from mlagents.runs.records import find_runs, read_record
from mlagents.settings import dump, parse_run_settings
from mlagents.stats import ClockWriter, CsvWriter, TensorBoardWriter
from mlagents.stats.summary import Aggregation, summarize

REWARD, LENGTH, ELO = "Environment/Cumulative Reward", "Environment/Episode Length", "Self-play/ELO"


def write_run(run_id, rewards, *, results_dir=None, behavior="Ball", max_steps=400, rate=3.0e-4, clock=True, elo=None):
    """A run with a summary every 100 steps, one every 2 s, at 1.5 CPU seconds each."""
    layout = Layout(run_id, results_dir)
    section = f"{{trainer_type: ppo, max_steps: {max_steps}, hyperparameters: {{learning_rate: {rate}}}}}"
    text = f"behaviors: {{{behavior}: {section}}}"
    settings = parse_run_settings(f"{text}\ncheckpoint_settings: {{run_id: {run_id}}}\n")
    write_atomically(layout.configuration, dump(settings).encode())
    write_atomically(layout.manifest, manifest(settings))
    now = [0.0]
    writers = [TensorBoardWriter(layout.events), CsvWriter(layout.csv)]
    if clock:
        writers.append(ClockWriter(layout.clock, None, lambda: 2.0 * now[0], lambda: 1.5 * now[0]))
    for number, reward in enumerate(rewards, start=1):
        now[0] = float(number)
        values = {REWARD: reward, LENGTH: 10.0} | ({} if elo is None else {ELO: elo})
        summaries = {tag: summarize([value], Aggregation.AVERAGE) for tag, value in values.items()}
        for writer in writers:
            writer.write(behavior, 100 * number, summaries)
    for writer in writers:
        writer.close()
    state = layout.checkpoint(behavior, 100 * len(rewards), ".safetensors")
    write_atomically(state, b"weights")
    status = Status()
    status.set_checkpoints(behavior, [listed(100 * len(rewards), state)])
    status.write(layout.status)
    return layout


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=[None, Path("results")], ids=["2020", "modern"])
def layout(here, request):
    return write_run("first", [1.0, 2.0, 5.0, 4.0], results_dir=request.param, elo=1234.0)


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def told(capsys, *arguments):
    assert main(["runs", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_list_tells_what_a_run_has_come_to(layout, capsys):
    (record,) = told(capsys, "list")
    assert (record["run_id"], record["state"], record["wall_s"], record["cpu_s"]) == ("first", "done", 8.0, 6.0)
    assert record["size_bytes"] == sum(path.stat().st_size for path in Path.cwd().rglob("*") if path.is_file())
    assert record["behaviors"] == [
        {
            "name": "Ball",
            "step": 400,
            "reward": 4.0,
            "best_reward": 5.0,
            "rating": 1234.0,
            "steps_per_second": 50.0,  # 300 steps from the first summary to the last, in 6 s
        }
    ]


def test_a_run_that_is_not_at_its_end_is_stopped_and_one_with_an_owner_in_use(here, capsys):
    layout = write_run("first", [1.0], max_steps=401)
    assert told(capsys, "list")[0]["state"] == "stopped"
    lock = RunLock(layout.lock)
    lock.acquire()
    try:
        (record,) = told(capsys, "list")
        assert record["state"] == "in use"
        assert "process" in record["used_by"]
    finally:
        lock.release()


def test_runs_without_a_clock_or_a_csv_file_are_told_from_event_files(here):
    layout = write_run("old", [1.0, 3.0], clock=False)
    curves = read_curves(layout, "Ball")
    assert curves.cpu_s is None
    assert curves.wall_s is not None
    assert (np.diff(curves.wall_s) >= 0).all()
    layout.csv("Ball").unlink()
    again = read_curves(layout, "Ball")
    assert again.steps.tolist() == [100, 200]
    assert again.value(REWARD).tolist() == [1.0, 3.0]
    assert np.isnan(again.value("no such tag")).all()


def test_names_of_behaviors_are_found_even_if_one_run_id_begins_with_another(here):
    write_run("first", [1.0], behavior="Ball")
    write_run("first_Ball", [1.0], behavior="Cube")
    assert behaviors_of(Layout("first")) == ["Ball"]
    assert behaviors_of(Layout("first_Ball")) == ["Cube"]
    assert sorted(layout.run_id for layout in find_runs()) == ["first", "first_Ball"]


def test_a_run_that_was_killed_before_its_first_checkpoint_is_listed(here, capsys):
    layout = Layout("dead", Path("results"))
    write_atomically(layout.configuration, b"behaviors: {}\n")
    assert read_record(layout).state == "stopped"
    assert main(["runs", "list"]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("dead\tstopped\t-\t0\t-\t-\t-\t-\t")


def test_compare_shows_results_and_the_settings_that_differ(here, capsys):
    write_run("slow", [1.0, 2.0])
    write_run("fast", [3.0, 6.0], rate=1.0e-3, max_steps=200)
    found = told(capsys, "compare", "slow", "fast")
    assert [run["behaviors"][0]["reward"] for run in found["runs"]] == [2.0, 6.0]
    assert found["settings"] == {
        "behaviors.Ball.max_steps": ["400", "200"],
        "behaviors.Ball.hyperparameters.learning_rate": ["0.0003", "0.001"],
    }
    assert main(["runs", "compare", "slow", "fast"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("slow\tBall\t200\t2.000\t2.000\t-\t50")
    assert "behaviors.Ball.hyperparameters.learning_rate\t0.0003\t0.001" in lines


def test_one_run_alone_is_not_called_the_same(here, capsys):
    write_run("slow", [1.0, 2.0])
    write_run("twin", [1.0, 2.0])
    for names in (["slow"], ["slow", "slow"]):
        assert main(["runs", "compare", *names]) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("one run: nothing to compare it with")
    assert main(["runs", "compare", "slow", "twin"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all settings are the same"
    assert main(["runs", "compare", "slow", "--all"]) == 0
    assert "behaviors.Ball.max_steps\t400" in capsys.readouterr().out.splitlines()


def test_settings_that_one_run_lacks_differ():
    first = {"a": {"b": [1, 2], "c": [{"d": True}]}, "checkpoint_settings": {"run_id": "x"}}
    second = {"a": {"b": [1, 2]}, "checkpoint_settings": {"run_id": "y"}}
    assert differences([first, second]) == {"a.c.0.d": ["true", "-"]}
    assert differences([first, first]) == {}


def test_plot_draws_every_run_over_steps_wall_and_cpu_time(here, capsys):
    write_run("slow", [1.0, 2.0, 3.0])
    write_run("fast", [3.0, 6.0, 9.0], clock=False)
    assert told(capsys, "plot", "slow", "fast", "-o", "curves.png")["lines"] == ["slow", "fast"]
    with Image.open("curves.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    assert pixels.shape == (320 + 20 * 2 + 8, 3 * 460, 3)
    panels = [pixels[:320, 460 * n : 460 * (n + 1)] for n in range(3)]
    assert [seen(panel, COLOURS[0]) for panel in panels] == [True, True, True]
    assert [seen(panel, COLOURS[1]) for panel in panels] == [True, True, False]  # nothing is known of its CPU time


def seen(pixels, colour):
    return bool((np.abs(pixels - np.array(colour)).sum(axis=-1) < 30).sum() > 50)


def test_plot_says_what_there_is_to_draw(layout, capsys):
    assert main(["runs", "plot", "first", "--tag", "Losses/Policy Loss"]) == 2
    error = capsys.readouterr().err
    assert f"behaviors: Ball; tags: {REWARD}, {LENGTH}, {ELO}" in error
    assert main(["runs", "plot", "first", "--behavior", "Cube"]) == 2
    error = capsys.readouterr().err
    assert error == "error: --behavior=Cube: there is no such behavior in these runs; there are Ball\n"
    assert main(["runs", "plot", "first", "-o", "curves.gif"]) == 2


def test_ticks_are_round_numbers():
    assert ticks(0.0, 10.0) == [0, 2, 4, 6, 8, 10]
    assert ticks(-0.3, 1.05) == pytest.approx([0.0, 0.5, 1.0])
    assert ticks(0.0, 1.0) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert [short(v) for v in (0.0, 1e-15, 12.5, 2500, 25000, 1.5e6, -3e9)] == [
        "0",
        "0",
        "12.5",
        "2500",
        "25k",
        "1.5M",
        "-3G",
    ]


def test_delete_takes_all_files_of_the_run_and_nothing_else(layout, capsys):
    write_run("first_too", [1.0], results_dir=layout.results_dir)
    before = [file for file in files(Path.cwd()) if "first_too" in file]
    assert main(["runs", "delete", "first"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert main(["runs", "delete", "first", "--yes"]) == 0
    assert files(Path.cwd()) == before
    assert not layout.run.exists()


def test_a_run_in_use_is_neither_deleted_nor_packed(layout, capsys):
    code = (
        "import pathlib, sys\nfrom mlagents.artifacts.run_lock import RunLock\n"
        "RunLock(pathlib.Path(sys.argv[1])).acquire()\nprint('held', flush=True)\nsys.stdin.readline()\n"
    )
    command = [sys.executable, "-c", code, str(layout.lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout.readline() == "held\n"
        before = files(Path.cwd())
        for action in (["delete", "first", "--yes"], ["archive", "first"]):
            assert main(["runs", *action]) == 1
            assert f"in use by process {owner.pid}" in capsys.readouterr().err
        assert files(Path.cwd()) == before
        owner.stdin.write("\n")


def test_archive_packs_and_tar_brings_the_run_back(layout):
    before = {file: (Path.cwd() / file).read_bytes() for file in files(Path.cwd())}
    assert main(["runs", "archive", "first", "--keep"]) == 0
    packed = Path("archive/first.tar.gz")
    assert {*files(Path.cwd())} == {*before, str(packed)}
    packed.unlink()
    assert main(["runs", "archive", "first"]) == 0
    assert files(Path.cwd()) == [str(packed)]
    subprocess.run(["tar", "xzf", packed], check=True)
    packed.unlink()
    assert {file: (Path.cwd() / file).read_bytes() for file in files(Path.cwd())} == before
    assert main(["runs", "list"]) == 0


def test_an_archive_is_not_overwritten(layout, capsys):
    Path("archive").mkdir()
    Path("archive/first.tar.gz").write_text("mine")
    assert main(["runs", "archive", "first"]) == 2
    assert layout.status.exists()
    assert Path("archive/first.tar.gz").read_text() == "mine"


def test_unknown_and_ambiguous_names(here, capsys):
    write_run("first", [1.0])
    assert main(["runs", "delete", "frist", "--yes"]) == 2
    assert "did you mean first?" in capsys.readouterr().err
    write_run("first", [1.0], results_dir=Path("results"))
    assert main(["runs", "delete", "first", "--yes"]) == 2
    assert "models/first, results/first" in capsys.readouterr().err
    assert main(["runs", "delete", "results/first", "--yes"]) == 0
    assert Layout("first").status.exists()
    (here / "models/notes").mkdir()
    (here / "models/notes/mine.txt").write_text("no run")
    assert main(["runs", "delete", "models/notes", "--yes"]) == 2


def test_csv_rows_of_a_writer_are_read_as_numbers(here):
    layout = write_run("first", [1.0])
    with layout.csv("Ball").open("a", newline="") as file:
        csv.writer(file).writerow([200, "None", "12.0"])
        file.write("300,5")  # cut short by a crash
    curves = read_curves(layout, "Ball")
    assert curves.steps.tolist() == [100, 200]
    assert np.isnan(curves.value(REWARD)[1])
    assert curves.last(REWARD) == 1.0
