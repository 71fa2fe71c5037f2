"""`mlagents-learn` as functions, under the names that programs import."""

from __future__ import annotations

from collections.abc import Sequence

from mlagents.cli.learn import main, read_settings, train
from mlagents.trainers.settings import RunOptions

__all__ = ["RunOptions", "main", "parse_command_line", "run_cli"]


def parse_command_line(argv: Sequence[str] | None = None) -> RunOptions:
    """Return the settings of a command line, the trainer file included; None for that of this process.

    Raises:
      SettingsError: every fault of the file and the flags.
    """
    return read_settings(argv)


def run_cli(options: RunOptions) -> None:
    """Train as `mlagents-learn` does with these settings; returns when the run has ended.

    Raises:
      Exception: what `mlagents-learn` would tell in one line.
    """
    train(options)
