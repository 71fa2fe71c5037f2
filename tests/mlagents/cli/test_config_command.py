"""`mlagents config`: check, convert, schema, explain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlagents.cli.main import main
from mlagents.settings import load_run_settings

CONFIG = Path(__file__).resolve().parents[3] / "config"
OF_2020 = ("trainer_config.yaml", "sac_trainer_config.yaml", "gail_config.yaml")
CURRICULUM, SAMPLER = CONFIG / "curricula/wall_jump.yaml", CONFIG / "sampler/3dball_randomize.yaml"


@pytest.mark.parametrize("name", OF_2020)
@pytest.mark.parametrize("curriculum", [None, CURRICULUM])
@pytest.mark.parametrize("sampler", [None, SAMPLER])
def test_converting_changes_nothing(tmp_path, name, curriculum, sampler):
    files = {"curriculum": curriculum, "sampler": sampler}
    typed = [text for flag, path in files.items() if path for text in (f"--{flag}", str(path))]
    new = tmp_path / "new.yaml"
    assert main(["config", "convert", str(CONFIG / name), *typed, "-o", str(new)]) == 0
    flags = {"curriculum_config_path": curriculum, "sampler_file_path": sampler}
    old = load_run_settings(CONFIG / name, {k: v for k, v in flags.items() if v}, check_files=False)
    assert load_run_settings(new, check_files=False) == old
    assert (old.env_settings.resampling_interval == 5000) == (sampler is not None)


def test_an_existing_file_is_not_overwritten(tmp_path, capsys):
    new = tmp_path / "new.yaml"
    new.write_text("mine")
    assert main(["config", "convert", str(CONFIG / OF_2020[0]), "-o", str(new)]) == 2
    assert "exists" in capsys.readouterr().err
    assert new.read_text() == "mine"


def test_check_names_what_is_configured(capsys):
    assert main(["config", "check", str(CONFIG / "ppo/WallJump_curriculum.yaml")]) == 0
    out = capsys.readouterr().out
    assert "valid" in out
    assert "behaviors: BigWallJump, SmallWallJump" in out
    assert "big_wall_height, small_wall_height" in out


def test_check_reports_all_faults(tmp_path, capsys):
    file = tmp_path / "bad.yaml"
    file.write_text("behaviors:\n  B:\n    trainer_type: ppo\n    max_stepz: 5\n    time_horizon: many\n")
    assert main(["config", "check", str(file)]) == 1
    err = capsys.readouterr().err
    assert "bad.yaml:4:" in err
    assert "bad.yaml:5:" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("argv", [["check", "missing.yaml"], ["check", "."], ["convert", "missing.yaml", "-o", "x"]])
def test_a_file_that_cannot_be_read(argv, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["config", *argv]) == 1
    assert argv[1] in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_schema_is_json(capsys):
    assert main(["config", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["$schema"]


def test_explain(capsys):
    assert main(["config", "explain", "num_epoch"]) == 0
    assert "hyperparameters.num_epoch (ppo)" in capsys.readouterr().out
    assert main(["config", "explain", "num_epok"]) == 1
    assert "num_epoch" in capsys.readouterr().err
