"""`mlagents play`: let a trained model play an environment, and say how well it does."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.environments import find_environment
from mlagents.cli.errors import INTERRUPTED, UsageError
from mlagents.cli.numbers import whole_number
from mlagents.cli.table import print_table

if TYPE_CHECKING:
    from mlagents.inference import EvaluationResult, Model
    from mlagents_envs.base_env import BaseEnv
    from mlagents_envs.registry import BaseRegistryEntry

RANDOM = "random"
RUN_FOLDERS = (Path("models"), Path("results"))


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("play", help="let a trained model play", description=__doc__)
    parser.add_argument("environment", metavar="ENV", help="name of an environment; see `mlagents envs`")
    parser.add_argument(
        "--model",
        metavar="FILE|RUN|random",
        help="an .onnx file, a folder or run id with one <behavior>.onnx per behavior, or random actions"
        " (default: the model that comes with the environment)",
    )
    parser.add_argument("--episodes", type=whole_number(1), default=100, metavar="N", help="default: 100")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="S", help="default: 0")
    parser.add_argument(
        "--num-areas",
        type=whole_number(1),
        metavar="N",
        help="copies of the scene (default: as many as usual)",
    )
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--deterministic", action="store_true", help="take the most likely actions")
    mode.add_argument(
        "--stochastic",
        dest="deterministic",
        action="store_false",
        help="sample actions, as in training (default)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Play, print, and return the exit code.

    Raises:
      UsageError: no such environment, or no model for it.
      ModelError: a model cannot be used.
    """
    entry = find_environment(arguments.environment)
    from mlagents.inference import Evaluation

    env = entry.make(seed=arguments.seed, num_areas=arguments.num_areas)
    try:
        if not env.behavior_specs:
            env.reset()  # executables tell their behaviors only then
        models = _models(env, entry, arguments.model)
        evaluation = Evaluation(
            env, models, arguments.episodes, deterministic=arguments.deterministic, seed=arguments.seed
        )
        interrupted = False
        try:
            evaluation.run()
        except KeyboardInterrupt:
            interrupted = True
    finally:
        env.close()
    _report(evaluation.result(), entry, arguments, interrupted)
    return INTERRUPTED if interrupted else 0


def _models(env: BaseEnv, entry: BaseRegistryEntry, wanted: str | None) -> dict[str, Model]:
    """Return a model for each behavior. Teams of one behavior play with the same file."""
    from mlagents.inference import OnnxModel, RandomPolicy

    specs = env.behavior_specs
    if wanted == RANDOM:
        return {behavior: RandomPolicy(spec) for behavior, spec in specs.items()}
    names = {behavior: behavior.split("?")[0] for behavior in specs}
    files = _files(entry, wanted, sorted(set(names.values())))
    return {behavior: OnnxModel(files[names[behavior]], spec) for behavior, spec in specs.items()}


def _files(entry: BaseRegistryEntry, wanted: str | None, names: list[str]) -> dict[str, Path]:
    """Return behavior name -> model file."""
    from mlagents.stats import safe_name

    if wanted is None and entry.pretrained is None:
        raise UsageError(f"no trained model comes with {entry.identifier}; give --model FILE, RUN or random")
    where = entry.pretrained if wanted is None else Path(wanted)
    assert where is not None
    files = [f"{safe_name(name)}.onnx" for name in names]
    if where.is_file() or (where.suffix == ".onnx" and not where.is_dir()):
        if len(names) > 1:
            raise UsageError(
                f"{where} is one model, but {entry.identifier} has behaviors {', '.join(names)}; give a run"
                f" or a folder with {', '.join(files)}"
            )
        return {names[0]: where}
    folder = _folder(where)
    if missing := [file for file in files if not (folder / file).is_file()]:
        there = ", ".join(sorted(path.name for path in folder.glob("*.onnx"))) or "no .onnx files"
        raise UsageError(f"expected {', '.join(missing)} in the folder {folder}; found {there}")
    return {name: folder / file for name, file in zip(names, files, strict=True)}


def _folder(where: Path) -> Path:
    candidates = [where, *(base / where for base in RUN_FOLDERS)]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    places = ", ".join(str(candidate) for candidate in candidates)
    raise UsageError(f"there is no model or run {str(where)!r}; looked for the folders {places}")


def _report(
    result: EvaluationResult, entry: BaseRegistryEntry, arguments: argparse.Namespace, interrupted: bool
) -> None:
    if interrupted:
        print("interrupted; short episodes count for too much in what follows", file=sys.stderr)
    if arguments.json:
        report = {
            "environment": entry.identifier,
            "deterministic": arguments.deterministic,
            "seed": arguments.seed,
            "interrupted": interrupted,
            "benchmark": entry.expected_reward,
            "behaviors": {name: asdict(behavior) for name, behavior in result.items() if behavior.episodes},
        }
        print(json.dumps(report, indent=2))
    else:
        _print_result(result, entry.expected_reward)


def _print_result(result: EvaluationResult, benchmark: float | None) -> None:
    columns = ("behavior", "mean reward", "std", "episodes", "mean length", "benchmark")
    rows = [
        (
            name,
            f"{behavior.mean:.3f}",
            f"{behavior.std:.3f}",
            str(behavior.episodes),
            f"{behavior.mean_length:.1f}",
            "unknown" if benchmark is None else f"{benchmark:g}",
        )
        for name, behavior in result.items()
        if behavior.episodes
    ]
    if rows:
        print_table(columns, rows)
    else:
        print("no episode has ended")
