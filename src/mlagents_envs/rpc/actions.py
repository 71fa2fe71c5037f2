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
    """Return a serialized `ListAgentActionProto`, one entry per agent.

    Every action is written twice: in `vector_actions_deprecated` (continuous, then discrete as floats), which
    Unity packages up to 1.6 read, and in the two fields that later ones read.
    """
    continuous, discrete = actions.continuous, actions.discrete
    n, branches = discrete.shape
    if branches and n and not (discrete.min() >= 0 and discrete.max() <= 0x7F):
        return _encode_one_by_one(actions)  # an action takes more than one byte
    size = continuous.shape[1]
    entry, record = _template(size, branches)
    data = bytearray(entry * n)
    entries: NDArray[np.void] = np.ndarray(n, record, data)
    if size:
        entries["continuous"] = entries["legacy_continuous"] = continuous
    if branches:
        entries["discrete"] = entries["legacy_discrete"] = discrete
    return bytes(data)


@lru_cache
def _template(size: int, branches: int) -> tuple[bytes, np.dtype[np.void]]:
    """Return the entry of an agent whose actions are 0, and the same as a structure: names for the numbers in it."""
    parts = ((_LEGACY, 4 * (size + branches)), (_CONTINUOUS, 4 * size), (_DISCRETE, branches))
    heads = [head(field, length) if length else b"" for field, length in parts]
    message = b"".join(start + bytes(length) for start, (_, length) in zip(heads, parts, strict=True))
    entry = head(_ENTRY, len(message)) + message
    discrete = len(entry) - branches
    continuous = discrete - len(heads[2]) - 4 * size
    legacy = continuous - len(heads[1]) - 4 * (size + branches)
    record = np.dtype(
        {
            "names": ["legacy_continuous", "legacy_discrete", "continuous", "discrete"],
            "formats": [f"({size},)<f4", f"({branches},)<f4", f"({size},)<f4", f"({branches},)u1"],
            "offsets": [legacy, legacy + 4 * size, continuous, discrete],
            "itemsize": len(entry),
        }
    )
    return entry, record


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
    """Return the actions in a serialized `ListAgentActionProto`; the legacy field counts where the others are empty.

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
