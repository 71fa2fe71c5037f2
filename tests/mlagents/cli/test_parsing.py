"""What is wrong with a command line is told in one line."""

from __future__ import annotations

import sys

import pytest

from mlagents.cli import main
from mlagents.cli.arguments import parser


def said(capsys, parse, *arguments):
    with pytest.raises(SystemExit) as left:
        parse(list(arguments))
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("--nograph", "there is no flag --nograph; did you mean --no-graphics?"),
        ("--curiculum=x", "there is no flag --curiculum; did you mean --curriculum?"),
        ("--slow", "there is no flag --slow"),
        ("--num-envs=two", "argument --num-envs: expected a whole number; got 'two'"),
        ("--time-scale=fast", "argument --time-scale: expected a number; got 'fast'"),
        ("--device=gpuu", "argument --device: expected one of cpu, gpu; got 'gpuu'; did you mean gpu?"),
        ("--num-envs", "argument --num-envs: expected one argument"),
        ("second.yaml", "unexpected argument 'second.yaml'"),
    ],
)
def test_mlagents_learn(capsys, argument, expected):
    line = said(capsys, parser().parse_args, "first.yaml", argument)
    assert line.startswith(f"mlagents-learn: error: {expected}")
    assert line.endswith("(see mlagents-learn --help)")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["plya"], "expected one of doctor, envs, play, view, config, runs, export, "),
        (["plya"], "; got 'plya'; did you mean play?"),
        (["play", "Basic", "--epsodes=3"], "there is no flag --epsodes; did you mean --episodes?"),
        (["play", "Basic", "--episodes=many"], "--episodes: expected a whole number of at least 1, got 'many'"),
        (["envs", "--jsn"], "there is no flag --jsn; did you mean --json?"),
    ],
)
def test_mlagents(capsys, monkeypatch, arguments, expected):
    monkeypatch.setattr(sys, "argv", ["mlagents", *arguments])
    assert expected in said(capsys, main.main, *arguments)
