"""`mlagents demo`: look into recorded demonstrations, and make others of them."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from mlagents.cli.table import print_table
from mlagents.cli.values import whole_number
from mlagents.errors import UsageError
from mlagents.viewing.recording import VIDEO_SUFFIXES, file_of_type

if TYPE_CHECKING:
    from mlagents_envs.demonstrations import Demonstration


@dataclass(frozen=True)
class Summary:
    """What `mlagents demo info` tells of a file or folder.

    Attributes:
      path: as given.
      name: as the recorder was told.
      behavior: of the agent.
      observations: the shape of each.
      continuous_actions: how many.
      discrete_branches: their sizes.
      episodes: how many are whole.
      unfinished_episodes: how many were still going on when a recording stopped.
      decisions: in all episodes.
      mean_reward: of whole episodes, or of the unfinished one if there is no other; None without any.
      notes: which action was taken to answer which observation, and what is missing.
    """

    path: str
    name: str
    behavior: str
    observations: tuple[tuple[int, ...], ...]
    continuous_actions: int
    discrete_branches: tuple[int, ...]
    episodes: int
    unfinished_episodes: int
    decisions: int
    mean_reward: float | None
    notes: tuple[str, ...]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("demo", help="look into demonstrations and edit them", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_looks(actions)
    _add_edits(actions)
    to_minari = _action(actions, "to-minari", "write a demonstration as a Minari dataset", _to_minari)
    to_minari.add_argument("path", type=Path, metavar="FILE", help="a .demo file, or a folder of them")
    to_minari.add_argument("dataset", metavar="ID", help="such as hallway/expert-v0, in Minari's local store")
    from_minari = _action(actions, "from-minari", "write a Minari dataset as a .demo file", _from_minari, reads=False)
    from_minari.add_argument("dataset", metavar="ID", help="such as hallway/expert-v0; `minari download` gets others")
    from_minari.add_argument("output", type=file_of_type(".demo"), metavar="OUT")
    from_minari.add_argument("--behavior", default="Agent", metavar="NAME", help="that is to learn (default: Agent)")


def _add_looks(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    info = _action(actions, "info", "describe .demo files, ours or Unity's", _info)
    info.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="a .demo file, or a folder of them")
    info.add_argument("--json", action="store_true", help="print JSON")
    play = _action(actions, "play", "show what was observed and done, decision by decision, as text or video", _play)
    play.add_argument("path", type=Path, metavar="FILE", help="a .demo file, or a folder of them")
    play.add_argument("--episode", type=whole_number(1), default=1, metavar="N", help="which one (default: 1)")
    play.add_argument("--decisions", type=whole_number(1), default=500, metavar="N", help="at most (default: 500)")
    play.add_argument("--video", type=file_of_type(*VIDEO_SUFFIXES), metavar="FILE", help="write an .mp4 or .gif")
    play.add_argument("--per-second", type=whole_number(1, 50), default=10, metavar="N", help="decisions (default: 10)")


def _add_edits(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    merge = _action(actions, "merge", "join demonstrations of one behavior", _merge)
    merge.add_argument("paths", nargs="+", type=Path, metavar="FILE", help=".demo files, or folders of them")
    cut = _action(actions, "cut", "keep a part", _cut)
    cut.add_argument("--first", type=whole_number(1), default=1, metavar="N", help="first episode to keep (default: 1)")
    cut.add_argument("--last", type=whole_number(1), metavar="N", help="last episode to keep (default: the last)")
    cut.add_argument("--decisions", type=whole_number(1), metavar="N", help="keep so many at most")
    filter_ = _action(actions, "filter", "keep good episodes", _filter)
    filter_.add_argument("--min-reward", type=float, required=True, metavar="R", help="least that an episode earned")
    split = _action(actions, "split", "divide into files OUT-1.demo, OUT-2.demo, ...", _split)
    split.add_argument("--episodes", type=whole_number(1), default=1, metavar="N", help="in each file (default: 1)")
    for edit in (cut, filter_, split):
        edit.add_argument("path", type=Path, metavar="FILE", help="a .demo file, or a folder of them")
    for edit in (merge, cut, filter_, split):
        edit.add_argument(
            "-o", "--output", type=file_of_type(".demo"), required=True, metavar="OUT", help="the .demo file to write"
        )


def _action(
    actions: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    summary: str,
    run: Callable[[argparse.Namespace], int],
    *,
    reads: bool = True,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=summary)
    parser.set_defaults(run=run)
    if reads:
        parser.add_argument(
            "--pairing",
            choices=("auto", "same", "next"),
            default="auto",
            help="which action answers an observation: the one beside it, or beside the next (default: found out)",
        )
    return parser


def _info(arguments: argparse.Namespace) -> int:
    from mlagents_envs.demonstrations import load_demonstration

    summaries = [summarize(path, load_demonstration(path, arguments.pairing)) for path in arguments.paths]
    if arguments.json:
        print(json.dumps([asdict(summary) for summary in summaries], indent=2))
    else:
        for summary in summaries:
            _print(summary)
    return 0


def _play(arguments: argparse.Namespace) -> int:
    from mlagents.viewing.demonstration import describe_decisions, observation_names, write_video

    demonstration = _load(arguments)
    episodes = demonstration.episodes
    if arguments.episode > len(episodes):
        raise UsageError(f"{arguments.path} has {len(episodes)} episodes; there is no {arguments.episode}.")
    episode = episodes[arguments.episode - 1]
    if arguments.video is None:
        rows = describe_decisions(demonstration, episode, arguments.decisions)
        print_table(("decision", "action", "reward", *observation_names(demonstration)), list(rows))
        return 0
    count = write_video(demonstration, episode, arguments.video, arguments.decisions, arguments.per_second)
    print(f"{arguments.video}: {count} of {len(episode)} decisions of episode {arguments.episode}")
    return 0


def _merge(arguments: argparse.Namespace) -> int:
    from mlagents_envs.demonstrations import load_demonstration
    from mlagents_envs.demonstrations.editing import merge

    return _save(merge([load_demonstration(path, arguments.pairing) for path in arguments.paths]), arguments.output)


def _cut(arguments: argparse.Namespace) -> int:
    from mlagents_envs.demonstrations.editing import cut

    return _save(cut(_load(arguments), arguments.first, arguments.last, arguments.decisions), arguments.output)


def _filter(arguments: argparse.Namespace) -> int:
    from mlagents_envs.demonstrations.editing import filter_rewards

    return _save(filter_rewards(_load(arguments), arguments.min_reward), arguments.output)


def _split(arguments: argparse.Namespace) -> int:
    from mlagents_envs.demonstrations.editing import split

    output: Path = arguments.output
    for number, part in enumerate(split(_load(arguments), arguments.episodes), start=1):
        _save(part, output.with_name(f"{output.stem}-{number}{output.suffix}"))
    return 0


def _to_minari(arguments: argparse.Namespace) -> int:
    minari = _minari_datasets()
    demonstration = _load(arguments)
    minari.to_minari(demonstration, arguments.dataset)
    print(f"{arguments.dataset}: {len(demonstration.episodes)} episodes, {demonstration.decisions} decisions")
    return 0


def _from_minari(arguments: argparse.Namespace) -> int:
    from mlagents_envs.demonstrations import load_demonstration

    _minari_datasets().from_minari(arguments.dataset, arguments.output, arguments.behavior)
    demonstration = load_demonstration(arguments.output)
    print(f"{arguments.output}: {len(demonstration.episodes)} episodes, {demonstration.decisions} decisions")
    return 0


def _minari_datasets() -> ModuleType:
    try:
        from mlagents_envs.foreign import minari_datasets
    except ModuleNotFoundError as error:
        if error.name not in {"gymnasium", "minari"}:
            raise
        raise UsageError("Minari's datasets need gymnasium and minari: pip install 'minari[hdf5]' gymnasium") from error
    module: ModuleType = minari_datasets
    return module


def _load(arguments: argparse.Namespace) -> Demonstration:
    from mlagents_envs.demonstrations import load_demonstration

    return load_demonstration(arguments.path, arguments.pairing)


def _save(demonstration: Demonstration, path: Path) -> int:
    from mlagents_envs.demonstrations import save_demonstration

    if not demonstration.episodes:
        raise UsageError(f"no episode is left for {path}; nothing was written")
    save_demonstration(demonstration, path)
    print(f"{path}: {len(demonstration.episodes)} episodes, {demonstration.decisions} decisions")
    return 0


def summarize(path: Path, demonstration: Demonstration) -> Summary:
    """Return what there is to tell."""
    spec = demonstration.spec
    whole = sum(episode.is_whole for episode in demonstration.episodes)
    mean = demonstration.mean_reward
    return Summary(
        path=str(path),
        name=demonstration.name,
        behavior=demonstration.behavior,
        observations=tuple(spec.observation_shapes),
        continuous_actions=spec.action_spec.continuous_size,
        discrete_branches=tuple(spec.action_spec.discrete_branches),
        episodes=whole,
        unfinished_episodes=len(demonstration.episodes) - whole,
        decisions=demonstration.decisions,
        mean_reward=None if math.isnan(mean) else mean,
        notes=demonstration.notes,
    )


def _print(summary: Summary) -> None:
    unfinished = f" and {summary.unfinished_episodes} unfinished" if summary.unfinished_episodes else ""
    print(f"{summary.path}: {summary.name}")
    print(f"  behavior: {summary.behavior}")
    print(f"  observations: {', '.join('x'.join(map(str, shape)) for shape in summary.observations)}")
    print(f"  actions: {_actions(summary)}")
    print(f"  episodes: {summary.episodes}{unfinished}")
    print(f"  decisions: {summary.decisions}")
    print(f"  mean reward: {'unknown' if summary.mean_reward is None else f'{summary.mean_reward:.3f}'}")
    for note in summary.notes:
        print(f"  note: {note}")


def _actions(summary: Summary) -> str:
    """Say "2 continuous, discrete 3+2"."""
    parts = [f"{summary.continuous_actions} continuous"] if summary.continuous_actions else []
    if summary.discrete_branches:
        parts.append(f"discrete {'+'.join(map(str, summary.discrete_branches))}")
    return ", ".join(parts) or "none"
