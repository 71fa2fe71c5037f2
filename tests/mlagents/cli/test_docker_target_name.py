"""`--docker-target-name` of 2020: everything is in the folder that is mounted into the container."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mlagents.cli.learn import main, read_settings
from mlagents.errors import UsageError


@pytest.fixture
def volume(tmp_path, monkeypatch):
    """A mounted folder with a trainer file, seen from another one; its name is what stands behind the first slash."""
    folder = tmp_path / "unity-volume"
    folder.mkdir()
    (folder / "trainer_config.yaml").write_text("default: {trainer: ppo, max_steps: 7}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return folder


def name_of(folder: Path) -> str:
    return str(folder).removeprefix("/")


def test_paths_are_those_of_the_volume(volume, caplog):
    settings = read_settings(
        [f"--docker-target-name={name_of(volume)}", "trainer_config.yaml", "--env=Builds/3DBall", "--run-id=first"]
    )
    assert Path.cwd() == volume  # where `models` and `summaries` go, and where `Builds` is
    assert settings.behavior("Any").max_steps == 7
    assert "docker" not in caplog.text


def test_a_folder_that_is_not_mounted_is_said_with_how_to_mount_it(volume, capsys):
    with pytest.raises(UsageError, match="there is no folder /no-such-volume here"):
        read_settings(["--docker-target-name=no-such-volume", "trainer_config.yaml"])
    before = os.getcwd()
    assert main(["--docker-target-name=no-such-volume", "trainer_config.yaml"]) == 2
    assert 'docker run -v "$PWD/FOLDER:/no-such-volume"' in capsys.readouterr().err
    assert os.getcwd() == before
