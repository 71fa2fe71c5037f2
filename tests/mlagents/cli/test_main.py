"""The `mlagents` program as a whole."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlagents.cli.main import main
from mlagents_envs import __version__

HEAVY = {"numpy", "jax", "onnx", "onnxruntime", "mujoco", "numba", "rich", "grpc", "google.protobuf", "pydantic"}


def mlagents(*arguments, **options):
    program = "import sys; from mlagents.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)


def test_help_imports_nothing_heavy():
    program = (
        "import sys\n"
        "from mlagents.cli.main import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        f"print(sorted({HEAVY} & sys.modules.keys()), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert result.stderr.strip() == "[]"
    assert "envs" in result.stdout
    assert "play" in result.stdout


def test_version(capsys):
    with pytest.raises(SystemExit) as raised:
        main(["--version"])
    assert raised.value.code == 0
    assert capsys.readouterr().out == f"mlagents {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["dance"], ["play"], ["play", "X", "--deterministic", "--stochastic"]])
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlagents")


def test_an_unknown_environment_is_one_line_and_code_2():
    result = mlagents("play", "basik")
    assert result.returncode == 2
    assert result.stderr == (
        "error: there is no environment 'basik'; did you mean Basic? `mlagents envs` lists them all.\n"
    )
    assert result.stdout == ""


def test_a_damaged_model_is_one_line_and_code_1(tmp_path):
    (tmp_path / "broken.onnx").write_bytes(b"\x08\x04 nothing more")
    result = mlagents("play", "Basic", "--model", "broken.onnx", cwd=tmp_path)
    assert result.returncode == 1
    assert result.stderr.startswith("error: behavior 'Basic?team=0': broken.onnx: this is not an ONNX model")
    assert result.stderr.count("\n") == 1


def test_debug_shows_where_it_went_wrong(tmp_path):
    result = mlagents("play", "Basic", "--model", "missing.onnx", "--debug", cwd=tmp_path)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "ModelError" in result.stderr
