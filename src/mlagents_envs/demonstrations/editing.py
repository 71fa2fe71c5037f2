"""Demonstrations made of others: joined, shortened, chosen from, divided; and written to files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations.demonstration import Demonstration, Episode
from mlagents_envs.demonstrations.writer import DemonstrationWriter


def save_demonstration(demonstration: Demonstration, path: Path | str, *, png: bool = True) -> None:
    """Write a demonstration as a file of this toolkit, which states the pairing.

    An unfinished episode becomes a truncated one unless it is the last.

    Raises:
      DemonstrationPathError: the name does not end in `.demo`.
      OSError: the folder cannot be written to.
    """
    last = len(demonstration.episodes) - 1
    with DemonstrationWriter(path, demonstration.behavior, demonstration.spec, png=png) as writer:
        for number, episode in enumerate(demonstration.episodes):
            writer.write_episode(episode, is_last=number == last)


def merge(demonstrations: Sequence[Demonstration]) -> Demonstration:
    """Return the episodes of all, one demonstration after the other, with the observations in the first one's order.

    Raises:
      DemonstrationError: one does not fit the first.
    """
    first, *others = demonstrations
    fitting = [first, *(other.fit_to(first.spec, first.behavior) for other in others)]
    episodes = tuple(episode for part in fitting for episode in part.episodes)
    return replace(first, episodes=episodes, notes=tuple(note for part in fitting for note in part.notes))


def cut(
    demonstration: Demonstration, first: int = 1, last: int | None = None, decisions: int | None = None
) -> Demonstration:
    """Return a part of a demonstration.

    Args:
      demonstration: to take from.
      first: number of the first episode to keep, counted from 1.
      last: number of the last one; None for all that follow.
      decisions: how many to keep at most; the episode in which they run out is cut there, and then unfinished.
    """
    kept = []
    left = demonstration.decisions if decisions is None else decisions
    for episode in demonstration.episodes[first - 1 : last]:
        if left > 0:
            kept.append(_head(episode, left))
            left -= len(episode)
    return replace(demonstration, episodes=tuple(kept))


def filter_rewards(demonstration: Demonstration, least: float) -> Demonstration:
    """Return the episodes that earned at least so much."""
    kept = tuple(episode for episode in demonstration.episodes if episode.total_reward >= least)
    return replace(demonstration, episodes=kept)


def split(demonstration: Demonstration, episodes: int) -> Iterator[Demonstration]:
    """Yield demonstrations of so many episodes each; the last may have fewer."""
    for start in range(0, len(demonstration.episodes), episodes):
        yield replace(demonstration, episodes=demonstration.episodes[start : start + episodes])


def _head(episode: Episode, decisions: int) -> Episode:
    if decisions >= len(episode):
        return episode
    masks = episode.action_mask
    return replace(
        episode,
        obs=[column[: decisions + 1] for column in episode.obs],
        action=ActionTuple(episode.action.continuous[:decisions], episode.action.discrete[:decisions]),
        action_mask=None if masks is None else [mask[:decisions] for mask in masks],
        reward=episode.reward[:decisions],
        group_reward=episode.group_reward[:decisions],
        terminated=False,
        truncated=False,
    )
