"""What a search does with the curves of its trials; and a real one, stopped and resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from mlagents.cli.tune import PICTURE_FILE, _show
from mlagents.search.metrics import Curve, Metric
from mlagents.search.picture import Panel, Point, draw, positions
from mlagents.search.study import BEST_FILE, STUDY_FILE, Plan, Search, SearchError
from mlagents.settings import load_run_settings

REWARD = Metric("reward", "Ball")
STEPS = Metric("steps-to-benchmark", "Ball", 10.0)
KEY = "behaviors.Ball.hyperparameters.learning_rate"
CONFIG = """\
behaviors:
  Ball: {trainer_type: ppo, max_steps: 1000}
search:
  behaviors.Ball.hyperparameters.learning_rate: {log_uniform: [1.0e-5, 1.0e-1]}
"""


def line(step, value, behavior="Ball", tag="Environment/Cumulative Reward"):
    return json.dumps({"behavior": behavior, "step": step, "stats": {tag: {"value": value}}}) + "\n"


# ---- curves and metrics


def curve_of(tmp_path, metric, values):
    path = tmp_path / "statistics.jsonl"
    path.write_text("".join(line(100 * (i + 1), value) for i, value in enumerate(values)))
    curve = Curve(path, metric)
    curve.read()
    return curve


def test_a_curve_is_read_as_it_grows(tmp_path):
    path = tmp_path / "statistics.jsonl"
    curve = Curve(path, REWARD)
    assert not curve.read()  # not there yet
    path.write_text(
        line(100, 1.0) + line(100, 7.0, "Other") + line(100, 3.0, tag="Self-play/ELO") + line(200, 2.0)[:-9]
    )
    assert curve.read()
    assert (curve.steps, curve.values) == ([100], [1.0])
    with path.open("a") as file:
        file.write(line(200, 2.0)[-9:] + line(300, None) + json.dumps({"behavior": "Ball", "text": {}}) + "\n")
    assert curve.read()
    assert (curve.steps, curve.values) == ([100, 200], [1.0, 2.0])
    assert not curve.read()
    path.write_text(line(50, 5.0))  # cut, and begun anew
    assert curve.read()
    assert (curve.steps, curve.values) == ([50], [5.0])


def test_the_reward_of_a_run_is_that_of_its_last_fifth(tmp_path):
    curve = curve_of(tmp_path, REWARD, [0, 0, 0, 0, 0, 0, 0, 0, 6, 8])
    assert REWARD.value(curve) == REWARD.progress(curve) == 7
    assert REWARD.value(Curve(tmp_path / "none", REWARD)) is None


def test_a_benchmark_is_reached_when_three_summaries_are_as_good(tmp_path):
    curve = curve_of(tmp_path, STEPS, [0, 30, 0, 0, 9, 10, 11, 12])
    assert STEPS.reached(curve) == 300  # (0 + 30 + 0) / 3
    assert STEPS.reached(curve.first(2)) is None
    assert STEPS.value(curve_of(tmp_path, STEPS, [9, 9.9, 9])) is None
    assert STEPS.progress(curve.first(2)) == -30  # the search minimises


def test_ratings_are_another_statistic(tmp_path):
    path = tmp_path / "statistics.jsonl"
    path.write_text(line(100, 5.0) + line(100, 1250.0, tag="Self-play/ELO"))
    curve = Curve(path, rating := Metric("rating", "Ball"))
    curve.read()
    assert rating.value(curve) == 1250


# ---- the search, with runs that write what they are told to


class Played:
    """A run whose rewards come one at a time, whenever somebody looks; it is better the nearer its rate is to 1e-3."""

    made = {}  # noqa: RUF012
    length = 10

    def __init__(self, folder, name, settings):
        folder.mkdir(parents=True, exist_ok=True)
        self.name, self.asked, self.settings = name, False, settings
        self.statistics = folder / f"{name}.jsonl"
        self._rate = settings.behavior("Ball").hyperparameters.learning_rate
        self._exit_code = None
        self.made.setdefault(name, []).append(self)
        self.written = self.statistics.read_text().count("\n") if self.statistics.exists() else 0

    @property
    def quality(self):
        import math

        return 20 - 8 * abs(math.log10(self._rate) + 3)

    @property
    def exit_code(self):
        if self._exit_code is None and not self.asked:
            self.written += 1
            with self.statistics.open("a") as file:
                file.write(line(100 * self.written, self.quality * self.written / self.length))
            if self.written >= self.length:
                self._exit_code = 0
        return self._exit_code

    def ask_to_stop(self):
        self.asked, self._exit_code = True, 0

    def finish(self):
        pass

    def last_words(self):
        return "return code 1; no such environment (log)"


class Failing(Played):
    @property
    def exit_code(self):
        return 1


@pytest.fixture
def search(tmp_path, monkeypatch):
    """Make a search; each call is a new process as far as it can tell."""
    monkeypatch.setattr("mlagents.search.study._LOOK_S", 0.0)
    monkeypatch.setattr(Played, "made", {})
    path = tmp_path / "search.yaml"
    path.write_text(CONFIG)
    opened = []

    def make(metric=REWARD, start=Played, **plan):
        space = load_run_settings(path).search
        found = Search(
            tmp_path / "s",
            Plan(metric, space, **{"seed": 1, **plan}),
            lambda v: load_run_settings(path, trial=v),
            start,
        )
        opened.append(found)
        return found

    yield make
    for each in opened:
        each.close()


def never():
    return False


def test_the_best_trial_is_found_and_written(search, tmp_path):
    found = search(trials=4, prunes=False)
    found.run(never)
    results = found.results()
    assert [result.state for result in results] == ["complete"] * 4
    qualities = [runs[0].quality for runs in Played.made.values()]
    best = found.best()
    assert best.number == qualities.index(max(qualities))
    assert best.value == pytest.approx(max(qualities) * (0.9 + 1.0) / 2)  # the mean of the last two of ten
    written = load_run_settings(tmp_path / "s" / BEST_FILE)
    assert written.behavior("Ball").hyperparameters.learning_rate == best.values[KEY]
    assert written.search == {}


def test_poor_trials_are_cut_short(search):
    found = search(trials=14, startup=3, warmup=2)
    found.run(never)
    results = found.results()
    cut = [result for result in results if result.state == "pruned"]
    assert cut
    assert all(200 <= result.steps < 1000 for result in cut)  # not before the warm-up
    assert all(Played.made[f"trial-{result.number:05d}"][0].asked for result in cut)
    assert found.best().value >= max(result.level for result in cut)


def test_a_search_without_pruning_runs_to_the_end(search):
    found = search(trials=6, startup=3, warmup=2, prunes=False)
    found.run(never)
    assert {result.steps for result in found.results()} == {1000}


def test_trials_run_side_by_side(search):
    most = 0

    def watch():
        nonlocal most
        most = max(most, len(found._running))
        return False

    found = search(trials=5, jobs=3, prunes=False)
    found.run(watch)
    assert most == 3
    assert len(found.results()) == 5


def test_a_stopped_search_goes_on_with_its_trials(search):
    looks = iter(range(100))
    first = search(trials=4, jobs=2, prunes=False)
    first.run(lambda: next(looks) > 4)
    running = [result for result in first.results() if result.state == "running"]
    assert [result.number for result in running] == [0, 1]
    assert all(Played.made[f"trial-{n:05d}"][0].asked for n in (0, 1))  # they were let save
    second = search(trials=4, jobs=2, prunes=False)
    second.run(never)
    results = second.results()
    assert [result.state for result in results] == ["complete"] * 4
    assert [result.values for result in results[:2]] == [result.values for result in running]
    assert [len(runs) for runs in Played.made.values()] == [2, 2, 1, 1]
    assert {result.steps for result in results} == {1000}  # and not anew
    third = search(trials=5, prunes=False)
    third.run(never)
    assert len(third.results()) == 5  # trials are counted from the first call on
    assert len({result.values[KEY] for result in third.results()}) == 5


def test_a_trial_that_comes_to_the_benchmark_ends_there(search):
    found = search(STEPS, trials=6, prunes=False)
    found.run(never)
    results = found.results()
    for result in results:
        quality = Played.made[f"trial-{result.number:05d}"][0].quality
        steps = [100 * n for n in range(3, 11) if quality * (n - 1) / 10 >= 10]  # the mean of three neighbours
        assert result.state == ("complete" if steps else "pruned")
        assert result.value == (steps[0] if steps else None)
    assert {result.state for result in results} == {"complete", "pruned"}
    assert found.best().value == min(result.value for result in results if result.value)


def test_a_search_of_another_kind_is_not_gone_on_with(search):
    search(trials=1).run(never)
    with pytest.raises(SearchError, match="begun with another metric"):
        search(STEPS, trials=2)


def test_trials_that_all_fail_end_the_search(search):
    found = search(trials=50, start=Failing)
    with pytest.raises(SearchError, match="3 trials failed in a row, the last with return code 1; no such environment"):
        found.run(never)
    assert [result.state for result in found.results()] == ["failed"] * 3


def test_values_that_do_not_go_together_are_a_failed_trial(search):
    found = search(trials=2)
    asked = []

    def refuse_first(values):
        from mlagents.settings import SettingsError

        asked.append(values)
        if len(asked) == 1:
            raise SettingsError("too much")
        return load_run_settings(found.folder.parent / "search.yaml", trial=values)

    found.settings_of = refuse_first
    found.run(never)
    assert [result.state for result in found.results()] == ["failed", "complete"]


def test_without_optuna_the_command_to_install_it_is_said(search, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(SearchError, match=r'pip install "mlagents-jax\[tune\]"'):
        search(trials=1)


def test_table_and_picture_of_a_search(search, capsys):
    found = search(trials=8, startup=3, warmup=2)
    found.run(never)
    _show(found, found.plan, found.folder)
    heading, *rows, best, picture = capsys.readouterr().out.splitlines()
    assert heading.split("\t") == ["trial", "state", "reward", "reward so far", "steps", "learning_rate"]
    cells = [row.split("\t") for row in rows]
    assert len(cells) == 8
    assert cells[0][0] == str(found.best().number)
    complete = [float(row[2]) for row in cells if row[1] == "complete"]
    assert complete == sorted(complete, reverse=True)
    assert all(row[2] == "-" for row in cells if row[1] == "pruned")
    assert best.startswith(f"best: trial {cells[0][0]}, reward {cells[0][2]}: ")
    assert picture == f"picture: {found.folder / PICTURE_FILE}"
    assert (found.folder / PICTURE_FILE).is_file()


# ---- the picture


def test_places_on_an_axis():
    assert positions([1, 2, 3]) == ([0, 0.5, 1], [(0, "1"), (1, "3")])
    assert positions([1e-4, 1e-3, 1e-2], True)[0] == pytest.approx([0, 0.5, 1])
    assert positions(["a", "b", "a"]) == ([0.25, 0.75, 0.25], [(0.25, "a"), (0.75, "b")])
    assert positions([True, False])[0] == [0.25, 0.75]
    assert positions([5.0])[0] == [0.5]


def test_the_picture_shows_best_done_and_cut(tmp_path):
    points = [Point(1, 3.0, False, True), Point(2, 2.0, False, False), Point(3, 1.0, True, False)]
    draw(tmp_path / "a" / "search.png", [Panel("x", points), Panel("none", [])], "reward")
    with Image.open(tmp_path / "a" / "search.png") as picture:
        picture.load()
        assert picture.size == (420, 600)
        seen = [picture.getpixel((x, y)) for x, y in ((76, 42), (234, 145), (392, 248))]
    assert seen == [(202, 90, 60), (48, 110, 180), (200, 200, 200)]


# ---- the command

BASIC = """\
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 3000
    time_horizon: 3
    summary_freq: 300
