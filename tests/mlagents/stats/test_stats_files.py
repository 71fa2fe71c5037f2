from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path

import pytest

from mlagents.stats import CsvWriter, JsonlWriter, Statistics, TensorBoardWriter

REWARD, LENGTH = "Environment/Cumulative Reward", "Environment/Episode Length"


def csv_statistics(folder, resumed_at=None):
    return Statistics([CsvWriter(lambda behavior: folder / "summaries" / f"{behavior}.csv", resumed_at)])


def add_episode(statistics, reward, behavior="B"):
    statistics.add(behavior, REWARD, reward)
    statistics.add(behavior, LENGTH, 10.0)


def test_csv_has_the_layout_of_2020(tmp_path):
    statistics = csv_statistics(tmp_path)
    statistics.add("B", "Policy/Entropy", 1.0)
    statistics.write("B", 1000)  # no episode yet: no header, no row
    assert not (tmp_path / "summaries").exists()
    statistics.add("B", "Policy/Entropy", 1.5)
    add_episode(statistics, 0.5)
    add_episode(statistics, 1.0)
    statistics.set("B", "Is Training", 1.0)
    statistics.set("B", "Step", 2000)
    statistics.write("B", 2000)
    statistics.add("B", "Policy/Entropy", 1.25)
    statistics.add("B", "Losses/New", 3.0)
    statistics.write("B", 3000)
    assert (tmp_path / "summaries" / "B.csv").read_text() == (
        "Steps,Policy/Entropy,Environment/Cumulative Reward,Environment/Episode Length,Is Training,Losses/New\n"
        "2000,1.5,0.75,10.0,1.0,None\n"
        "3000,1.25,None,None,None,3.0\n"
    )


