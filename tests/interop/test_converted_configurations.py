"""The original trainer 1.1.0 reads what `mlagents config convert` makes of every configuration that is shipped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from interop import official_package
from mlagents.settings import convert, load_run_settings

pytestmark = [] if official_package.has_trainer() else [pytest.mark.slow]

FOLDER = Path(__file__).parent
CONFIG = FOLDER.parents[1] / "config"
BESIDE = ("wall_jump.yaml", "3dball_randomize.yaml")


def test_the_original_reads_them_all(official_python, tmp_path):
    try:
        official_package.install_trainer()
    except official_package.NotInstallable as error:
        pytest.skip(f"the original trainer cannot be installed: {error}")
    behaviors = {}
    for number, path in enumerate(sorted(path for path in CONFIG.rglob("*.yaml") if path.name not in BESIDE)):
        text, _ = convert(load_run_settings(path, check_files=False))
        converted = tmp_path / f"{number}_{path.name}"
        converted.write_text(text)
        behaviors[str(converted)] = [line.strip() for line in text.splitlines() if "trainer_type" in line]
    curriculum = tmp_path / "curriculum.yaml"
    flags = {"curriculum_config_path": CONFIG / "curricula/wall_jump.yaml"}
    curriculum.write_text(convert(load_run_settings(CONFIG / "trainer_config.yaml", flags, check_files=False))[0])
    files = [*behaviors, str(curriculum)]
    command = [str(official_python), str(FOLDER / "read_configuration.py"), *files]
    finished = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert finished.returncode == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert len(lines) == len(files) >= 45
    assert [line for line in lines if ": read: " not in line] == []
    assert any("read: 3DBall" in line for line in lines)
