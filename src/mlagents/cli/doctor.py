"""`mlagents doctor`: look for what is wrong or slow: on this machine, with an environment and its configuration."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlagents.cli.parsing import parse_number
from mlagents.cli.values import whole_number
from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents.preflight.autotune import Trial
    from mlagents.preflight.findings import Check, Finding
    from mlagents.settings import RunSettings

_MARKS = {"ok": "ok     ", "note": "note   ", "warning": "WARNING", "error": "ERROR  "}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("doctor", help="look for what is wrong or slow", description=__doc__)
    parser.add_argument(
        "config", nargs="?", type=Path, metavar="CONFIG", help="trainer file: a run of it is rehearsed, with --env"
    )
    parser.add_argument("--env", metavar="ENV", help="environment, as for mlagents-learn (default: that of CONFIG)")
    parser.add_argument("--num-envs", type=whole_number(1), metavar="N", help="environment processes")
    parser.add_argument("--num-areas", type=whole_number(1), metavar="N", help="areas in each environment")
    parser.add_argument("--seconds", type=_seconds, default=10.0, metavar="S", help="to be measured (default: 10)")
    parser.add_argument("--no-speed", action="store_true", help="do not train to measure speed")
    parser.add_argument(
        "--autotune",
        nargs="?",
        const="",
        metavar="FILE",
        help="measure which num_envs, num_areas and threads are fastest, and write a copy of CONFIG with them"
        " (default: CONFIG.tuned.yaml); takes minutes",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what is found, and return 1 if something is wrong, else 0.

    Raises:
      UsageError: a rehearsal is wanted without an environment, or an answer that cannot be measured or written.
      SettingsError: every fault of the configuration.
    """
    from mlagents.preflight.findings import is_wrong

    if arguments.autotune is not None:
        _check_autotune(arguments)
    found: list[Finding] = []
    with redirect_stdout(sys.stderr) if arguments.json else nullcontext():  # warnings of the log are no JSON
        for finding in _findings(arguments):
            found.append(finding)
            if not arguments.json:
                _print(finding)
    wrong = is_wrong(found)
    if arguments.json:
        print(json.dumps({"wrong": wrong, "findings": [asdict(finding) for finding in found]}, indent=2))
    else:
        counts = {level: sum(f.level == level for f in found) for level in ("error", "warning")}
        print(", ".join(f"{counts[kind]} {kind}{'' if counts[kind] == 1 else 's'}" for kind in ("error", "warning")))
    return int(wrong)


def _seconds(text: str) -> float:
    """Return seconds above 0, for argparse's `type`."""
    if (seconds := parse_number(text)) <= 0.0:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, got {text!r}")
    return seconds


def _check_autotune(arguments: argparse.Namespace) -> None:
    """Raise UsageError for what would be known only after minutes of measuring."""
    if arguments.config is None and arguments.env is None:
        raise UsageError("--autotune needs a configuration and an environment: mlagents doctor CONFIG --env ENV")
    if arguments.no_speed:
        raise UsageError("--autotune measures speed, and --no-speed forbids that; leave one of them out")
    target = _target(arguments)
    if arguments.config is not None and target.resolve() == arguments.config.resolve():
        raise UsageError(f"--autotune={target} is the configuration itself; name another file for the tuned copy")
    if not os.access(target.parent, os.W_OK) or target.is_dir():
        what = "it is a folder" if target.is_dir() else f"nothing can be written into the folder {target.parent}"
        raise UsageError(f"--autotune={target}: {what}; name another file for the tuned copy")


def _target(arguments: argparse.Namespace) -> Path:
    """Return where the tuned copy goes."""
    config: Path | None = arguments.config
    return Path(arguments.autotune or f"{config.stem if config else 'run'}.tuned.yaml")


def _print(finding: Finding) -> None:
    print(f"{_MARKS[finding.level]} {finding.topic}: {finding.text}", flush=True)
    if finding.advice:
        print(f"{'':7}   -> {finding.advice}", flush=True)


def _findings(arguments: argparse.Namespace) -> Iterator[Finding]:
    from mlagents.preflight.findings import look

    settings = _settings(arguments)
    yield from look(_machine_checks(settings))
    if settings is not None:
        yield from _rehearse(settings, arguments)


def _settings(arguments: argparse.Namespace) -> RunSettings | None:
    """Return the settings of the run to be rehearsed; None without one."""
    if arguments.config is None and arguments.env is None:
        return None
    from mlagents.settings import load_run_settings

    typed = {"env_path": arguments.env, "num_envs": arguments.num_envs, "num_areas": arguments.num_areas}
    flags = {name: value for name, value in typed.items() if value is not None}
    settings = load_run_settings(arguments.config, flags)
    if settings.env_settings.env_path is None:
        raise UsageError("which environment? Name it with --env, or with env_settings: env_path in the configuration")
    return settings


