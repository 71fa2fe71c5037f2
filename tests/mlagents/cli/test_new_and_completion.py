"""`mlagents new`, `mlagents completion` and the order of the help."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mlagents.cli.first_day import FIRST_DAY
from mlagents.cli.main import COMMANDS, main
from mlagents.cli.new import module_name
from mlagents.errors import UsageError


@pytest.fixture
def game(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # `mlagents envs FILE` adds the file's folder
    assert main(["new", "coin_hunt"]) == 0
    return tmp_path / "coin_hunt"


def pytest_in(folder, *arguments):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)


def test_the_new_game_passes_its_own_tests(game):
    assert sorted(path.name for path in game.iterdir()) == [
        "README.md",
        "coin_hunt.py",
        "coin_hunt.yaml",
        "test_coin_hunt.py",
    ]
    result = pytest_in(game, "-k", "not training")
    assert result.returncode == 0, result.stdout
    assert "2 passed" in result.stdout


@pytest.mark.slow
def test_the_new_game_is_learned_within_its_own_test(game):
    result = pytest_in(game, "-k", "training")
    assert result.returncode == 0, result.stdout
    assert "1 passed" in result.stdout


def test_nothing_of_the_template_is_left_over(game, capsys):
    for path in game.iterdir():
        assert "my_game" not in path.read_text().lower()
        assert "mygame" not in path.read_text().lower()
    capsys.readouterr()
    assert main(["envs", str(game / "coin_hunt.py")]) == 0
    assert capsys.readouterr().out.startswith("CoinHunt: Walk to the coin.\n")
    assert main(["config", "check", str(game / "coin_hunt.yaml")]) == 0


def test_the_curriculum_in_the_comments_is_valid(game):
    text = (game / "coin_hunt.yaml").read_text()
    head, mark, lines = text.partition("# environment_parameters:\n")
    assert mark
    curriculum = "".join(f"{line.removeprefix('# ')}\n" for line in lines.splitlines())
    (game / "easier.yaml").write_text(f"{head}environment_parameters:\n{curriculum}")
    assert main(["config", "check", "--strict", str(game / "easier.yaml")]) == 0


@pytest.mark.parametrize(
    ("name", "module"),
    [("my_game", "my_game"), ("MyGame", "my_game"), ("My Game 2", "my_game_2"), ("ABCGame", "abc_game")],
)
def test_names_become_modules(name, module):
    assert module_name(name) == module


@pytest.mark.parametrize("name", ["", "2fast", "class", "numpy", "---"])
def test_names_that_cannot_be_are_refused(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError):
        module_name(name)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_alone(game, capsys):
    before = (game / "README.md").read_text()
    assert main(["new", "coin_hunt"]) == 2
    assert "coin_hunt exists" in capsys.readouterr().err
    assert (game / "README.md").read_text() == before


def completed(script, words):
    """What bash offers behind these words, the last of which is being typed."""
    quoted = " ".join(f"'{word}'" for word in words)
    program = (
        f"source ./{script}\nCOMP_WORDS=({quoted})\nCOMP_CWORD={len(words) - 1}\n"
        f"complete -p {words[0]} | sed -n 's/.*-F \\([^ ]*\\).*/\\1/p' > function\n"
        f"$(cat function) {words[0]} '{words[-1]}' '{words[-2]}'\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    result = subprocess.run(["bash", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return result.stdout.split()


def test_bash_completes_commands_flags_environments_and_runs(tmp_path, monkeypatch, capsys):
    pytest.importorskip("shtab")
    monkeypatch.chdir(tmp_path)
    Path("models/first_run").mkdir(parents=True)
    assert main(["completion", "bash"]) == 0
    Path("script").write_text(capsys.readouterr().out)
    assert completed("script", ["mlagents", "do"]) == ["doctor"]
    assert set(completed("script", ["mlagents", "runs", ""])) >= {"list", "compare", "plot", "archive", "delete"}
    assert "--autotune" in completed("script", ["mlagents", "doctor", "--auto"])
    assert completed("script", ["mlagents", "play", "3DBallH"]) == ["3DBallHard"]
    assert completed("script", ["mlagents", "runs", "plot", "fir"]) == ["first_run"]
    assert completed("script", ["mlagents-learn", "--env", "GridW"]) == ["GridWorld"]
    assert "--num-envs" in completed("script", ["mlagents-learn", "--num-e"])


def test_completion_without_shtab_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    assert "pip install 'mlagents-jax[completion]'" in capsys.readouterr().err


def test_the_help_lists_commands_in_the_order_of_a_first_day(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert FIRST_DAY in text
    names = [command.__name__.rpartition(".")[2] for command in COMMANDS]
    typed = [line.split()[1] for line in FIRST_DAY.splitlines() if line.startswith("  mlagents ")]
    first = list(dict.fromkeys(typed))
    assert set(first) <= set(names)
    assert [name for name in names if name in first] == first
