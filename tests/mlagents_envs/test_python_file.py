"""Environments in Python files, by their path."""

from __future__ import annotations

import pytest

from mlagents_envs.registry import UnityEnvRegistry

GAME = """
from helper_of_the_game import DESCRIPTION
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
    with pytest.raises(TypeError, match=rf"game\.py: expected an environment {wanted}, .* found {found}.*ENTRY, HARD"):
        UnityEnvRegistry()[f"{game}:{wanted}"]


def test_what_goes_wrong_in_the_file_is_shown_as_it_is(game):
    game.write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        UnityEnvRegistry()[str(game)]
