"""Actions to `AgentActionProto` and back, in batches."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.communicator_objects.unity_rl_input_pb2 import UnityRLInputProto
from mlagents_envs.exception import UnityActionException
from mlagents_envs.rpc.wire import head

_ListAgentActionProto = UnityRLInputProto.ListAgentActionProto
_ENTRY = 1  # ListAgentActionProto.value
_LEGACY, _CONTINUOUS, _DISCRETE = 1, 6, 7  # fields of AgentActionProto


def encode_actions(actions: ActionTuple) -> bytes:
    """A serialized `ListAgentActionProto`, one entry per agent.

    Every action is written twice: in `vector_actions_deprecated` (continuous, then discrete as floats), which
    Unity packages up to 1.6 read, and in the two fields that later ones read.
    """
    continuous, discrete = actions.continuous, actions.discrete
    n, branches = discrete.shape
    if branches and n and not (discrete.min() >= 0 and discrete.max() <= 0x7F):
        return _encode_one_by_one(actions)  # an action takes more than one byte
    rows = _template(n, continuous.shape[1], branches).copy()
    values = _bytes(continuous)
    floats = 4 * continuous.shape[1]
    # From the end of a row: discrete bytes, their head, continuous floats, their head, legacy floats.
    end = rows.shape[1]
    if branches:
        rows[:, end - branches :] = discrete
        end -= branches + len(head(_DISCRETE, branches))
    if floats:
        rows[:, end - floats : end] = values
        end -= floats + len(head(_CONTINUOUS, floats))
        rows[:, end - floats - 4 * branches : end - 4 * branches] = values
    if branches:
        rows[:, end - 4 * branches : end] = _bytes(discrete)
    return rows.tobytes()


def _bytes(values: NDArray[np.float32] | NDArray[np.int32]) -> NDArray[np.uint8]:
    """The numbers [n, k] as 32-bit floats, uint8 [n, 4 * k]."""
    return np.ascontiguousarray(values, "<f4").view(np.uint8)


@lru_cache
def _template(n: int, size: int, branches: int) -> NDArray[np.uint8]:
    """The list with all actions 0, one entry per row."""
    parts = ((_LEGACY, 4 * (size + branches)), (_CONTINUOUS, 4 * size), (_DISCRETE, branches))
    message = b"".join(head(field, length) + bytes(length) for field, length in parts if length)
    return np.tile(np.frombuffer(head(_ENTRY, len(message)) + message, np.uint8), (n, 1))


def _encode_one_by_one(actions: ActionTuple) -> bytes:
    entries = _ListAgentActionProto()
    for continuous, discrete in zip(actions.continuous.tolist(), actions.discrete.tolist(), strict=True):
        entries.value.add(
            vector_actions_deprecated=[*continuous, *discrete],
            continuous_actions=continuous,
            discrete_actions=discrete,
        )
    return bytes(entries.SerializeToString())


def decode_actions(data: bytes, spec: ActionSpec) -> ActionTuple:
    """The actions in a serialized `ListAgentActionProto`; the legacy field counts where the others are empty.

    Raises:
      UnityActionException: `data` are not such a list, or an entry does not fit the spec.
    """
    try:
        entries = _ListAgentActionProto.FromString(data).value
    except DecodeError as error:
        raise UnityActionException(f"{len(data)} bytes are not a ListAgentActionProto: {error}") from None
    size, branches = spec.continuous_size, spec.discrete_size
    all_continuous: list[float] = []
    all_discrete: list[float] = []
    for row, entry in enumerate(entries):
        continuous: Sequence[float] = entry.continuous_actions
        discrete: Sequence[float] = entry.discrete_actions
        if not continuous and not discrete:
            legacy = entry.vector_actions_deprecated
            continuous, discrete = legacy[:size], legacy[size:]
        if len(continuous) != size or len(discrete) != branches:
            raise UnityActionException(
                f"Agent {row} of {len(entries)} got {len(continuous)} continuous and {len(discrete)} "
                f"discrete actions; expected {size} and {branches}."
            )
        all_continuous += continuous
        all_discrete += discrete
    n = len(entries)
    try:
        discrete_rows = np.array(all_discrete, np.int32).reshape(n, branches)
    except (ValueError, OverflowError) as error:  # legacy: floats, that may be NaN or large
        raise UnityActionException(f"Discrete actions must be indices; got {all_discrete}: {error}") from None
    return ActionTuple(np.array(all_continuous, np.float32).reshape(n, size), discrete_rows)
