"""What went wrong in code of users: the exception and its line in one sentence."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[1]
_OURS = [_SOURCE / package for package in ("mlagents", "mlagents_envs", "mlagents_sim")]
_LIBRARIES = (str(Path(sysconfig.get_path("stdlib")).resolve()), *map(str, _OURS))


def describe(error: BaseException) -> str:
    """Return `TYPE: MESSAGE (FILE, line N)`: the innermost line outside of libraries, or of all if there is none."""
    kind = type(error).__name__
    if isinstance(error, SyntaxError) and error.filename:
        return f"{kind}: {error.msg} ({error.filename}, line {error.lineno})"
    text = " ".join(str(error).split()).removesuffix(".")
    head = f"{kind}: {text}" if text else kind
    frames = user_frames(error) or traceback.extract_tb(error.__traceback__)
    return f"{head} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else head


def user_frames(error: BaseException) -> list[traceback.FrameSummary]:
    """Return the lines outside of libraries that led to the exception, the innermost last."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if not _is_of_a_library(frame.filename)]


def is_raised_by(package: str, error: BaseException) -> bool:
    """Return whether one of our packages raised the exception on purpose, to tell users what they did wrong."""
    frames = traceback.extract_tb(error.__traceback__)
    raised_here = bool(frames) and Path(frames[-1].filename).resolve().is_relative_to(_SOURCE / package)
    return raised_here and (frames[-1].line or "").startswith("raise ")


def _is_of_a_library(file: str) -> bool:
    path = Path(file).resolve()
    is_installed = not {"site-packages", "dist-packages"}.isdisjoint(path.parts)
    return file.startswith("<") or is_installed or str(path).startswith(_LIBRARIES)
