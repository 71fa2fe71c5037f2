"""Demonstrations as flat arrays of experience, for everything that learns from them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import Columns, Stored
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.demonstrations import (
    Demonstration,
    DemonstrationError,
    Episode,
    PairingChoice,
    demonstration_files,
    load_demonstration,
)


@dataclass(frozen=True)
class DemonstratedRows:
    """n decisions of experts, episode after episode, as the learner's own experience is stored.

    Attributes:
      observations: one [n, *shape] per observation spec, as stored (see `Columns`): images as uint8 where that loses
        nothing.
      final_observations: one [episodes, *shape] per observation spec, of the same dtype: what followed the
        last decision of each episode. Other decisions are followed by the next row.
      continuous: float32 [n, continuous size]. discrete: int32 [n, branches].
      allowed: bool [n, sum of branch sizes], True = could be chosen. All True where no mask was recorded, and what the
        expert chose always is.
      reward: float32 [n], group reward included.
      terminated: bool [n], nothing followed this decision.
      truncated: bool [n], the episode was cut here, by a limit or because the recording stopped.
      starts: int32 [episodes], rows at which episodes start. lengths: int32 [episodes], their decisions.
      mean_reward: of whole episodes, or of all if none is whole; group reward included.
      notes: what to tell people, one sentence each (see `Demonstration.notes`).
    """

    observations: tuple[Stored, ...]
    final_observations: tuple[Stored, ...]
    continuous: NDArray[np.float32]
    discrete: NDArray[np.int32]
    allowed: NDArray[np.bool_]
    reward: NDArray[np.float32]
    terminated: NDArray[np.bool_]
    truncated: NDArray[np.bool_]
    starts: NDArray[np.int32]
    lengths: NDArray[np.int32]
    mean_reward: float
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.reward)

    def sequences(self, steps: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return where sequences start and how long they are: the episodes, cut into pieces of at most `steps`.

        Returns: int32 [sequences] each, in the order of the rows.
        """
        pieces = -(-self.lengths // steps)
        number = np.arange(pieces.sum()) - np.repeat(np.cumsum(pieces) - pieces, pieces)
        starts = np.repeat(self.starts, pieces) + number * steps
        ends = np.repeat(self.starts + self.lengths, pieces)
        return starts.astype(np.int32), np.minimum(ends - starts, steps).astype(np.int32)


def load_demonstrations(
    demo_path: Path | str, spec: BehaviorSpec, behavior: str, pairing: PairingChoice = "auto"
) -> DemonstratedRows:
    """Read all that a behavior is to learn from, checked before training starts.

    Args:
      demo_path: a `.demo` file, or a folder of them.
      spec: of the behavior. Observations of another order are put into its order where names or shapes tell which is
        which.
      behavior: its name, for messages.
      pairing: which action answers an observation; `auto` finds out for each file.

    Raises:
      FileNotFoundError: there is neither file nor folder.
      DemonstrationError: no `.demo` file in the folder, an empty or damaged file, numbers that are NaN, or observations
        or actions that are not the behavior's. The message names the file, and the pair where it is about one.
    """
    parts = []
    for file in demonstration_files(demo_path):
        demonstration = load_demonstration(file, pairing)
        try:
            parts.append(demonstration.fit_to(spec, behavior))
        except DemonstrationError as error:
            raise DemonstrationError(f"{file}: {error}") from error
    return _flat(spec, parts)


def _flat(spec: BehaviorSpec, parts: Sequence[Demonstration]) -> DemonstratedRows:
    episodes = [episode for part in parts for episode in part.episodes]
    lengths = [len(episode) for episode in episodes]
    starts = list(accumulate(lengths, initial=0))
    columns = Columns.empty(spec, 0, starts[-1])
    final = Columns.empty(spec, 0, len(episodes))
    terminated = np.zeros(starts[-1], np.bool_)
    truncated = np.zeros(starts[-1], np.bool_)
    for number, (episode, start) in enumerate(zip(episodes, starts[:-1], strict=True)):
        rows = slice(start, start + len(episode))
        for position, observation in enumerate(episode.obs):
            columns.write(rows, position, observation[:-1])
            final.write(slice(number, number + 1), position, observation[-1:])
        _write_decisions(columns, rows, episode)
        terminated[rows.stop - 1] = episode.terminated
        truncated[rows.stop - 1] = not episode.terminated
    columns.match(final.observations)
    final.match(columns.observations)
    return DemonstratedRows(
        observations=tuple(columns.observations),
        final_observations=tuple(final.observations),
        continuous=columns.continuous,
        discrete=columns.discrete,
        allowed=columns.allowed,
        reward=columns.reward,
        terminated=terminated,
        truncated=truncated,
        starts=np.array(starts[:-1], np.int32),
        lengths=np.array(lengths, np.int32),
        mean_reward=_mean_reward(episodes),
        notes=(*(note for part in parts for note in part.notes), *_notes_on_masks(episodes)),
    )


def _write_decisions(columns: Columns, rows: slice, episode: Episode) -> None:
    columns.continuous[rows] = episode.action.continuous
    columns.discrete[rows] = episode.action.discrete
    columns.reward[rows] = episode.reward + episode.group_reward
    if episode.action_mask is not None:
        allowed = ~np.concatenate(episode.action_mask, axis=1)
        for branch, chosen in zip(_first_choices(episode), episode.action.discrete.T, strict=True):
            allowed[np.arange(len(allowed)), branch + chosen] = True
        columns.allowed[rows] = allowed


def _first_choices(episode: Episode) -> Iterator[int]:
    """Yield where the choices of each branch begin among those of all."""
    sizes = [mask.shape[1] for mask in episode.action_mask or ()]
    yield from accumulate(sizes[:-1], initial=0)


def _mean_reward(episodes: Sequence[Episode]) -> float:
    whole = [episode for episode in episodes if episode.is_whole] or episodes
    return math.fsum(episode.total_reward + float(episode.group_reward.sum()) for episode in whole) / len(whole)


def _notes_on_masks(episodes: Sequence[Episode]) -> Iterator[str]:
    forbidden = sum(
        int(mask[np.arange(len(mask)), choice].sum())
        for episode in episodes
        if episode.action_mask is not None
        for mask, choice in zip(episode.action_mask, episode.action.discrete.T, strict=True)
    )
    if forbidden:
        yield (
            f"{forbidden} recorded choices are ones that their masks forbid; they are taken as allowed. Many of them "
            "are a sign of the wrong pairing."
        )
