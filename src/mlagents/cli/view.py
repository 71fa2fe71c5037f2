"""`mlagents view`: look at an environment in the browser while a model, a run, a rule or a person plays it."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlagents.cli.model_files import model_files
from mlagents.cli.values import find_environment, find_folder, whole_number
from mlagents.errors import UsageError
from mlagents.files import RUN_FOLDERS
from mlagents.viewing.recording import file_of_type
from mlagents.viewing.seats import has_display
from mlagents_envs.behavior_id import BehaviorId

if TYPE_CHECKING:
    from mlagents.viewing.candidates import Candidate
    from mlagents_envs.base_env import BaseEnv
    from mlagents_envs.registry import BaseRegistryEntry

LOOPBACK = "127.0.0.1"
BEHIND_TRAINING = 10
"""How nice the page is to the run that it stands beside."""
MOST_RUNS = 30
"""So many runs can be chosen from on the page, the newest ones."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "view", help="look at an environment in the browser, and play or teach there", description=__doc__
    )
    parser.add_argument(
        "environment", metavar="ENV", help="name of an environment (see `mlagents envs`), gym:NAME or FILE.py"
    )
    parser.add_argument(
        "--model",
        metavar="FILE|RUN|random|heuristic",
        help="who begins to play: an .onnx or .nn file, a folder with models, a run, its newest checkpoint followed"
        " while it trains, random actions, or the author's rule (default: the model that comes with the environment, or"
        " random)",
    )
    parser.add_argument("--num-areas", type=whole_number(1, 10_000), default=1, metavar="N", help="default: 1")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="S", help="default: 0")
    parser.add_argument("--deterministic", action="store_true", help="take the most likely actions")
    parser.add_argument(
        "--record",
        type=file_of_type(".demo"),
        metavar="FILE",
        help="where recordings made on the page go; further ones are FILE-2.demo and so on (default: ENV.demo)",
    )
    parser.add_argument(
        "--port", type=whole_number(0, 65_535), metavar="P", help="0: any (default: the first free one from 8080 on)"
    )
    parser.add_argument(
        "--bind",
        default=LOOPBACK,
        metavar="ADDRESS",
        help=f"address to listen on (default: {LOOPBACK}, this machine only); whoever reaches another one can do all"
        " that the page can, without a password",
    )
    parser.add_argument("--no-browser", action="store_true", help="do not open the page, only say where it is")
    parser.add_argument("--await-run", metavar="FOLDER", help=argparse.SUPPRESS)  # of `mlagents-learn --view`
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until it is interrupted, and return the exit code.

    Raises:
      UsageError: no such environment or model, viser is not installed, or the port is taken.
      ModelError: a model cannot be used.
    """
    entry = find_environment(arguments.environment)
    from mlagents import process

    process.configure("cpu")  # checkpoints act by the networks of training
    from mlagents.viewing.browser import Address, Show, free_demo_path, open_server, url
    from mlagents.viewing.cast import ChosenCast
    from mlagents.viewing.hands import Hands
    from mlagents.viewing.session import Session
    from mlagents.viewing.teaching import Teacher
    from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel

    if arguments.await_run and hasattr(os, "nice"):
        os.nice(BEHIND_TRAINING)
    channel = EnvironmentParametersChannel()
    env = _make(entry, arguments, channel)
    try:
        if not env.behavior_specs:
            env.reset()
        cast = ChosenCast(list(_candidates(env, entry, arguments)), env.behavior_specs)
        teacher = Teacher(arguments.record or free_demo_path(entry.identifier))
        session = Session(env, cast, Hands(), teacher, deterministic=arguments.deterministic, seed=arguments.seed)
        with open_server(Address(arguments.bind, arguments.port), entry.identifier) as server:
            show = Show(server, env, session, cast, entry.identifier, channel.set_float_parameter)
            _announce(url(server, arguments.bind), arguments)
            try:
                show.run(_stop_with_parent() if arguments.await_run else threading.Event())
            except KeyboardInterrupt:
                pass
            finally:
                session.release()
    finally:
        env.close()
    return 0


def _make(entry: BaseRegistryEntry, arguments: argparse.Namespace, channel: Any) -> BaseEnv:
    from mlagents_envs.registry.foreign_entry import is_foreign

    drawn = {"render_mode": "rgb_array"} if is_foreign(entry.identifier) else {}
    return entry.make(seed=arguments.seed, num_areas=arguments.num_areas, side_channels=[channel], **drawn)


def _candidates(env: BaseEnv, entry: BaseRegistryEntry, arguments: argparse.Namespace) -> Iterator[Candidate]:
    """Yield who can play, first who begins."""
    from mlagents.viewing.candidates import Chance, Files, Rule, Run

    names = sorted({BehaviorId.parse(behavior).name for behavior in env.behavior_specs})
    chance = Chance()
    with_rule: frozenset[str] = getattr(env, "rules", frozenset())
    rule = Rule(env.heuristic, with_rule) if with_rule else None  # type: ignore[attr-defined]
    wanted = arguments.model
    if arguments.await_run:
        folder = Path(arguments.await_run)
        yield Run(f"run {folder.name}", folder, is_awaited=True)
    elif wanted == "random":
        yield chance
    elif wanted == "heuristic":
        if rule is None:
            raise UsageError(
                f"{entry.identifier} has no rule of its author's for its agents; to play by keys, take over an agent on"
                " the page"
            )
        yield rule
    elif wanted is not None:
        yield _named(entry, wanted, names)
    if entry.pretrained is not None:
        yield Files("the model that comes with it", model_files(entry, None, names))
    if rule is not None:
        yield rule
    yield from _runs()
    yield chance


def _named(entry: BaseRegistryEntry, wanted: str, names: list[str]) -> Candidate:
    from mlagents.inference import SUFFIXES
    from mlagents.viewing.candidates import Files, Run

    where = Path(wanted)
    if not (where.is_file() or (where.suffix in SUFFIXES and not where.is_dir())):
        folder = find_folder(where)
        if _is_run(folder):
            return Run(f"run {folder.name}", folder)
    return Files(wanted, model_files(entry, wanted, names))


def _runs() -> Iterator[Candidate]:
    """Yield the runs in the usual folders, the newest first."""
    from mlagents.viewing.candidates import Run

    folders = [folder for base in RUN_FOLDERS if base.is_dir() for folder in base.iterdir() if _is_run(folder)]
    folders.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in folders[:MOST_RUNS]:
        yield Run(f"run {folder.name}", folder)


def _is_run(folder: Path) -> bool:
    from mlagents.artifacts.layout import Layout

    return folder.is_dir() and Layout.of_folder(folder).status.is_file()


def _announce(where: str, arguments: argparse.Namespace) -> None:
    print(f"{arguments.environment} is shown at {where} (Ctrl+C ends it)", file=sys.stderr, flush=True)
    if arguments.bind not in (LOOPBACK, "localhost", "::1"):
        print(
            f"note: --bind {arguments.bind} lets everybody who reaches this machine see the page, play, change the"
            " environment's parameters, choose among the listed models and record demonstrations into this folder;"
            " there is no password and no encryption",
            file=sys.stderr,
            flush=True,
        )
    if not arguments.no_browser and not arguments.await_run and has_display():
        webbrowser.open(where)


def _stop_with_parent() -> threading.Event:
    """Return what is set when the process that started this one ends, which holds the other end of our stdin."""
    stop = threading.Event()

    def wait() -> None:
        while os.read(0, 1024):
            pass
        stop.set()

    threading.Thread(target=wait, daemon=True, name="parent").start()
    return stop
