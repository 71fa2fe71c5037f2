"""`mlagents tune`: search for better settings, with Optuna; the section `search` of the trainer file says among which.

Each trial is a run of `mlagents-learn` of its own. Ctrl+C saves all that are running; the same command with --resume
goes on with them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlagents.cli.arguments import GROUPS
from mlagents.cli.parsing import parse_number
from mlagents.cli.table import print_table
from mlagents.cli.values import whole_number
from mlagents.errors import UsageError
from mlagents.search import METRICS

if TYPE_CHECKING:
    from mlagents.search.metrics import Metric
    from mlagents.search.picture import Point
    from mlagents.search.study import Plan, Search, StartTrial, TrialResult
    from mlagents.settings import RunSettings

PICTURE_FILE = "search.png"
_PASSED_ON = ("the environment", "the Unity engine")
_NOTHING = "-"
_STOPPED = 130


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command, with those flags of `mlagents-learn` that say where environments come from."""
    parser = subparsers.add_parser("tune", help="search for better settings", description=__doc__)
    parser.add_argument("file", type=Path, metavar="CONFIG", help="trainer file with a section search")
    parser.add_argument("--trials", type=whole_number(1), required=True, metavar="N", help="trials in all")
    parser.add_argument("--metric", choices=METRICS, default="reward", help="what is better (default: reward)")
    parser.add_argument("--behavior", metavar="NAME", help="whose; needed if there are several")
    parser.add_argument(
        "--benchmark",
        type=parse_number,
        metavar="R",
        help="mean reward to come to, for steps-to-benchmark (default: that of the environment)",
    )
    parser.add_argument("--jobs", type=whole_number(1), default=1, metavar="J", help="trials at a time (default: 1)")
    parser.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="run trials on a Ray cluster, whose machines share --results-dir: its HOST:PORT, auto, or local for one of"
        " this search",
    )
    parser.add_argument(
        "--cpus-per-trial",
        type=whole_number(1),
        metavar="N",
        help="CPUs that Ray sets aside for each trial (default: 1)",
    )
    parser.add_argument("--study", default="search", metavar="NAME", help="its folder in the results (default: search)")
    parser.add_argument("--results-dir", type=Path, default=Path("results"), help="base folder (default: results)")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="go on with the search of this name")
    start.add_argument("--force", action="store_true", help="begin anew, though there is a search of this name")
    parser.add_argument("--no-pruning", action="store_true", help="let all trials run to their end")
    parser.add_argument(
        "--startup-trials", type=whole_number(1), default=5, metavar="N", help="trials at random at first (default: 5)"
    )
    parser.add_argument(
        "--warmup", type=whole_number(0), default=5, metavar="N", help="summaries before one is cut short (default: 5)"
    )
    for title in _PASSED_ON:
        group = parser.add_argument_group(title)
        for flag in GROUPS[title]:
            flag.add_to(group)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Search, write table, picture and the best settings, and return the exit code.

    Raises:
      UsageError: flags that do not go together, or a search of this name is there, or is not.
      SettingsError: every fault of the file and the flags.
      SearchError: Optuna is not installed, or all trials fail.
    """
    from mlagents.training.stop import StopSignals

    with StopSignals() as stop:
        from mlagents.artifacts.layout import run_id_problem
        from mlagents.artifacts.run_lock import RunLock
        from mlagents.search.study import STUDY_FILE, Search, import_optuna, remove
        from mlagents.settings import load_run_settings

        import_optuna()
        if problem := run_id_problem(arguments.study):
            raise UsageError(f"--study={arguments.study}: {problem}")
        flags = _typed(arguments)
        settings = load_run_settings(arguments.file, flags)
        plan = _plan(arguments, settings)
        folder = arguments.results_dir / arguments.study
        _check_start(arguments, (folder / STUDY_FILE).is_file(), folder)

        def settings_of(values: Mapping[str, Any]) -> RunSettings:
            return load_run_settings(arguments.file, flags, trial=values)

        lock = RunLock(folder / "search.lock")
        lock.acquire()
        try:
            if arguments.force:
                remove(folder)
            stop.loaded()
            with _trial_starter(arguments, lock.path) as start_trial:
                search = Search(folder, plan, settings_of, start_trial)
                with stop.training() as stopped:
                    search.run(stopped)
                    was_stopped = stopped.received is not None
            _show(search, plan, folder)
            search.close()
        finally:
            lock.release()
    if was_stopped:
        print(f"stopped; the same command with --resume goes on ({folder})", file=sys.stderr)
    return _STOPPED if was_stopped else 0


@contextmanager
def _trial_starter(arguments: argparse.Namespace, lock: Path) -> Iterator[StartTrial]:
    """Yield what starts trials: on this machine, or on a cluster."""
    if arguments.ray is None:
        from mlagents.search.trial_process import TrialProcess

        yield TrialProcess
        return
    from mlagents.search.cluster_trials import ClusterTrials

    cpus = arguments.cpus_per_trial or 1
    trials = ClusterTrials(arguments.ray, arguments.jobs, cpus, lock)
    try:
        yield trials
    finally:
        trials.close()


def _typed(arguments: argparse.Namespace) -> dict[str, object]:
    """Return the flags of `mlagents-learn` that were typed, by destination."""
    names = {(flag.dest or flag.name.lstrip("-").replace("-", "_")) for title in _PASSED_ON for flag in GROUPS[title]}
    return {name: value for name, value in vars(arguments).items() if name in names}


def _check_start(arguments: argparse.Namespace, is_there: bool, folder: Path) -> None:
    if is_there and not (arguments.resume or arguments.force):
        raise UsageError(f"{folder} has a search already: --resume goes on with it, --force begins anew")
    if arguments.resume and not is_there:
        raise UsageError(f"--resume: there is no search in {folder}; leave it out to begin one")


def _plan(arguments: argparse.Namespace, settings: RunSettings) -> Plan:
    from mlagents.search.study import Plan

    if not settings.search:
        raise UsageError(f"{arguments.file} has no section search, which says what to try; see docs/many-machines.md")
    if settings.env_settings.env_path is None and settings.env_settings.attach is None:
        raise UsageError("trials need an environment that they can start (--env)")
    if arguments.jobs > 1 and settings.env_settings.attach is not None:
        raise UsageError("--jobs: attached players play for one trial at a time")
    if arguments.ray is None and arguments.cpus_per_trial is not None:
        raise UsageError("--cpus-per-trial is for --ray")
    seed = settings.env_settings.seed
    return Plan(
        metric=_metric(arguments, settings),
        space=settings.search,
        trials=arguments.trials,
        jobs=arguments.jobs,
        startup=arguments.startup_trials,
        warmup=arguments.warmup,
        prunes=not arguments.no_pruning,
        seed=None if seed < 0 else seed,
    )


def _metric(arguments: argparse.Namespace, settings: RunSettings) -> Metric:
    from mlagents.search.metrics import Metric

    names = list(settings.behaviors)
    behavior = arguments.behavior or (names[0] if len(names) == 1 else None)
    if behavior is None:
        raise UsageError(f"--behavior: say whose {arguments.metric} counts: {', '.join(names) or 'none has a section'}")
    if names and behavior not in names and settings.default_settings is None:
        raise UsageError(f"--behavior={behavior}: expected one of {', '.join(names)}")
    if arguments.metric == "rating" and settings.behavior(behavior).self_play is None:
        raise UsageError(f"--metric=rating: {behavior} has no self_play, which rates it")
    if arguments.metric != "steps-to-benchmark":
        if arguments.benchmark is not None:
            raise UsageError("--benchmark is for --metric steps-to-benchmark")
        return Metric(arguments.metric, behavior)
    benchmark = arguments.benchmark
    if benchmark is None:
        benchmark = _expected_reward(settings.env_settings.env_path)
    if benchmark is None:
        raise UsageError("--benchmark: the environment has none, so say which mean reward to come to")
    return Metric(arguments.metric, behavior, benchmark)


def _expected_reward(env: str | None) -> float | None:
    from mlagents_envs.registry import default_registry

    return default_registry[env].expected_reward if env is not None and env in default_registry else None


def _show(search: Search, plan: Plan, folder: Path) -> None:
    """Print the table, best first, and draw the picture."""
    from mlagents.search.picture import Panel, draw
    from mlagents.search.study import BEST_FILE

    best, results = search.best(), search.results()
    sign = 1 if plan.metric.direction == "minimize" else -1
    ranked = sorted(results, key=lambda r: (r.value is None, sign * (r.value or 0), -r.steps))
    keys = list(plan.space)
    rows = [
        [
            str(result.number),
            result.state,
            _NOTHING if result.value is None else f"{result.value:.6g}",
            _NOTHING if result.level is None else f"{result.level:.4g}",
            str(result.steps),
            *(_in_words(result.values.get(key, _NOTHING)) for key in keys),
        ]
        for result in ranked
    ]
    level = "rating so far" if plan.metric.name == "rating" else "reward so far"
    print_table(["trial", "state", plan.metric.name, level, "steps", *(key.split(".")[-1] for key in keys)], rows)
    panels = [Panel(key, _points(key, results, best, plan), plan.space[key].form[0] == "log_uniform") for key in keys]
    draw(folder / PICTURE_FILE, panels, plan.metric.name)
    if best is not None:
        print(f"best: trial {best.number}, {plan.metric.name} {best.value:.6g}: {folder / BEST_FILE}")
    print(f"picture: {folder / PICTURE_FILE}")


def _points(key: str, results: list[TrialResult], best: TrialResult | None, plan: Plan) -> list[Point]:
    """Return the trials as points; one without a value by its level, where that is what others have for a value."""
    from mlagents.search.picture import Point

    points = []
    for result in results:
        height = result.value
        if height is None and plan.metric.direction == "maximize":
            height = result.level
        if height is not None and key in result.values:
            points.append(Point(result.values[key], height, result.value is None, result == best))
    return points


def _in_words(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
