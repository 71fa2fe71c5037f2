"""Users get one line, developers a traceback."""

from __future__ import annotations

import errno
import importlib
import os
import re
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

from mlagents.cli import learn
from mlagents.cli.errors import USER_ERRORS, reporting_errors
from mlagents.errors import UsageError
from mlagents.inference import ModelError, ModelMismatch
from mlagents_envs.exception import UnityTimeOutException
from mlagents_sim.sensors import ImageSensor


@pytest.mark.parametrize("name", USER_ERRORS)
def test_all_families_exist(name):
    module, _, attribute = name.partition(":")
    family = getattr(importlib.import_module(module), attribute)
    assert issubclass(family, Exception)
    assert family.__module__ == module  # where it is looked for


@pytest.mark.parametrize(
    ("error", "message", "exit_code"),
    [
        (ModelError("model.onnx: broken"), "error: model.onnx: broken", 1),
        (ModelMismatch("other sizes"), "error: other sizes", 1),
        (UnityTimeOutException("no answer"), "error: no answer", 1),
        (UsageError("no such thing"), "error: no such thing", 2),
        (OSError(errno.ENOSPC, "No space left on device", "a/b.onnx"), "error: a/b.onnx: No space left on device", 1),
        (PermissionError(errno.EACCES, "Permission denied", "x"), "error: x: Permission denied", 1),
        (OSError(errno.EIO, "Input/output error"), "error: Input/output error", 1),
        (OSError("odd"), "error: odd", 1),
        (ModelError(), "error: ModelError", 1),
        (KeyboardInterrupt(), "interrupted", 130),
        (KeyboardInterrupt(15), "interrupted", 143),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), "error: Broken pipe", 1),  # not that of stdout
    ],
)
def test_users_errors_are_one_line(capsys, error, message, exit_code):
    with reporting_errors(debug=False) as outcome:
        raise error
    assert outcome.exit_code == exit_code
    captured = capsys.readouterr()
    assert captured.err == message + "\n"
    assert captured.out == ""


def test_debug_shows_the_traceback():
    with pytest.raises(ModelError), reporting_errors(debug=True):
        raise ModelError("broken")


def test_defects_keep_their_traceback(monkeypatch):
    """An exception that no line of users led to."""
    monkeypatch.setattr("mlagents.cli.learn._learn", divmod)
    with pytest.raises(TypeError):
        learn.main(["config.yaml"])


def test_errors_in_code_of_users_name_their_line(capsys):
    with reporting_errors(debug=False) as outcome:
        raise KeyError("speeed")
    assert outcome.exit_code == 1
    line = r"error: KeyError: 'speeed' \(.*test_errors\.py, line \d+\)\. The line is in your own code.*--debug.*\n"
    assert re.fullmatch(line, capsys.readouterr().err)


def test_what_the_simulation_tells_its_users_is_one_line(capsys, monkeypatch):
    """The sensor is called by the world, so no line of users is on the way."""
    sensor = ImageSensor(4, 4)
    monkeypatch.setattr("mlagents.cli.learn._learn", partial(_picture, sensor))
    monkeypatch.setattr("mlagents_envs.user_errors.user_frames", lambda error: [])
    monkeypatch.setattr("mlagents.cli.errors.user_frames", lambda error: [])
    assert learn.main(["config.yaml"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ValueError: Sensor 'RenderTextureSensor': expected pictures uint8")
    assert error.count("\n") == 1


def _picture(sensor, *_):
    sensor.observe(slice(None), np.zeros((1, 4, 4, 3)))


def test_success():
    with reporting_errors(debug=False) as outcome:
        pass
    assert outcome.exit_code == 0


@pytest.mark.parametrize("lines", [1, 100_000])
def test_nobody_has_to_read_what_a_command_prints(lines):
    """Few lines fail when the command ends and Python writes them; many while it prints."""
    code = (
        "import sys\nfrom mlagents.cli.errors import reporting_errors\n"
        f"with reporting_errors(debug=False) as outcome:\n  for _ in range({lines}): print('line')\n"
        "sys.exit(outcome.exit_code)"
    )
    reader, writer = os.pipe()
    os.close(reader)
    result = subprocess.run([sys.executable, "-c", code], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (result.returncode, result.stderr) == (141, "")
