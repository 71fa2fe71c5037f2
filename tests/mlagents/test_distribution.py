"""One distribution, `mlagents-jax`; the original's, which owns the same import names, is noticed beside it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import metadata
from pathlib import Path

import pytest

from mlagents.distribution import NAME, others_installed, version_of
from mlagents_envs import __version__

ROOT = Path(__file__).resolve().parents[2]
HINT = re.compile(r"""pip install (?:-\S+ )*["']?mlagents(?P<rest>[-\w]*)(?:\[(?P<extra>\{?[\w]+\}?)\])?""")


def test_the_version_is_found_under_the_name_of_the_distribution():
    assert version_of(NAME) == __version__
    assert version_of("no-such-distribution") is None


def test_every_hint_names_our_distribution_and_an_extra_that_it_has():
    extras = set(metadata(NAME).get_all("Provides-Extra") or ())
    files = [*ROOT.glob("src/**/*.py"), *ROOT.glob("docs/*.md"), ROOT / "README.md"]
    hints = [(file.name, found) for file in files for found in HINT.finditer(file.read_text(encoding="utf-8"))]
    assert {"process.py", "recording.py", "by_name.py", "gymnasium-pettingzoo.md", "install.md"} <= {
        n for n, _ in hints
    }
    for name, found in hints:
        assert found["rest"] == "-jax", f"{name}: {found[0]}"
        assert found["extra"] in {None, "{kind}", "{name}", *extras}, f"{name}: {found[0]}"


@pytest.fixture
def original_installed(tmp_path):
    """A folder with the metadata of the original's distributions, as pip leaves them."""
    for name in ("mlagents", "mlagents_envs"):
        folder = tmp_path / f"{name}-1.1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.1.0\n")
    return tmp_path


def test_the_original_beside_ours_is_found(original_installed, monkeypatch):
    assert others_installed() == []
    monkeypatch.syspath_prepend(str(original_installed))
    assert others_installed() == ["mlagents 1.1.0", "mlagents-envs 1.1.0"]


@pytest.mark.parametrize("command", [["mlagents.cli.main", "config", "schema"], ["mlagents.cli.learn", "missing.yaml"]])
def test_each_command_says_it_once(original_installed, command):
    module, *arguments = command
    code = f"import sys; sys.path.insert(0, {str(original_installed)!r})\n"
    code += f"import {module} as command; command.main({arguments!r})"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100, check=False)
    assert finished.stderr.count("mlagents 1.1.0 and mlagents-envs 1.1.0 installed beside mlagents-jax") == 1
    assert "pip uninstall mlagents mlagents-envs" in finished.stderr
