"""The pairs of a recording as arrays, each checked, with its number in every error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, DecisionSteps
from mlagents_envs.demonstrations.recording import DemonstrationError, Recording
from mlagents_envs.exception import UnityException
from mlagents_envs.rpc.steps import StepsDecoder, decoder_from_proto
from mlagents_envs.rpc.wire import scan

_OLD_OBSERVATIONS = {1, 2}  # fields of AgentInfoProto until 2019: vectors, and images
_ACTION_FIELDS = ("vector_actions_deprecated", "continuous_actions", "discrete_actions")


@dataclass(frozen=True)
class Pairs:
    """n pairs of an observation and an action, in the order of the file; which belong together is said elsewhere.

    Attributes:
      spec: what the agent observed and did.
      obs: float32 [n, *shape] per observation.
      action: n rows; zeros where there is none.
      has_action: bool [n]. Recorders leave it out where nobody was asked for one any more.
      action_mask: bool [n, branch size] per branch, True = forbidden; None without branches.
      reward: float32 [n], what the agent had earned since the pair before.
      group_reward: float32 [n], the same for its group.
      is_end: bool [n], an episode ended.
      is_interrupted: bool [n], it was cut.
    """

    spec: BehaviorSpec
    obs: list[NDArray[np.float32]]
    action: ActionTuple
    has_action: NDArray[np.bool_]
    action_mask: list[NDArray[np.bool_]] | None
    reward: NDArray[np.float32]
    group_reward: NDArray[np.float32]
    is_end: NDArray[np.bool_]
    is_interrupted: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.reward)


def decode_pairs(recording: Recording, path: Path) -> Pairs:
    """Return all pairs as arrays.

    Raises:
      DemonstrationError: an observation or action does not fit the others or the behavior, or is not a number; the
        message names the file and the pair, counted from 0.
    """
    infos = [pair.agent_info for pair in recording.pairs]
    _check_first(infos[0], path)
    steps, spec = _decode_steps(recording, infos, path)
    action, has_action = _decode_actions(recording, spec.action_spec, path)
    is_end = np.array([info.done for info in infos], np.bool_)
    return Pairs(
        spec=spec,
        obs=list(steps.obs),
        action=action,
        has_action=has_action,
        action_mask=steps.action_mask,
        reward=steps.reward,
        group_reward=steps.group_reward,
        is_end=is_end,
        is_interrupted=is_end & np.array([info.max_step_reached for info in infos], np.bool_),
    )


def _check_first(info: Any, path: Path) -> None:
    if info.observations:
        return
    data = info.SerializeToString()
    if _OLD_OBSERVATIONS & {number for number, *_ in scan(data, 0, len(data))}:
        raise DemonstrationError(
            f"{path}: recorded by an older version of the toolkit (2019), whose observations have another form. Record "
            "it again with a newer one."
        )
    raise DemonstrationError(f"{path}: pair 0 has no observations, so there is nothing to learn from.")


def _decode_steps(recording: Recording, infos: Sequence[Any], path: Path) -> tuple[DecisionSteps, BehaviorSpec]:
    """Decode every pair as if it were a decision."""
    messages = []
    for info in infos:
        copy = type(info)()
        copy.CopyFrom(info)
        copy.done = False
        messages.append(copy.SerializeToString())
    try:
        decoder = decoder_from_proto(recording.brain, messages[0], package_version=None)
    except (UnityException, RuntimeError, ValueError) as error:
        raise DemonstrationError(f"{path}: pair 0: {error}") from error
    try:
        steps, _ = decoder.decode(messages)
    except (UnityException, RuntimeError, ValueError) as error:
        raise _first_fault(decoder, messages, path, error) from error
    for column, sensor in zip(steps.obs, decoder.spec.observation_specs, strict=True):
        if column.ndim == 4 and not np.isfinite(column).all():  # the decoder looks at the others
            pair = int(np.argwhere(~np.isfinite(column))[0, 0])
            raise DemonstrationError(f"{path}: pair {pair}: the image {sensor.name!r} has NaN or infinite values.")
    return steps, decoder.spec


def _first_fault(decoder: StepsDecoder, messages: Sequence[bytes], path: Path, error: Exception) -> DemonstrationError:
    """Find the pair that an error is about."""
    for row, message in enumerate(messages):
        try:
            decoder.decode([message])
        except (UnityException, RuntimeError, ValueError) as its_own:
            return DemonstrationError(f"{path}: pair {row}: {its_own}")
    return DemonstrationError(f"{path}: {error}")


def _decode_actions(recording: Recording, spec: ActionSpec, path: Path) -> tuple[ActionTuple, NDArray[np.bool_]]:
    if not spec.continuous_size and not spec.discrete_size:
        raise DemonstrationError(f"{path}: its behavior has no actions, so there is nothing to imitate.")
    n, size = len(recording.pairs), spec.continuous_size
    has_action = np.zeros(n, np.bool_)
    values = np.zeros((n, size + spec.discrete_size), np.float64)
    for row, pair in enumerate(recording.pairs):
        if any(getattr(pair.action_info, field) for field in _ACTION_FIELDS):
            values[row] = _action(pair.action_info, spec, f"{path}: pair {row}")
            has_action[row] = True
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        raise DemonstrationError(f"{path}: pair {row}: action {column} is {values[row, column]}; expected a number.")
    choices, sizes = values[:, size:], np.array(spec.discrete_branches)
    if (wrong := (choices < 0) | (choices >= sizes) | (choices != np.rint(choices))).any():
        row, branch = np.argwhere(wrong)[0]
        raise DemonstrationError(
            f"{path}: pair {row}: the choice in branch {branch} is {choices[row, branch]:g}; expected 0 to "
            f"{sizes[branch] - 1}."
        )
    return ActionTuple(values[:, :size].astype(np.float32), choices.astype(np.int32)), has_action


def _action(info: Any, spec: ActionSpec, where: str) -> Sequence[float]:
    """Return continuous numbers and then choices; those of packages before 1.7 stand in one list."""
    expected = spec.continuous_size, spec.discrete_size
    found = len(info.continuous_actions), len(info.discrete_actions)
    if found == (0, 0):
        legacy: Sequence[float] = info.vector_actions_deprecated
        if len(legacy) != sum(expected):
            raise DemonstrationError(
                f"{where} has {len(legacy)} actions, but the behavior in the file's header has {sum(expected)}."
            )
        return legacy
    if found != expected:
        raise DemonstrationError(
            f"{where} has {found[0]} continuous and {found[1]} discrete actions, but the behavior in the file's header "
            f"has {expected[0]} and {expected[1]}."
        )
    return [*info.continuous_actions, *info.discrete_actions]
