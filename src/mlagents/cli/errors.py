"""Errors of users, their code included, told in one line; everything else is a defect and keeps its traceback."""

from __future__ import annotations

import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from mlagents.errors import UsageError
from mlagents_envs.logging_util import silence_stdout
from mlagents_envs.user_errors import describe, is_raised_by, user_frames

USER_ERRORS = (
    "mlagents_envs.exception:UnityException",
    "mlagents.settings.source.faults:SettingsError",
    "mlagents.process:DeviceError",
    "mlagents.plugins:PluginError",
    "mlagents.nn.errors:NetworkError",
    "mlagents.nn.tensors:TensorMismatch",
    "mlagents.reward_signals.stack:RewardSignalError",
    "mlagents.stats.plugins:StatsWriterPluginError",
    "mlagents.rollout.cluster:ClusterError",
    "mlagents.rollout.guard:TooManyFaults",
    "mlagents.rollout.source:UnknownEnvironment",
    "mlagents.artifacts.checkpoints:CheckpointError",
    "mlagents.artifacts.hub:HubError",
    "mlagents.artifacts.run_lock:RunInUse",
    "mlagents.training.start_faults:StartError",
    "mlagents.inference.errors:ModelError",
    "mlagents.self_play.match:MatchError",
    "mlagents.search.study:SearchError",
    "mlagents.export.parity.report:ExportError",
)
"""Exceptions that say what is wrong with what the user gave, as `module:class`."""

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""

UNREAD = 141
"""Exit code when nobody reads what the command prints any more, as behind `| head`: 128 + SIGPIPE."""


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
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt as interrupt:
        print("interrupted", file=sys.stderr)
        outcome.exit_code = 128 + interrupt.args[0] if interrupt.args else INTERRUPTED
    except BrokenPipeError as error:
        if not _is_stdout_closed():
            _report(error, debug, outcome)
            return
        silence_stdout()
        outcome.exit_code = UNREAD
    except Exception as error:
        _report(error, debug, outcome)


def _report(error: Exception, debug: bool, outcome: Outcome) -> None:
    if debug:
        raise error
    if isinstance(error, (UsageError, OSError, *_user_errors())):
        text = _message(error)
    elif user_frames(error) or is_raised_by("mlagents_sim", error):
        text = f"{describe(error)}. The line is in your own code, or called by it; --debug shows the way there."
    else:
        raise error
    print(f"error: {text}", file=sys.stderr)
    outcome.exit_code = 2 if isinstance(error, UsageError) else 1


def _is_stdout_closed() -> bool:
    """Return whether it is stdout whose reader is gone, rather than another pipe's."""
    if not hasattr(select, "poll"):  # on Windows
        return True
    poll = select.poll()
    try:
        poll.register(sys.stdout.fileno(), 0)
    except (OSError, ValueError):  # no file
        return False
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def _user_errors() -> list[type[Exception]]:
    """Return the classes of `USER_ERRORS`; a module that was never imported cannot have raised anything."""
    paths = [name.split(":") for name in USER_ERRORS]
    return [getattr(sys.modules[module], name) for module, name in paths if module in sys.modules]


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
