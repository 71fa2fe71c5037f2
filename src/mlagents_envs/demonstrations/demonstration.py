"""Demonstrations as arrays, episode by episode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BehaviorSpec
from mlagents_envs.demonstrations.fitting import describe_misfit, match_observations
from mlagents_envs.demonstrations.pairing import FoundPairing, PairingChoice, find_pairing
from mlagents_envs.demonstrations.pairs import Pairs, decode_pairs
from mlagents_envs.demonstrations.recording import (
    DemonstrationError,
    DemonstrationPathError,
    Recording,
    read_recording,
)


@dataclass(frozen=True)
class Episode:
    """T decisions of one agent, and what came of them.

    Where neither `terminated` nor `truncated`, the recording stopped, and row T is where the agent was then.

    Attributes:
      obs: float32 [T + 1, *shape] per observation; the last row is what the agent saw when the episode ended, or
        the next began (files of before 2020 do not tell the two apart), or the recording stopped.
      action: T rows.
      action_mask: bool [T, branch size] per branch, True = forbidden; None without branches.
      first_reward: what came with the first observation, from before the first decision; usually 0.
      reward: float32 [T], what decision t earned.
      group_reward: float32 [T], what the agent's group earned meanwhile.
      terminated: the episode was finished: nothing followed.
      truncated: the episode was cut by a limit.
    """

    obs: list[NDArray[np.float32]]
    action: ActionTuple
    action_mask: list[NDArray[np.bool_]] | None
    first_reward: float
    reward: NDArray[np.float32]
    group_reward: NDArray[np.float32]
    terminated: bool
    truncated: bool

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def is_whole(self) -> bool:
        """Whether the episode had ended when the recording stopped."""
        return self.terminated or self.truncated

    @property
    def total_reward(self) -> float:
        """All the agent earned alone."""
        return self.first_reward + float(self.reward.sum(dtype=np.float64))


@dataclass(frozen=True)
class Demonstration:
    """The episodes of one file, or of several of the same behavior.

    Attributes:
      name: as the recorder was told, or of the folder.
      behavior: of the agent, usually with its team.
      spec: what the agent observed and did.
      episodes: in the order of recording; the last of a file may be unfinished.
      notes: what whoever learns from it should know, one sentence each, with the file: which action was taken to answer
        which observation and why, and what is missing where a file was cut short.
    """

    name: str
    behavior: str
    spec: BehaviorSpec
    episodes: tuple[Episode, ...]
    notes: tuple[str, ...] = ()

    @property
    def decisions(self) -> int:
        """Number of decisions in all episodes."""
        return sum(map(len, self.episodes))

    @property
    def mean_reward(self) -> float:
        """Mean over whole episodes, or over all if none is; NaN without any."""
        whole = [episode for episode in self.episodes if episode.is_whole] or self.episodes
        return float(np.mean([episode.total_reward for episode in whole])) if whole else float("nan")

    def fit_to(self, spec: BehaviorSpec, behavior: str) -> Demonstration:
        """Return the demonstration with the observations in the order of a behavior that is to learn from it.

        Sensors may have other names, and another order where names or shapes tell which is which.

        Raises:
          DemonstrationError: other actions, other observations, or an order that cannot be told.
        """
        if (misfit := describe_misfit(self.spec, spec)) is not None:
            raise DemonstrationError(
                f"The demonstration {self.name!r} of behavior {self.behavior!r} does not fit behavior {behavior!r}: "
                f"{misfit}. Record it with the present observations and actions."
            )
        return _reordered(self, match_observations(self.spec, spec))


def demonstration_files(path: Path | str) -> list[Path]:
    """Return the `.demo` files that a path stands for: itself, or all in a folder in the order of their names.

    Raises:
      DemonstrationPathError: a file of another kind, or a folder without any.
      FileNotFoundError: there is neither.
    """
    path = Path(path)
    if path.is_dir():
        if files := sorted(path.glob("*.demo")):
            return files
        raise DemonstrationPathError(f"{path}: the folder has no .demo file in it.")
    if not path.exists() and path.suffix == ".demo":
        raise FileNotFoundError(2, "No such file or directory", str(path))
    if path.suffix != ".demo":
        raise DemonstrationPathError(f"{path}: expected a file whose name ends in .demo, or a folder of them.")
    return [path]


def load_demonstration(path: Path | str, pairing: PairingChoice = "auto") -> Demonstration:
    """Read a `.demo` file, or all in a folder, in the order of their names.

    Observation i and the reward of pair i + 1 belong together, as Unity's own trainers read them. A terminal pair is
    not a decision, unless the file is from before 2020: then its observation begins the next episode.

    Args:
      path: of the file or folder.
      pairing: which action answers observation i: that of pair i (`same`) or i + 1 (`next`); `auto` finds out for each
        file (see `pairing`), and says so in the notes.

    Raises:
      DemonstrationPathError: a file of another kind, or a folder without any.
      FileNotFoundError: there is neither.
      DemonstrationError: a file is empty or damaged, has no decision with an outcome, holds what is not a number, or is
        of other observations or actions than the first.
    """
    files = demonstration_files(path)
    first, *others = (_of_file(file, pairing) for file in files)
    if not Path(path).is_dir():
        return first
    parts = [first]
    for file, other in zip(files[1:], others, strict=True):
        if (misfit := describe_misfit(other.spec, first.spec)) is not None:
            raise DemonstrationError(
                f"{file}: another demonstration than {files[0].name} in the same folder: {misfit}. Keep the "
                "demonstrations of each behavior in a folder of their own."
            )
        parts.append(_reordered(other, match_observations(other.spec, first.spec)))
    return Demonstration(
        name=Path(path).name,
        behavior=first.behavior,
        spec=first.spec,
        episodes=tuple(episode for part in parts for episode in part.episodes),
        notes=tuple(note for part in parts for note in part.notes),
    )


def _of_file(path: Path, pairing: PairingChoice) -> Demonstration:
    recording = read_recording(path)
    count = len(recording.pairs)
    if count < 2:
        raise DemonstrationError(
            f"{path}: the file has {count} pairs of observation and action; at least 2 are needed, the "
            "second to tell what came of the first."
        )
    pairs = decode_pairs(recording, path)
    found = find_pairing(recording, pairs) if pairing == "auto" else FoundPairing(pairing, "as was asked for")
    episodes = tuple(_episodes(recording, pairs, found, path))
    if not episodes:
        raise DemonstrationError(f"{path}: all of its {count} pairs are ends of episodes; there is no decision in it.")
    return Demonstration(
        name=recording.meta.demonstration_name or path.stem,
        behavior=recording.brain.brain_name,
        spec=pairs.spec,
        episodes=episodes,
        notes=(*_notes_on_missing(recording, path), _note_on_pairing(found, path)),
    )


def _notes_on_missing(recording: Recording, path: Path) -> Iterator[str]:
    if recording.is_cut:
        count = f" of {recording.meta.number_steps}" if recording.meta.number_steps else ""
        yield (
            f"{path}: the recording was not finished or the file is cut short; {len(recording.pairs)}{count} pairs are "
            f"whole and used, {len(recording.tail)} bytes behind them are not."
        )


def _note_on_pairing(found: FoundPairing, path: Path) -> str:
    where = "the same pair" if found.pairing == "same" else "the next pair"
    return f"{path}: the action that answers an observation is that of {where} ({found.pairing}): {found.reason}."


def _episodes(recording: Recording, pairs: Pairs, found: FoundPairing, path: Path) -> Iterator[Episode]:
    # Unity's behaviors have teams since terminal pairs have stood beside decisions.
    ends_decide = "?" not in recording.brain.brain_name and recording.stated_pairing is None
    last = len(pairs) - 1
    start = 0
    for row in range(len(pairs)):
        if not pairs.is_end[row] and row < last:
            continue
        if row > start:
            yield _episode(pairs, slice(start, row), found, path)
        start = row if ends_decide else row + 1


def _episode(pairs: Pairs, rows: slice, found: FoundPairing, path: Path) -> Episode:
    outcomes = slice(rows.start + 1, rows.stop + 1)
    actions = rows if found.pairing == "same" else outcomes
    if not (there := pairs.has_action[actions]).all():
        raise DemonstrationError(
            f"{path}: pair {actions.start + int(there.argmin())} has no action, though its agent had to decide. Record "
            f"it again; or the pairing is not {found.pairing!r} but the other one."
        )
    is_end = bool(pairs.is_end[rows.stop])
    is_cut = bool(pairs.is_interrupted[rows.stop])
    masks = pairs.action_mask
    return Episode(
        obs=[column[rows.start : outcomes.stop] for column in pairs.obs],
        action=ActionTuple(pairs.action.continuous[actions], pairs.action.discrete[actions]),
        action_mask=None if masks is None else [mask[rows] for mask in masks],
        # What comes with an end was earned before it.
        first_reward=0.0 if pairs.is_end[rows.start] else float(pairs.reward[rows.start]),
        reward=pairs.reward[outcomes],
        group_reward=pairs.group_reward[outcomes],
        terminated=is_end and not is_cut,
        truncated=is_cut,
    )


def _reordered(demonstration: Demonstration, order: tuple[int, ...]) -> Demonstration:
    if order == tuple(range(len(order))):
        return demonstration
    specs = demonstration.spec.observation_specs
    spec = BehaviorSpec([specs[i] for i in order], demonstration.spec.action_spec)
    episodes = tuple(replace(episode, obs=[episode.obs[i] for i in order]) for episode in demonstration.episodes)
    return replace(demonstration, spec=spec, episodes=episodes)
