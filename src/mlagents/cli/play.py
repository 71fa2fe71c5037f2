"""`mlagents play`: let a trained model, a rule or a person play an environment, and say how well it does."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli import versus
from mlagents.cli.errors import INTERRUPTED
from mlagents.cli.table import print_table
from mlagents.cli.values import find_environment, find_folder, whole_number
from mlagents.errors import UsageError
from mlagents.viewing.grid import GridRecorder, GridSize
from mlagents.viewing.players import heuristic_players, keyboard_playable, recorded
from mlagents.viewing.recording import SECONDS, VIDEO_SUFFIXES, Recorder, Watchable, file_of_type
from mlagents.viewing.seat import Quit
from mlagents.viewing.seats import TERMINAL, WINDOW
from mlagents_envs.behavior_id import BehaviorId

if TYPE_CHECKING:
    from mlagents.inference import EvaluationResult, Model
    from mlagents_envs.base_env import BaseEnv, BehaviorSpec
    from mlagents_envs.registry import BaseRegistryEntry

RANDOM = "random"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("play", help="let a trained model play", description=__doc__)
    parser.add_argument(
        "environment", metavar="ENV", help="name of an environment (see `mlagents envs`), gym:NAME or FILE.py"
    )
    player = parser.add_mutually_exclusive_group()
    player.add_argument(
        "--heuristic",
        action="store_true",
        help="play by keyboard (`mlagents envs ENV` lists the keys), or by the rule that the author gave the agents",
    )
    player.add_argument(
        "--model",
        metavar="FILE|RUN|random",
        help="an .onnx or .nn file, a folder or run id with one <behavior>.onnx or .nn per behavior, or random"
        " actions (default: the model that comes with the environment)",
    )
    parser.add_argument(
        "--against",
        metavar="FILE|RUN|RUN@N|random|heuristic",
        help="play --model against this one, each on either side half of the time, and count who wins; RUN@N is a run's"
        " snapshot N, and --model takes all of these, too",
    )
    parser.add_argument(
        "--screen",
        choices=(WINDOW, TERMINAL),
        help="where the keyboard plays (default: a window if there is a display, else the terminal)",
    )
    parser.add_argument(
        "--episodes",
        type=whole_number(1),
        metavar="N",
        help="default: 100, or 1 with --video or --screenshot",
    )
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="S", help="default: 0")
    parser.add_argument(
        "--num-areas",
        type=whole_number(1, 10_000),
        metavar="N",
        help="copies of the scene (default: as many as usual, or 1 with --heuristic, --video or --screenshot)",
    )
    _add_recording(parser)
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


def _add_recording(parser: argparse.ArgumentParser) -> None:
    """Add what is kept of the play: recordings, videos, pictures."""
    parser.add_argument(
        "--record",
        type=file_of_type(".demo"),
        metavar="FILE",
        help="write what the agents observe and do as a .demo file",
    )
    parser.add_argument(
        "--video",
        type=file_of_type(*VIDEO_SUFFIXES),
        metavar="FILE",
        help="record the play as .mp4 (needs mlagents-jax[video]) or .gif",
    )
    parser.add_argument(
        "--seconds",
        type=whole_number(1),
        metavar="S",
        help=f"length of the video, which also ends the play unless --episodes is given (default: {SECONDS:g})",
    )
    parser.add_argument(
        "--grid",
        type=_grid_size,
        metavar="CxR",
        help="show C x R plays at once, C beside and R below each other, 1 to 8 each; every one has a seed, and plays"
        " --episodes, of its own",
    )
    parser.add_argument(
        "--screenshot",
        type=file_of_type(".png"),
        metavar="FILE",
        help="save a picture of the play after one second as .png",
    )


def _grid_size(text: str) -> GridSize:
    """Return, for argparse, the columns and rows of `2x3`."""
    found = re.fullmatch(r"([1-8])[xX]([1-8])", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"expected columns x rows, 1 to 8 each, like 2x2; got {text!r}")
    return GridSize(int(found[1]), int(found[2]))


def run(arguments: argparse.Namespace) -> int:
    """Play, print, and return the exit code.

    Raises:
      UsageError: no such environment, no model for it, or it cannot be seen.
      ModelError: a model cannot be used.
    """
    entry = find_environment(arguments.environment)
    if arguments.against is not None:
        return _play_against(entry, arguments)
    if arguments.grid is not None:
        return _play_grid(entry, arguments)
    from mlagents.inference import Evaluation
    from mlagents_envs.registry.foreign_entry import is_foreign

    is_seen = bool(arguments.video or arguments.screenshot)
    env = entry.make(
        seed=arguments.seed,
        num_areas=arguments.num_areas or (1 if is_seen or arguments.heuristic else None),
        **({"render_mode": "rgb_array"} if is_seen and is_foreign(entry.identifier) else {}),
    )
    played = recorded(env, arguments.record)
    try:
        if not env.behavior_specs:
            env.reset()  # executables tell their behaviors only then
        if arguments.seconds and not arguments.video:
            raise UsageError("--seconds is the length of a video; name its file with --video")
        episodes = arguments.episodes or (1 if is_seen and not arguments.seconds else 100)
        interrupted = cut = False
        with _players(env, entry, arguments) as models:
            evaluation = Evaluation(
                played, models, episodes, deterministic=arguments.deterministic, seed=arguments.seed
            )
            with _recording(env, entry, arguments) as is_full:
                try:
                    cut = not evaluation.run(lambda: arguments.episodes is None and is_full())
                except KeyboardInterrupt:
                    interrupted = True
                except Quit:
                    pass
    finally:
        played.close()
    _report(evaluation.result(unfinished=cut), entry, arguments, interrupted)
    return INTERRUPTED if interrupted else 0


def _play_against(entry: BaseRegistryEntry, arguments: argparse.Namespace) -> int:
    if arguments.heuristic or arguments.video or arguments.screenshot or arguments.record:
        raise UsageError("--against goes with --model only, which may be heuristic")
    from mlagents import process

    process.configure("cpu")  # snapshots act by the networks of training
    model = arguments.model or str(entry.pretrained or "")
    if not model:
        raise UsageError(f"no trained model comes with {entry.identifier}; give --model FILE, RUN or random")
    contest = versus.Contest(
        model, arguments.against, arguments.episodes or 100, arguments.deterministic, arguments.seed
    )
    env = entry.make(seed=arguments.seed, num_areas=arguments.num_areas)
    try:
        if not env.behavior_specs:
            env.reset()
        legs, interrupted = versus.play(env, contest, lambda what, names: _files(entry, what, names))
    finally:
        env.close()
    versus.report(entry.identifier, contest, legs, interrupted, arguments.json)
    return INTERRUPTED if interrupted else 0


@contextmanager
def _players(env: BaseEnv, entry: BaseRegistryEntry, arguments: argparse.Namespace) -> Iterator[Mapping[str, Model]]:
    """Give a player for each behavior."""
    if not arguments.heuristic:
        yield _models(env, entry, arguments.model)
        return
    if keyboard_playable(env) and (arguments.video or arguments.screenshot):
        raise UsageError("--video and --screenshot do not go with play by keyboard; --record FILE.demo does")
    with heuristic_players(env, entry.identifier, arguments.screen) as players:
        yield players


@contextmanager
def _recording(env: BaseEnv, entry: BaseRegistryEntry, arguments: argparse.Namespace) -> Iterator[Callable[[], bool]]:
    """Record what happens in the block, if that is wanted; give a function that says whether the video is full."""
    video, screenshot = arguments.video, arguments.screenshot
    if video is None and screenshot is None:
        yield lambda: False
        return
    seconds = float(arguments.seconds or SECONDS)
    recorder = Recorder(_watchable(env, entry), video, screenshot, seconds, _progress(seconds))
    try:
        yield lambda: recorder.full
    finally:
        recorder.close()


def _watchable(env: BaseEnv, entry: BaseRegistryEntry) -> Watchable:
    if not isinstance(env, Watchable):
        raise UsageError(
            f"{entry.identifier} runs outside of this toolkit, which cannot see it; look at its own window"
        )
    return env


def _progress(seconds: float) -> Callable[[int], None]:
    """Return what says how much of the video is recorded: at every second on a terminal, else at every fifth."""

    def progress(recorded: int) -> None:
        end = "\r" if sys.stderr.isatty() and recorded < seconds else "\n"
        if end == "\r" or recorded % 5 == 0 or recorded >= seconds:
            print(f"recorded {recorded} of at most {seconds:g} s", end=end, file=sys.stderr, flush=True)

    return progress


def _play_grid(entry: BaseRegistryEntry, arguments: argparse.Namespace) -> int:
    """Play several environments at once for a video of all of them."""
    if arguments.heuristic or arguments.record or arguments.screenshot or not arguments.video:
        raise UsageError("--grid goes with --video, and with --model only")
    from mlagents.inference import Evaluation, joint_result
    from mlagents_envs.registry.foreign_entry import is_foreign

    mode = {"render_mode": "rgb_array"} if is_foreign(entry.identifier) else {}
    with ExitStack() as stack:
        envs = []
        for number in range(arguments.grid.plays):
            envs.append(entry.make(seed=arguments.seed + number, num_areas=arguments.num_areas or 1, **mode))
            stack.callback(envs[-1].close)
        watched = [_watchable(env, entry) for env in envs]
        seconds, episodes = float(arguments.seconds or SECONDS), arguments.episodes or (100 if arguments.seconds else 1)
        evaluations = []
        for number, env in enumerate(envs):
            models, seed = _models(env, entry, arguments.model), arguments.seed + number
            evaluations.append(Evaluation(env, models, episodes, deterministic=arguments.deterministic, seed=seed))
        recorder = GridRecorder(watched, arguments.grid, arguments.video, seconds, _progress(seconds))
        stack.callback(recorder.close)
        interrupted = cut = False
        try:
            cut = not recorder.play([evaluation.steps() for evaluation in evaluations])
        except KeyboardInterrupt:
            interrupted = True
    _report(joint_result(evaluations, unfinished=cut), entry, arguments, interrupted)
    return INTERRUPTED if interrupted else 0


def _models(env: BaseEnv, entry: BaseRegistryEntry, wanted: str | None) -> dict[str, Model]:
    """Return a model for each behavior. Teams of one behavior play with the same file."""
    from mlagents.inference import RandomPolicy

    specs = env.behavior_specs
    if wanted == RANDOM:
        return {behavior: RandomPolicy(spec) for behavior, spec in specs.items()}
    names = {behavior: BehaviorId.parse(behavior).name for behavior in specs}
    files = _files(entry, wanted, sorted(set(names.values())))
    return {behavior: _load(behavior, files[names[behavior]], spec) for behavior, spec in specs.items()}


def _load(behavior: str, file: Path, spec: BehaviorSpec) -> Model:
    from mlagents.inference import ModelError, load_model

    try:
        return load_model(file, spec)
    except ModelError as error:
        raise type(error)(f"behavior {behavior!r}: {error}") from error


def _files(entry: BaseRegistryEntry, wanted: str | None, names: Sequence[str]) -> dict[str, Path]:
    """Return behavior name -> model file."""
    from mlagents.inference import SUFFIXES
    from mlagents.stats import safe_name

    if wanted is None and entry.pretrained is None:
        raise UsageError(f"no trained model comes with {entry.identifier}; give --model FILE, RUN or random")
    where = entry.pretrained if wanted is None else Path(wanted)
    assert where is not None
    stems = [safe_name(name) for name in names]
    if where.is_file() or (where.suffix in SUFFIXES and not where.is_dir()):
        if len(names) > 1:
            raise UsageError(
                f"{where} is one model, but {entry.identifier} has behaviors {', '.join(names)}; give a run"
                f" or a folder with {', '.join(f'{stem}.onnx' for stem in stems)}"
            )
        return {names[0]: where}
    folder = find_folder(where)
    found = [_in_folder(folder, stem, SUFFIXES) for stem in stems]
    files = {name: file for name, file in zip(names, found, strict=True) if file is not None}
    if missing := [f"{stem}.onnx" for stem, file in zip(stems, found, strict=True) if file is None]:
        there = ", ".join(sorted(path.name for path in folder.iterdir() if path.suffix in SUFFIXES))
        raise UsageError(
            f"expected {', '.join(missing)} in the folder {folder}, or .nn; found {there or 'no .onnx or .nn files'}"
        )
    return files


def _in_folder(folder: Path, stem: str, suffixes: tuple[str, ...]) -> Path | None:
    """Return the model of a behavior in the first format that is there."""
    return next((file for suffix in suffixes if (file := folder / f"{stem}{suffix}").is_file()), None)


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
    played = {name: behavior for name, behavior in result.items() if behavior.episodes}
    grouped = any(behavior.group_mean for behavior in played.values())
    columns = ["behavior", "mean reward", "std", "episodes", "mean length", "benchmark"]
    if grouped:
        columns.insert(2, "of it by group")
    rows = []
    for name, behavior in played.items():
        row = [
            name,
            f"{behavior.mean:.3f}",
            f"{behavior.std:.3f}",
            str(behavior.episodes),
            f"{behavior.mean_length:.1f}",
            "unknown" if benchmark is None else f"{benchmark:g}",
        ]
        if grouped:
            row.insert(2, f"{behavior.group_mean:.3f}")
        rows.append(row)
    if rows:
        print_table(columns, rows)
    else:
        print("no episode has ended")
