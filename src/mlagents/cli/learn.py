"""`mlagents-learn`: train the agents of an environment."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from mlagents.cli.arguments import parser, typed_flags
from mlagents.cli.errors import reporting_errors
from mlagents.distribution import warn_of_others
from mlagents_envs.logging_util import set_log_level


def main(argv: Sequence[str] | None = None) -> int:
    """Run `mlagents-learn` and return its exit code."""
    arguments = parser().parse_args(argv)
    flags = typed_flags(arguments)
    set_log_level(logging.DEBUG if arguments.debug else logging.INFO)
    warn_of_others()
    with reporting_errors(debug=arguments.debug) as outcome:
        _learn(arguments.trainer_config_path, flags)
    return outcome.exit_code


def _learn(config: str | None, flags: dict[str, object]) -> None:
    # Everything heavy is imported here, after the flags are known to be right and the process is configured.
    from mlagents import process

    process.use_one_thread()  # before anything imports numpy
    from mlagents.settings import load_run_settings

    settings = load_run_settings(Path(config) if config else None, flags)
    process.configure(settings.device)
    results_dir = settings.checkpoint_settings.results_dir
    from mlagents.training.build import build

    run = build(settings, Path(results_dir) if results_dir else None)
    run.execute()


if __name__ == "__main__":
    sys.exit(main())