search:
  behaviors.Basic.hyperparameters.learning_rate: {log_uniform: [1.0e-5, 1.0e-2]}
  behaviors.Basic.hyperparameters.num_epoch: {int: [1, 3]}
"""


def tune(folder, *flags):
    return subprocess.Popen(
        [*(sys.executable, "-m", "mlagents.cli.main", "tune", "search.yaml"), *flags],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def said(folder, *flags):
    with tune(folder, *flags) as process:
        _, errors = process.communicate(timeout=120)
    return process.returncode, errors


def test_faults_of_the_command_are_one_line(tmp_path):
    (tmp_path / "search.yaml").write_text(BASIC)
    from mlagents.cli.main import main

    os.chdir(before := os.getcwd())
    for flags, text in [
        (["--env=Basic", "--metric=rating"], "Basic has no self_play"),
        (["--env=Basic", "--benchmark=3"], "--benchmark is for --metric steps-to-benchmark"),
        (["--env=Basic", "--behavior=Basik"], "--behavior=Basik: expected one of Basic"),
        ([], "trials need an environment"),
        (["--env=Basic", "--resume"], "there is no search in"),
        (["--env=Basic", "--study=a/b"], "a run id is a name, not a path"),
    ]:
        arguments = ["tune", str(tmp_path / "search.yaml"), "--trials=1", f"--results-dir={tmp_path / 'r'}", *flags]
        assert (main(arguments), text) == (2, text)
    assert os.getcwd() == before
    assert not (tmp_path / "r").exists()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="Ctrl+C is sent as a signal")
def test_a_real_search_is_stopped_and_goes_on(tmp_path):
    (tmp_path / "search.yaml").write_text(BASIC)
    flags = ("--env=Basic", "--trials=3", "--jobs=2", "--seed=1", "--no-pruning")
    study = tmp_path / "results" / "search"
    with tune(tmp_path, *flags) as process:
        until = time.monotonic() + 300
        while not list((study / "trials").glob("*/statistics.jsonl")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "stopped; the same command with --resume goes on" in errors
    assert said(tmp_path, *flags)[0] == 2  # there is a search already
    with tune(tmp_path, *flags, "--resume") as process:
        output, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    rows = [row.split("\t") for row in output.splitlines() if row[:1].isdigit()]
    assert sorted(row[0] for row in rows) == ["0", "1", "2"]
    assert {row[1] for row in rows} == {"complete"}
    assert all(int(row[4]) >= 2700 for row in rows)
    assert (study / STUDY_FILE).is_file()
    assert (study / "search.png").stat().st_size > 1000
    best = load_run_settings(study / BEST_FILE)
    tried = load_run_settings(study / "trials" / f"trial-{int(rows[0][0]):05d}.yaml")
    assert best.behavior("Basic") == tried.behavior("Basic")
    assert Path(study / "trials" / "trial-00000" / "Basic.onnx").is_file()
