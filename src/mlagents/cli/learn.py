"""`mlagents-learn`: train the agents of an environment."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.arguments import parser, typed_flags
from mlagents.cli.errors import reporting_errors
from mlagents.cli.page_beside import page_beside
from mlagents.distribution import warn_of_others
from mlagents.errors import UsageError
from mlagents.training.stop import StopSignals
from mlagents_envs.logging_util import get_logger, set_log_level

if TYPE_CHECKING:
    from mlagents.settings import RunSettings

_log = get_logger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mlagents-learn` and return its exit code."""
    with StopSignals() as stop:
        arguments = parser().parse_args(argv)
        flags = typed_flags(arguments)
        set_log_level(logging.DEBUG if arguments.debug else logging.INFO)
        warn_of_others()
        with reporting_errors(debug=arguments.debug) as outcome:
            _learn(arguments.trainer_config_path, flags, stop)
        return outcome.exit_code


def read_settings(argv: Sequence[str] | None = None) -> RunSettings:
    """Return the settings of a command line.

    Raises:
      SettingsError: every fault of the file and the flags.
    """
    arguments = parser().parse_args(argv)
    return _settings(arguments.trainer_config_path, typed_flags(arguments))


def _learn(config: str | None, flags: dict[str, object], stop: StopSignals) -> None:
    settings = _settings(config, flags)
    if settings.search:
        _log.warning("The section search has no effect here: `mlagents tune` tries its values.")
    with page_beside(settings) if flags.get("view") else nullcontext():
        train(settings, stop)


def _settings(config: str | None, flags: dict[str, object]) -> RunSettings:
    flags = enter_volume(flags)
    # Everything heavy is imported after the flags are known to be right and the process is configured.
    from mlagents import process

    process.use_one_thread()  # before anything imports numpy
    from mlagents.settings import load_run_settings

    return load_run_settings(Path(config) if config else None, flags)


def enter_volume(flags: dict[str, object]) -> dict[str, object]:
    """Make the folder of `--docker-target-name` the working directory, and return the other flags.

    As in the containers of 2020: trainer file, environment, models and summaries are in the volume mounted as /NAME.

    Raises:
      UsageError: there is no such folder.
    """
    name = flags.get("docker_target_name")
    if name is None:
        return flags
    volume = Path("/", str(name))
    if not volume.is_dir():
        raise UsageError(
            f"--docker-target-name={name}: there is no folder {volume} here; mount one into the container with"
            f' docker run -v "$PWD/FOLDER:{volume}" ...'
        )
    os.chdir(volume)
    return {flag: value for flag, value in flags.items() if flag != "docker_target_name"}


def train(settings: RunSettings, stop: StopSignals | None = None) -> None:
    """Carry out a run, which ends early when `stop` has received a signal; without it, signals are listened to here."""
    if stop is None:
        with StopSignals() as stop:
            return train(settings, stop)
    from mlagents import process

    process.configure(settings.device)
    results_dir = settings.checkpoint_settings.results_dir
    from mlagents.training.build import build

    stop.loaded()
    run = build(settings, Path(results_dir) if results_dir else None, stop)
    return run.execute()


if __name__ == "__main__":
    sys.exit(main())