def _machine_checks(settings: RunSettings | None) -> list[tuple[str, Check]]:
    from mlagents.preflight import installation, machine

    env = None if settings is None else settings.env_settings
    results = None if settings is None else settings.checkpoint_settings.results_dir
    return [
        ("Python", installation.python),
        ("packages", installation.packages),
        ("caches", installation.caches),
        ("cores", machine.cores),
        ("memory", machine.memory),
        ("GPU", machine.gpu),
        ("OpenGL", machine.opengl),
        ("display", machine.display),
        ("ports", machine.ports if env is None else lambda: machine.ports(env.base_port, env.num_envs)),
        ("folders", lambda: machine.folders(Path(results) if results else None)),
        ("Ray", installation.ray),
    ]


def _rehearse(settings: RunSettings, arguments: argparse.Namespace) -> Iterator[Finding]:
    """Start the environment, make the networks, export them, and train for some seconds."""
    from mlagents import process
    from mlagents.preflight.findings import Finding, Level

    try:
        process.configure(settings.device)
    except process.DeviceError as error:
        yield Finding("GPU", Level.ERROR, str(error), "Leave --device out to train on the CPU.")
        return
    from mlagents.preflight.handshake import examine

    wrong = False
    for finding in examine(settings):
        wrong |= finding.level is Level.ERROR
        yield finding
    if wrong or arguments.no_speed:
        return
    yield from _speed(settings, arguments.seconds)
    if arguments.autotune is not None:
        yield from _autotune(settings, arguments)


def _speed(settings: RunSettings, seconds: float) -> Iterator[Finding]:
    from mlagents.preflight.advice import advise
    from mlagents.preflight.findings import Finding, Level
    from mlagents.preflight.machine import usable_cores
    from mlagents.preflight.measure import MeasurementError, TooSlow, measure

    try:
        found = measure(settings, seconds)
    except TooSlow as error:
        advice = "Is the machine busy, or the environment that slow? Try again, or with --seconds 60."
        yield Finding("speed", Level.WARNING, f"not measured: {error}", advice)
        return
    except MeasurementError as error:
        yield Finding("speed", Level.ERROR, f"a run of {seconds:g} s failed: {error}", "Training would fail alike.")
        return
    yield from advise(found, settings, usable_cores())


def _autotune(settings: RunSettings, arguments: argparse.Namespace) -> Iterator[Finding]:
    from mlagents.preflight.autotune import Choice, fastest, tune, write_tuned
    from mlagents.preflight.findings import Finding, Level
    from mlagents.preflight.machine import cores, usable_cores
    from mlagents.preflight.measure import measure

    env = settings.env_settings
    start, trials = Choice(env.num_envs, env.num_areas), []
    seconds = arguments.seconds
    for trial in tune(
        start,
        _usual_areas(settings),
        usable_cores(),
        lambda choice: measure(settings, seconds, threads=choice.threads, changes=choice.flags()),
    ):
        trials.append(trial)
        yield Finding("autotune", Level.NOTE, str(trial))
    best, target = fastest(trials), _target(arguments)
    if best.problem:
        yield Finding("autotune", Level.ERROR, "nothing could be measured, so nothing was written", "Mend this first.")
        return
    write_tuned(arguments.config, settings, best, target)
    yield from (finding for finding in cores() if finding.level is Level.WARNING)
    text = f"fastest: {best.choice}, {_gain(best, trials[0])}; written to {target}"
    yield Finding("autotune", Level.OK, text, _how_to_start(best.choice.threads, target, settings))


def _gain(best: Trial, configured: Trial) -> str:
    if best is configured:
        return "as configured: nothing else that was tried is faster by more than noise"
    if configured.problem or configured.has_learned != best.has_learned:
        return "which cannot be compared with what is configured, see above"
    return f"{best.steps_per_second / configured.steps_per_second:.2f} times as fast as configured"


def _how_to_start(threads: int, target: Path, settings: RunSettings) -> str:
    before = "" if threads == 1 else f"NPROC={threads} OMP_NUM_THREADS={threads} "
    return f"{before}mlagents-learn {target} --env={settings.env_settings.env_path} --run-id=..."


def _usual_areas(settings: RunSettings) -> int | None:
    """Return how many areas the environment has if nothing is said; None if that cannot be changed."""
    from mlagents_envs.registry import default_registry

    env: Any = settings.env_settings
    if env.num_areas is not None:
        return int(env.num_areas)
    if env.env_path in default_registry:
        usual = getattr(default_registry[env.env_path], "num_areas", None)
        return None if usual is None else int(usual)
    return None
