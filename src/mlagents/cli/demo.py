"""`mlagents demo`: what is in recorded demonstrations."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

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


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("demo", help="look into demonstrations", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    info = actions.add_parser("info", help="describe .demo files, ours or Unity's")
    info.add_argument("paths", nargs="+", type=Path, metavar="FILE", help="a .demo file, or a folder of them")
    info.add_argument("--json", action="store_true", help="print JSON")
    info.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Describe files, one after the other.

    Raises:
      DemonstrationError: a file is damaged or none of ours.
      OSError: it cannot be read.
    """
    from mlagents_envs.demonstrations import load_demonstration

    summaries = [summarize(path, load_demonstration(path)) for path in arguments.paths]
    if arguments.json:
        print(json.dumps([asdict(summary) for summary in summaries], indent=2))
    else:
        for summary in summaries:
            _print(summary)
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


def _actions(summary: Summary) -> str:
    """Say "2 continuous, discrete 3+2"."""
    parts = [f"{summary.continuous_actions} continuous"] if summary.continuous_actions else []
    if summary.discrete_branches:
        parts.append(f"discrete {'+'.join(map(str, summary.discrete_branches))}")
    return ", ".join(parts) or "none"
