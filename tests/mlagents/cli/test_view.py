"""Who can play on the page of `mlagents view`, and what it says if something is wrong. The page itself: viewing/."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from mlagents.cli.main import main
from mlagents.cli.values import find_environment
from mlagents.cli.view import _candidates, add_parser

pytest.importorskip("viser")

WITH_RULE = str(Path(__file__).parents[3] / "examples" / "roller_ball" / "roller_ball.py")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where there are no runs


def offered(name, *arguments):
    """Labels of who can play an environment, who begins first."""
    parser = argparse.ArgumentParser()
    add_parser(parser.add_subparsers())
    entry = find_environment(name)
    env = entry.make(num_areas=1)
    try:
        return [each.label for each in _candidates(env, entry, parser.parse_args(["view", name, *arguments]))]
    finally:
        env.close()


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("CrawlerDynamic", ["random actions"]),  # neither a rule nor keys
        ("Match3", ["random actions"]),  # what keys decide is no rule
        (WITH_RULE, ["the author's rule", "random actions"]),
        ("Basic", ["random actions"]),
    ],
)
def test_who_is_offered_can_play(name, labels):
    model = ["the model that comes with it"] if find_environment(name).pretrained else []
    assert offered(name) == model + labels


def test_a_rule_begins_if_it_is_asked_for():
    assert offered(WITH_RULE, "--model", "heuristic")[0] == "the author's rule"
    assert offered(WITH_RULE, "--model", "random")[0] == "random actions"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["3DBal"], "3DBall"),
        (["3DBall", "--model", "heuristic"], "no rule of its author's for its agents; to play by keys, take over"),
        (["3DBall", "--model", "no-such-run"], "no-such-run"),
        (["3DBall", "--record", "me.txt"], r"\.demo"),
        (["3DBall", "--bind", "192.0.2.1"], r"cannot serve the page on 192\.0\.2\.1"),
        (["3DBall", "--port", "70000"], "65,?535"),
    ],
)
def test_what_is_wrong_is_said(arguments, message, capsys):
    try:
        code = main(["view", *arguments, "--no-browser"])
    except SystemExit as stopped:
        code = stopped.code
    assert code == 2
    assert re.search(message, capsys.readouterr().err)
