"""Finding and starting environment executables."""

from __future__ import annotations

import difflib
import errno
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents_envs._imported_names import names_of
from mlagents_envs.exception import UnityEnvironmentException

if not TYPE_CHECKING:
    __getattr__ = names_of(__name__)


_EXTENSIONS = (".app", ".exe", ".x86_64", ".x86")
_SCRIPTS = (".cmd", ".bat")  # Windows goes by extensions
_MAGIC = (b"\x7fELF", b"MZ", b"#!", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_WHAT_TO_GIVE = (
    "Give the executable of a build, a Python file that ends in .py, or the name of an environment (mlagents envs "
    "lists them)."
)
_ENVIRONMENT_LOGGER = "mlagents_envs.environment"


def get_platform() -> str:
    """Return `sys.platform`: linux, darwin or win32."""
    return sys.platform


def validate_environment_path(env_path: str) -> str | None:
    """Return the file to start for an environment, as an absolute path; None if there is none.

    Args:
      env_path: with or without the platform's extension (`.x86_64`, `.x86`, `.app`, `.exe`), relative to the
        working directory or absolute; also a folder with one build in it, or a script that starts one (on Windows
        `.cmd` or `.bat`).
    """
    path = Path(env_path.strip())
    if path.suffix in _EXTENSIONS:
        path = path.with_suffix("")
    found = next(_candidates(Path(os.path.abspath(path))), None)
    return None if found is None else str(found)


def _candidates(path: Path) -> Iterator[Path]:
    """Return the executables that `path`, without extension, may mean, best first."""
    match get_platform():
        case "darwin":
            for bundle in (Path(f"{path}.app"), *sorted(path.glob("*.app"))):
                programs = bundle / "Contents" / "MacOS"
                named = [programs / path.name, *sorted(programs.glob("*"))]
                yield from (program for program in named if program.is_file())
            yield from (script for script in (path,) if script.is_file())
        case "win32":
            scripts = (Path(f"{path}.cmd"), Path(f"{path}.bat"), *((path,) if path.suffix.lower() in _SCRIPTS else ()))
            builds = (Path(f"{path}.exe"), *scripts, *sorted(path.glob("*.exe")))
            yield from (build for build in builds if build.is_file() and not build.name.startswith("UnityCrashHandler"))
        case _:
            builds = (Path(f"{path}.x86_64"), Path(f"{path}.x86"), path, *sorted(path.glob("*.x86_64")))
            yield from (build for build in builds if build.is_file())


def launch_executable(file_name: str, args: list[str], output: int | None = None) -> subprocess.Popen[bytes]:
    """Start an environment in a session of its own, so that Ctrl-C in the terminal does not reach it.

    Args:
      file_name: see `validate_environment_path`.
      args: command line arguments.
      output: where its stdout and stderr go, as `subprocess.Popen` takes it. None: nowhere if the logger
        `mlagents_envs.environment` has a level above DEBUG, otherwise where ours go.

    Raises:
      UnityEnvironmentException: there is no such environment, or the system refuses to start it.
    """
    path = validate_environment_path(file_name)
    if path is None:
        raise UnityEnvironmentException(_not_found(file_name))
    if output is None and hides_output():
        output = subprocess.DEVNULL
    errors = subprocess.STDOUT if output == subprocess.PIPE else output  # one pipe for both
    try:
        return subprocess.Popen(
            [path, *args], start_new_session=True, stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        )
    except PermissionError as error:
        if _is_program(Path(path)):
            text = f"{path} may not be executed. Make it executable with: chmod -R 755 {path}"
        else:
            text = f"{path} is no program. {_WHAT_TO_GIVE}"
        raise UnityEnvironmentException(text) from error
    except OSError as error:
        reason = "it is not a program for this machine" if error.errno == errno.ENOEXEC else error
        script = " A script needs a first line like #!/usr/bin/env python3."
        advice = "" if _is_program(Path(path)) else f"{script} {_WHAT_TO_GIVE}"
        raise UnityEnvironmentException(f"{path} could not be started: {reason}.{advice}") from error


def _is_program(path: Path) -> bool:
    """Return whether a file begins as programs do on any system (ELF, Mach-O, PE, scripts), or cannot be read."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
    except OSError:
        return True
    return start.startswith(_MAGIC)


def hides_output() -> bool:
    """Return whether the output of environments is kept from ours: the environment logger is set above DEBUG."""
    return logging.getLogger(_ENVIRONMENT_LOGGER).level > logging.DEBUG


def _not_found(file_name: str) -> str:
    path = Path(os.path.abspath(file_name.strip()))
    text = f"There is no environment {file_name!r}: looked for {path} with the extensions of {get_platform()}."
    folder = path.parent
    while not folder.is_dir():
        folder = folder.parent
    if folder != path.parent:
        return f"{text} The folder {path.parent} does not exist; {folder} does."
    names = sorted(entry.name for entry in folder.iterdir())
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    if path.is_dir():
        return f"{text} It is a folder without a build for this platform; it has {_some(os.listdir(path))}."
    return f"{text} " + (f"Did you mean {_some(near)}?" if near else f"The folder has {_some(names)}.")


def _some(names: list[str]) -> str:
    shown = sorted(names)[:8]
    return (", ".join(shown) + (", ..." if len(names) > len(shown) else "")) or "nothing in it"
