"""`mlagents config`: check, convert, schema, explain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlagents.cli.main import main
from mlagents.settings import load_run_settings

CONFIG = Path(__file__).resolve().parents[3] / "config"
OF_2020 = ("trainer_config.yaml", "sac_trainer_config.yaml", "gail_config.yaml")
CURRICULUM, SAMPLER = CONFIG / "curricula/wall_jump.yaml", CONFIG / "3dball_randomize.yaml"


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
    converted = load_run_settings(new, check_files=False)
    assert converted.behaviors.items() >= old.behaviors.items()
    if name != "gail_config.yaml":  # in which a behavior does without the reward signal of `default`
        assert converted.default_settings == old.default_settings
    assert converted.environment_parameters == old.environment_parameters
    assert converted.env_settings == old.env_settings
    assert (old.checkpoint_settings.save_freq, converted.checkpoint_settings.save_freq) == (50_000, 0)
    assert "null" not in new.read_text()
    assert (old.env_settings.resampling_interval == 5000) == (sampler is not None)


def test_what_the_original_cannot_say_is_said(tmp_path, capsys):
    new = tmp_path / "new.yaml"
    assert main(["config", "convert", str(CONFIG / "gail_config.yaml"), "--sampler", str(SAMPLER), "-o", str(new)]) == 0
    notes = [line for line in capsys.readouterr().err.splitlines() if line.startswith("note: ")]
    assert [note.split(" ", 2)[1] for note in notes] == [
        "default_settings",
        "env_settings.resampling_interval",
        "checkpoints",
    ]
    assert "CrawlerStatic does without their reward signal extrinsic" in notes[0]
    assert load_run_settings(new, check_files=False).default_settings is None


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


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (CURRICULUM, "valid, a curriculum file; pass it with --curriculum"),
        (SAMPLER, "valid, a sampler file; pass it with"),
    ],
)
def test_files_beside_the_trainer_file_are_checked_as_what_they_are(file, expected, tmp_path, capsys):
    assert main(["config", "check", str(file)]) == 0
    assert expected in capsys.readouterr().out
    (tmp_path / "bad.yaml").write_text(file.read_text().replace("measure: progress", "measure: 3").replace("7.0", "99"))
    assert main(["config", "check", str(tmp_path / "bad.yaml")]) == 1
    assert "bad.yaml:" in capsys.readouterr().err


def test_strict_refuses_what_2020_ignored(tmp_path, capsys):
    (tmp_path / "old.yaml").write_text((CONFIG / "trainer_config.yaml").read_text() + "\nMine:\n  gamma: 0.9\n")
    assert main(["config", "check", str(tmp_path / "old.yaml")]) == 0
    assert main(["config", "check", "--strict", str(CONFIG / "trainer_config.yaml")]) == 0
    assert main(["config", "check", "--strict", str(tmp_path / "old.yaml")]) == 1
    assert "Mine.gamma: unknown key 'gamma'" in capsys.readouterr().err


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
