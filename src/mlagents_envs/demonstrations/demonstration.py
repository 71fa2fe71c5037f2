"""Demonstrations as arrays, episode by episode."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, DecisionSteps
from mlagents_envs.demonstrations.recording import (
    DemonstrationError,
    DemonstrationPathError,
    Recording,
    read_recording,
)
from mlagents_envs.exception import UnityException
from mlagents_envs.rpc.actions import decode_actions
from mlagents_envs.rpc.steps import decoder_from_proto
from mlagents_envs.rpc.wire import head

_LIST_ENTRY = 1  # ListAgentActionProto.value


@dataclass(frozen=True)
class Episode:
    """T decisions of one agent, and what came of them.

    Attributes:
      obs: float32 [T + 1, *shape] per observation; the last row is what the agent saw when the episode ended, or
        the next began (files of before 2020 do not tell the two apart), or the recording stopped.
      action: T rows.
      action_mask: bool [T, branch size] per branch, True = forbidden; None without branches.
      first_reward: What came with the first observation, from before the first decision; usually 0.
      reward: float32 [T], what decision t earned.
      group_reward: float32 [T], what the agent's group earned meanwhile.
      ended: The episode is whole; otherwise the recording stopped, and row T is where the agent was then.
      interrupted: The episode was cut, not finished.
    """

    obs: list[NDArray[np.float32]]
    action: ActionTuple
    action_mask: list[NDArray[np.bool_]] | None
    first_reward: float
    reward: NDArray[np.float32]
    group_reward: NDArray[np.float32]
    ended: bool
    interrupted: bool

    def __len__(self) -> int:
        return len(self.reward)

    @property
    def total_reward(self) -> float:
        """All the agent earned alone."""
        return self.first_reward + float(self.reward.sum(dtype=np.float64))


@dataclass(frozen=True)
class Demonstration:
    """The episodes of one file, or of several of the same behavior.

    Attributes:
      name: As the recorder was told, or of the folder.
      behavior: Of the agent, usually with its team.
      spec: What the agent observed and did.
      episodes: In the order of recording; the last of a file may be unfinished.
    """

    name: str
    behavior: str
    spec: BehaviorSpec
    episodes: tuple[Episode, ...]

    @property
    def decisions(self) -> int:
        """Number of decisions in all episodes."""
        return sum(map(len, self.episodes))

    @property
    def mean_reward(self) -> float:
        """Mean over whole episodes, or over all if none is; NaN without any."""
        whole = [episode for episode in self.episodes if episode.ended] or self.episodes
        return float(np.mean([episode.total_reward for episode in whole])) if whole else float("nan")

    def check_fits(self, spec: BehaviorSpec, behavior: str) -> None:
        """Hold the demonstration against a behavior that is to learn from it; sensors may have other names.

        Raises:
          DemonstrationError: other actions, or observations of other shapes.
        """
        if (difference := _difference(self.spec, spec)) is not None:
            raise DemonstrationError(
                f"The demonstration {self.name!r} of behavior {self.behavior!r} does not fit behavior {behavior!r}: "
                f"{difference}. Record it with the present observations and actions."
            )


def load_demonstration(path: Path | str) -> Demonstration:
    """Read a `.demo` file, or all in a folder, in the order of their names.

    Observation i, the action of pair i and the reward of pair i + 1 belong together, as Unity's own trainers
    read them. A terminal pair is not a decision, unless the file is from before 2020: then its observation and
    action begin the next episode.

    Raises:
      DemonstrationPathError: a file of another kind, or a folder without any.
      FileNotFoundError: there is neither.
      DemonstrationError: a file is damaged, has no decision with an outcome, or is of other observations or
        actions than the first.
    """
    path = Path(path)
    if not path.is_dir():
        return _of_file(path)
    files = sorted(path.glob("*.demo"))
    if not files:
        raise DemonstrationPathError(f"{path}: the folder has no .demo file in it.")
    first, *others = parts = [_of_file(file) for file in files]
    for file, other in zip(files[1:], others, strict=True):
        if (difference := _difference(other.spec, first.spec)) is not None:
            raise DemonstrationError(
                f"{file}: another demonstration than {files[0].name} in the same folder: {difference}. Keep the "
                "demonstrations of each behavior in a folder of their own."
            )
    episodes = tuple(episode for part in parts for episode in part.episodes)
    return Demonstration(path.name, first.behavior, first.spec, episodes)


def _of_file(path: Path) -> Demonstration:
    recording = read_recording(path)
    if len(recording.pairs) < 2:
        raise DemonstrationError(
            f"{path}: the file has {len(recording.pairs)} pairs of observation and action; at least 2 are needed, the "
            "second to tell what came of the first."
        )
    try:
        steps, actions, spec = _arrays(recording)
    except (UnityException, RuntimeError) as error:
        raise DemonstrationError(f"{path}: {error}") from error
    episodes = tuple(_episodes(recording, steps, actions))
    name = recording.meta.demonstration_name or path.stem
    return Demonstration(name, recording.brain.brain_name, spec, episodes)


def _arrays(recording: Recording) -> tuple[DecisionSteps, ActionTuple, BehaviorSpec]:
    """All pairs as if each were a decision."""
    messages = []
    for pair in recording.pairs:
        info = type(pair.agent_info)()
        info.CopyFrom(pair.agent_info)
        info.done = False
        messages.append(info.SerializeToString())
    decoder = decoder_from_proto(recording.brain, messages[0], package_version=None)
    steps, _ = decoder.decode(messages)
    actions = decode_actions(_action_list(recording, decoder.spec.action_spec), decoder.spec.action_spec)
    return steps, actions, decoder.spec


def _action_list(recording: Recording, spec: ActionSpec) -> bytes:
    """The actions as a `ListAgentActionProto`. Where the agent was not asked for one any more, zeros."""
    zeros = type(recording.pairs[0].action_info)(
        continuous_actions=[0.0] * spec.continuous_size, discrete_actions=[0] * spec.discrete_size
    )
    last = len(recording.pairs) - 1
    entries = []
    for row, pair in enumerate(recording.pairs):
        action = pair.action_info
        is_absent = not any(
            (action.vector_actions_deprecated, action.continuous_actions, action.discrete_actions)
        ) and (row == last or pair.agent_info.done)
        data = (zeros if is_absent else action).SerializeToString()
        entries.append(head(_LIST_ENTRY, len(data)) + data)
    return b"".join(entries)


def _episodes(recording: Recording, steps: DecisionSteps, actions: ActionTuple) -> Iterator[Episode]:
    infos = [pair.agent_info for pair in recording.pairs]
    # Behaviors have teams since terminal pairs have stood beside decisions.
    ends_decide = "?" not in recording.brain.brain_name
    last = len(infos) - 1
    start = 0
    for row, info in enumerate(infos):
        if not info.done and row < last:
            continue
        if row > start:
            # What comes with an end was earned before it.
            first_reward = 0.0 if infos[start].done else float(steps.reward[start])
            yield _episode(steps, actions, slice(start, row), first_reward, info)
        start = row if ends_decide else row + 1


def _episode(steps: DecisionSteps, actions: ActionTuple, rows: slice, first_reward: float, last: Any) -> Episode:
    masks = steps.action_mask
    outcomes = slice(rows.start + 1, rows.stop + 1)
    return Episode(
        obs=[column[rows.start : outcomes.stop] for column in steps.obs],
        action=ActionTuple(actions.continuous[rows], actions.discrete[rows]),
        action_mask=None if masks is None else [mask[rows] for mask in masks],
        first_reward=first_reward,
        reward=steps.reward[outcomes],
        group_reward=steps.group_reward[outcomes],
        ended=last.done,
        interrupted=last.done and last.max_step_reached,
    )


def _difference(found: BehaviorSpec, expected: BehaviorSpec) -> str | None:
    shapes, expected_shapes = found.observation_shapes, expected.observation_shapes
    if shapes != expected_shapes:
        return f"its observations have the shapes {shapes}; expected {expected_shapes}"
    if found.action_spec != expected.action_spec:
        return f"its actions are {found.action_spec}; expected {expected.action_spec}"
    return None
