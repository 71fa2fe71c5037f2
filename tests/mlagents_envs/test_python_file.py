"""Environments in Python files, by their path."""

from __future__ import annotations

import pytest

from mlagents.rollout.source import EnvironmentSource
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry import UnityEnvRegistry

GAME = """
from helper_of_the_game import DESCRIPTION
from mlagents.rollout.source import EnvironmentSource
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry import BaseRegistryEntry

class Entry(BaseRegistryEntry):
    def make(self, **kwargs):
        raise NotImplementedError

ENTRY = Entry("Game", 1.0, DESCRIPTION)
HARD = Entry("HardGame", 1.0, DESCRIPTION)
NUMBER = 3
"""


@pytest.fixture
def game(tmp_path):
    (tmp_path / "helper_of_the_game.py").write_text('DESCRIPTION = "Play."\n')
    (tmp_path / "game.py").write_text(GAME)
    return tmp_path / "game.py"


def test_a_file_names_an_environment(game):
    registry = UnityEnvRegistry()
    assert str(game) in registry
    entry = registry[str(game)]
    assert (entry.identifier, entry.description) == ("Game", "Play.")
    assert registry[str(game)] is entry
    assert registry[f"{game}:HARD"].identifier == "HardGame"
    assert list(registry) == []


def test_relative_paths(game, monkeypatch):
    monkeypatch.chdir(game.parent)
    assert UnityEnvRegistry()["game.py"].identifier == "Game"


def test_what_is_no_such_file(game):
    registry = UnityEnvRegistry()
    for name in (f"{game}x", str(game.with_name("absent.py")), f"{game.with_name('absent.py')}:ENTRY", "game:ENTRY"):
        assert name not in registry
        with pytest.raises(KeyError):
            registry[name]


@pytest.mark.parametrize(("wanted", "found"), [("EASY", "nothing of that name"), ("NUMBER", "a int")])
def test_an_object_that_is_no_environment(game, wanted, found):
    expected = rf"game\.py: expected an environment {wanted}, .* found {found}.*ENTRY, HARD"
    with pytest.raises(UnityEnvironmentException, match=expected):
        UnityEnvRegistry()[f"{game}:{wanted}"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x = 1\n1 / 0\n", r"ZeroDivisionError: division by zero \(.*game\.py, line 2\)"),
        ("import no_such_game_engine\n", r"No module named 'no_such_game_engine' \(.*line 1\).*Install the package"),
        ("def f(:\n", r"SyntaxError: .* \(.*game\.py, line 1\)"),
        ("\n\nfrom helper_of_the_game import ABSENT\n", r"cannot import name 'ABSENT'.*\(.*game\.py, line 3\)"),
        ("import numpy as np\nnp.zeros(-1)\n", r"ValueError: negative dimensions.*game\.py, line 2\)"),
    ],
)
def test_what_goes_wrong_in_the_file_is_told_with_its_line(game, text, words):
    game.write_text(text)
    with pytest.raises(UnityEnvironmentException, match=rf"^game\.py cannot be loaded: .*{words}") as caught:
        UnityEnvRegistry()[str(game)]
    assert "\n" not in str(caught.value)


def test_a_file_that_is_mended_is_loaded(game):
    registry = UnityEnvRegistry()
    game.write_text("1 / 0\n")
    with pytest.raises(UnityEnvironmentException):
        registry[str(game)]
    game.write_text(GAME)
    assert registry[str(game)].identifier == "Game"


def test_a_constructor_that_fails_is_told_with_its_line(game):
    game.write_text(GAME.replace("raise NotImplementedError", 'return {}["speeed"]'))
    source = EnvironmentSource(str(game), seed=1)
    with pytest.raises(
        UnityEnvironmentException, match=r"game\.py cannot be made: KeyError: 'speeed' .*game\.py, line"
    ):
        source.make(0, [])
