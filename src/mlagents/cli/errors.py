"""Errors of users, told in one line; everything else is a defect and keeps its traceback."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlagents.errors import UsageError

USER_ERRORS = (
    "mlagents_envs.exception:UnityException",
    "mlagents.settings.source.faults:SettingsError",
    "mlagents.process:DeviceError",
    "mlagents.plugins:PluginError",
    "mlagents.nn.errors:NetworkError",
    "mlagents.nn.tensors:TensorMismatch",
    "mlagents.reward_signals.stack:RewardSignalError",
    "mlagents.stats.plugins:StatsWriterPluginError",
    "mlagents.training.guard:TooManyFaults",
    "mlagents.rollout.source:UnknownEnvironment",
    "mlagents.artifacts.checkpoints:CheckpointError",
    "mlagents.inference.errors:ModelError",
    "mlagents.self_play.match:MatchError",
    "mlagents.export.errors:ExportError",
)
"""Exceptions that say what is wrong with what the user gave, as `module:class`."""

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""


@dataclass
class Outcome:
    """How a command ended.

    Attributes:
      exit_code: for the shell.
    """

    exit_code: int = 0


@contextmanager
def reporting_errors(*, debug: bool) -> Iterator[Outcome]:
    """Turn a user's error in the block into one message on stderr and an exit code.

    Args:
      debug: let the error through, with its traceback.
    """
    outcome = Outcome()
    try:
        yield outcome
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        outcome.exit_code = INTERRUPTED
    except Exception as error:
        if debug or not isinstance(error, (UsageError, OSError, *_user_errors())):
            raise
        print(f"error: {_message(error)}", file=sys.stderr)
        outcome.exit_code = 2 if isinstance(error, UsageError) else 1


def _user_errors() -> list[type[Exception]]:
    """Return the classes of `USER_ERRORS`; a module that was never imported cannot have raised anything."""
    paths = [name.split(":") for name in USER_ERRORS]
    return [getattr(sys.modules[module], name) for module, name in paths if module in sys.modules]


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