def test_csv_quotes_tags_of_users(tmp_path):
    statistics = csv_statistics(tmp_path)
    add_episode(statistics, 1.0)
    statistics.add("B", 'hits, "hard"', 2.0)
    statistics.write("B", 1)
    resumed = csv_statistics(tmp_path, resumed_at={"B": 1000})
    resumed.add("B", 'hits, "hard"', 3.0)
    resumed.write("B", 2)
    with (tmp_path / "summaries" / "B.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row['hits, "hard"'] for row in rows] == ["2.0", "3.0"]


@pytest.mark.parametrize("torn", ["", "2000,0.", "2000"])
def test_csv_goes_on_behind_a_crash(tmp_path, torn):
    first = csv_statistics(tmp_path)
    add_episode(first, 0.5)
    first.write("B", 1000)
    path = tmp_path / "summaries" / "B.csv"
    with path.open("a") as file:
        file.write(torn)
    resumed = csv_statistics(tmp_path, resumed_at={"B": 1000})
    resumed.add("B", "Losses/New", 1.0)
    add_episode(resumed, 0.25)
    resumed.write("B", 2000)
    assert path.read_text() == f"Steps,{REWARD},{LENGTH},Losses/New\n1000,0.5,10.0,None\n2000,0.25,10.0,1.0\n"


def test_csv_starts_anew_where_a_crash_left_no_header(tmp_path):
    path = tmp_path / "summaries" / "B.csv"
    path.parent.mkdir()
    path.write_text("Steps,Envir")
    resumed = csv_statistics(tmp_path, resumed_at={"B": 1000})
    add_episode(resumed, 0.5)
    resumed.write("B", 1000)
    assert path.read_text() == f"Steps,{REWARD},{LENGTH}\n1000,0.5,10.0\n"


def test_csv_is_cut_behind_the_checkpoint_with_which_a_run_goes_on(tmp_path):
    """Rows 500, 1000, 1500 and 2000, killed, resumed with checkpoint 1000: 1500 and 2000 come once."""
    first = csv_statistics(tmp_path)
    for behavior in ("B", "C"):
        for step in (500, 1000, 1500, 2000):
            add_episode(first, step / 1000, behavior)
            first.write(behavior, step)
    resumed = csv_statistics(tmp_path, {"B": 1000})  # C has no checkpoint: it starts from step 0
    for behavior, step in (("B", 1500), ("B", 2000), ("C", 500)):
        add_episode(resumed, -step, behavior)
        resumed.write(behavior, step)
    header = f"Steps,{REWARD},{LENGTH}\n"
    csv_of = lambda behavior: (tmp_path / "summaries" / f"{behavior}.csv").read_text()  # noqa: E731
    assert csv_of("B") == header + "500,0.5,10.0\n1000,1.0,10.0\n1500,-1500.0,10.0\n2000,-2000.0,10.0\n"
    assert csv_of("C") == header + "500,-500.0,10.0\n"


def test_csv_is_overwritten_by_a_new_run(tmp_path):
    for _ in range(2):
        statistics = csv_statistics(tmp_path)
        add_episode(statistics, 0.5)
        statistics.write("B", 1000)
    assert len((tmp_path / "summaries" / "B.csv").read_text().splitlines()) == 2


def test_jsonl_is_one_object_per_write(tmp_path):
    path = tmp_path / "run" / "stats.jsonl"
    statistics = Statistics([JsonlWriter(path)])
    statistics.text("B", "Hyperparameters", {"folder": Path("x"), "nested": {"lr": 3e-4}})
    statistics.add("B", "tag", 1.0)
    statistics.add("B", "tag", 3.0)
    statistics.add("B", "bad", float("nan"))
    statistics.write("B", 1000)
    text, write = [json.loads(line) for line in path.read_text().splitlines()]
    assert text["text"] == {"Hyperparameters": {"folder": "x", "nested": {"lr": 3e-4}}}
    assert (write["behavior"], write["step"]) == ("B", 1000)
    assert write["stats"]["tag"] == {
        "value": 2.0,
        "aggregation": "AVERAGE",
        "mean": 2.0,
        "std": 1.0,
        "min": 1.0,
        "max": 3.0,
        "sum": 4.0,
        "count": 2,
    }
    assert write["stats"]["bad"]["value"] is None
    assert write["time"] >= text["time"] > 1.7e9


@pytest.mark.parametrize(("resumed_at", "steps"), [({"B": 1}, [1, 2]), (None, [2])])
def test_jsonl_goes_on_only_when_resumed(tmp_path, resumed_at, steps):
    path = tmp_path / "stats.jsonl"
    Statistics([JsonlWriter(path)]).write("B", 1)
    with path.open("a") as file:
        file.write('{"time": 17')
    Statistics([JsonlWriter(path, resumed_at)]).write("B", 2)
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == steps


def test_jsonl_is_cut_behind_the_checkpoints_with_which_a_run_goes_on(tmp_path):
    path = tmp_path / "stats.jsonl"
    first = Statistics([JsonlWriter(path)])
    first.text("B", "Hyperparameters", {"lr": 1})
    for step in (1, 2, 3):
        for behavior in ("B", "C", "D"):
            first.write(behavior, step)
    Statistics([JsonlWriter(path, {"B": 2, "C": 1})]).write("B", 3)
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert "text" in records.pop(0)
    assert [(r["behavior"], r["step"]) for r in records] == [("B", 1), ("C", 1), ("B", 2), ("B", 3)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "writer",
    [CsvWriter(lambda behavior: Path("/dev/full")), JsonlWriter(Path("/dev/full"))],
    ids=["csv", "jsonl"],
)
def test_a_full_disk_is_reported_once_and_the_rest_goes_on(tmp_path, caplog, writer):
    rest = tmp_path / "rest.jsonl"
    statistics = Statistics([writer, JsonlWriter(rest)])
    for step in (1, 2, 3):
        add_episode(statistics, 0.5)
        statistics.write("B", step)
    statistics.close()
    assert len(rest.read_text().splitlines()) == 3
    assert len(caplog.records) == 1
    message = caplog.records[0].getMessage()
    assert type(writer).__name__ in message
    assert "No space left on device: '/dev/full'" in message


def test_a_place_that_is_no_folder_is_reported_once(tmp_path, caplog):
    obstacle = tmp_path / "summaries"
    obstacle.write_text("a file where the folder should be")
    rest = tmp_path / "rest.jsonl"
    statistics = Statistics(
        [
            CsvWriter(lambda behavior: obstacle / "B.csv"),
            JsonlWriter(obstacle / "stats.jsonl"),
            TensorBoardWriter(lambda behavior: obstacle / behavior),
            JsonlWriter(rest),
        ]
    )
    for step in (1, 2, 3):
        add_episode(statistics, 0.5)
        statistics.write("B", step)
    assert len(rest.read_text().splitlines()) == 3
    messages = [record.getMessage() for record in caplog.records]
    assert [message.split()[0] for message in messages] == ["CsvWriter", "JsonlWriter", "TensorBoardWriter"]
    assert all(str(obstacle) in message for message in messages)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="folders are writable for everyone here")
def test_a_read_only_folder_is_reported(tmp_path, caplog):
    tmp_path.chmod(0o500)
    try:
        Statistics([JsonlWriter(tmp_path / "run" / "stats.jsonl")]).write("B", 1)
    finally:
        tmp_path.chmod(0o700)
    assert str(tmp_path / "run") in caplog.records[0].getMessage()
