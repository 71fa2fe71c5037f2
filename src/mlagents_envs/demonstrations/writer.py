"""Writing a `.demo` file."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.communicator_objects.agent_action_pb2 import AgentActionProto
from mlagents_envs.communicator_objects.demonstration_meta_pb2 import DemonstrationMetaProto
from mlagents_envs.demonstrations.demonstration import Episode
from mlagents_envs.demonstrations.pairing import Pairing
from mlagents_envs.demonstrations.recording import (
    API_VERSION,
    PAIRING_FIELD,
    RESERVED_BYTES,
    DemonstrationPathError,
)
from mlagents_envs.rpc.agents import encode_agents
from mlagents_envs.rpc.images import LARGEST_SIDE
from mlagents_envs.rpc.specs import brain_parameters
from mlagents_envs.rpc.wire import head, varint

_LONGEST_NAME: Final = 16
_AGENT_INFO, _ACTION_INFO = 1, 2  # fields of AgentInfoActionPairProto


class DemonstrationWriter:
    """Writes pairs of an observation and the action that answers it, in the order in which they are to be read.

    That they are paired so is stated in the file (`recording.PAIRING_FIELD`), where Unity's readers do not look.

    A context manager. The file appears, whole, when it is closed, after an error too; until then it has a
    temporary name beside it. What stood there before is replaced.

    Args:
      path: ends in `.demo`.
      behavior: fully qualified name, like `3DBall?team=0`.
      spec: of the behavior.
      png: compress images where that loses nothing, which is where all values are k / 255; otherwise, or if False,
        they are written as floats.

    Attributes:
      path: of the file.

    Raises:
      DemonstrationPathError: the name does not end in `.demo`.
      OSError: the folder cannot be written to.
    """

    def __init__(self, path: Path | str, behavior: str, spec: BehaviorSpec, *, png: bool = True) -> None:
        self.path = Path(path)
        if self.path.suffix != ".demo":
            raise DemonstrationPathError(f"{path}: the name of a demonstration must end in .demo.")
        self._spec = spec
        self._png = png
        self._steps = self._ends = 0
        self._reward = 0.0
        brain = brain_parameters(behavior, spec.action_spec, legacy=True)
        brain.is_training = False
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.tmp")
        self._file = self._temporary.open("wb")
        self._file.write(bytes(RESERVED_BYTES))
        stated: Pairing = "same"
        data = brain.SerializeToString() + head(PAIRING_FIELD, len(stated)) + stated.encode()
        self._file.write(varint(len(data)) + data)

    def decisions(self, steps: DecisionSteps, action: ActionTuple) -> list[bytes]:
        """Return a pair per agent that decides, to be handed to `write` when their turn comes."""
        infos = self._infos(steps, TerminalSteps.empty(self._spec))
        return [
            _pair(info, continuous, discrete)
            for info, continuous, discrete in zip(
                infos, action.continuous.tolist(), action.discrete.tolist(), strict=True
            )
        ]

    def ends(self, steps: TerminalSteps) -> list[bytes]:
        """Return a pair per agent whose episode ended."""
        infos = self._infos(DecisionSteps.empty(self._spec), steps)
        zeros = self._spec.action_spec.empty_action(1)
        return [_pair(info, zeros.continuous[0].tolist(), zeros.discrete[0].tolist()) for info in infos]

    def write(self, pairs: Sequence[bytes], reward: float, *, ended: bool) -> None:
        """Write the pairs of one agent's episode.

        Args:
          pairs: from `decisions`, and one from `ends` if the episode did.
          reward: that they tell of, together.
          ended: whether the episode did; if not, nothing must follow.
        """
        for pair in pairs:
            self._file.write(varint(len(pair)) + pair)
        self._steps += len(pairs)
        self._ends += ended
        self._reward += reward

    def write_episode(self, episode: Episode, *, is_last: bool = False) -> None:
        """Write an episode that was read from elsewhere.

        Args:
          episode: at least one decision.
          is_last: nothing follows, so an episode that was not whole can stay so; otherwise it is written as truncated,
            for a reader could not tell where it stops.
        """
        ended = episode.is_whole or not is_last
        count = len(episode)
        with_last = count + 1 if not ended else count
        rewards = np.concatenate([[episode.first_reward], episode.reward]).astype(np.float32)
        group_rewards = np.concatenate([[0.0], episode.group_reward]).astype(np.float32)
        group = np.full(count + 1, int(group_rewards.any()), np.int32)
        agent = np.zeros(count + 1, np.int32)
        masks = episode.action_mask
        if masks is not None:
            masks = [np.concatenate([mask, np.zeros_like(mask[:1])])[:with_last] for mask in masks]
        decided = slice(0, with_last)
        pairs = self.decisions(
            DecisionSteps(
                [column[decided] for column in episode.obs],
                rewards[decided],
                agent[decided],
                masks,
                group[decided],
                group_rewards[decided],
            ),
            _with_zeros(episode.action, with_last),
        )
        if ended:
            final = slice(count, None)
            cut = np.array([not episode.terminated])
            obs = [column[final] for column in episode.obs]
            end = TerminalSteps(obs, rewards[final], cut, agent[final], group[final], group_rewards[final])
            pairs += self.ends(end)
        self.write(pairs, float(rewards.sum(dtype=np.float64)), ended=ended)

    def close(self) -> None:
        """Finish the file and put it in its place; may be called again."""
        if self._file.closed:
            return
        meta = self._meta().SerializeToString()
        try:
            self._file.write(meta)
            self._file.seek(0)
            self._file.write(varint(len(meta)) + meta)
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._file.close()
        self._temporary.replace(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _infos(self, decisions: DecisionSteps, ends: TerminalSteps) -> list[bytes]:
        columns = enumerate(zip(decisions.obs, ends.obs, strict=True))
        png = [number for number, parts in columns if self._png and all(map(_fits_png, parts))]
        return encode_agents((decisions, ends), self._spec.observation_specs, png=png)

    def _meta(self) -> Any:
        """Return counts and means as Unity's recorder: closing the file counts as one more episode."""
        episodes = self._ends + 1
        name = re.sub("[^a-zA-Z0-9 -]", "", self.path.stem)[:_LONGEST_NAME]
        meta = DemonstrationMetaProto(
            api_version=API_VERSION,
            demonstration_name=name,
            number_steps=self._steps,
            number_episodes=episodes,
            mean_reward=self._reward / episodes,
        )
        while meta.ByteSize() >= RESERVED_BYTES:  # more than two million steps
            meta.demonstration_name = meta.demonstration_name[:-1]
        return meta


def _with_zeros(action: ActionTuple, count: int) -> ActionTuple:
    """Return `count` rows: those of the action, and zeros behind them."""
    rest = count - len(action.continuous)
    return ActionTuple(
        np.pad(action.continuous, ((0, rest), (0, 0))),
        np.pad(action.discrete, ((0, rest), (0, 0))),
    )


def _fits_png(column: NDArray[np.float32]) -> bool:
    """Return whether these are images, [n, channels, height, width], that bytes hold without loss."""
    if column.ndim != 4 or not all(0 < side <= LARGEST_SIDE for side in column.shape[1:]):
        return False
    if not (column.min(initial=0.0) >= 0.0 and column.max(initial=0.0) <= 1.0):
        return False
    return np.array_equal(np.rint(column * 255) / 255, column)


def _pair(info: bytes, continuous: Sequence[float], discrete: Sequence[int]) -> bytes:
    action = AgentActionProto(
        vector_actions_deprecated=[*continuous, *discrete], continuous_actions=continuous, discrete_actions=discrete
    ).SerializeToString()
    return head(_AGENT_INFO, len(info)) + info + head(_ACTION_INFO, len(action)) + action
