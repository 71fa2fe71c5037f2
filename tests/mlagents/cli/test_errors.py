"""Users get one line, developers a traceback."""

from __future__ import annotations

import errno
import importlib
import os
import subprocess
import sys

import pytest

from mlagents.cli.errors import USER_ERRORS, reporting_errors
from mlagents.errors import UsageError
from mlagents.inference import ModelError, ModelMismatch
from mlagents_envs.exception import UnityTimeOutException


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


def test_defects_keep_their_traceback():
    with pytest.raises(ZeroDivisionError), reporting_errors(debug=False):
        raise ZeroDivisionError


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
