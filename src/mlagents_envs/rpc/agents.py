"""`DecisionSteps` and `TerminalSteps` to agent infos, for the side that plays the environment."""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import DecisionSteps, ObservationSpec, TerminalSteps
from mlagents_envs.communicator_objects.observation_pb2 import NONE, PNG, ObservationProto
from mlagents_envs.rpc.agent_layout import (
    AGENT_ID,
    COMPRESSED_DATA,
    DONE,
    FLOAT_DATA,
    FLOATS,
    GROUP_ID,
    GROUP_REWARD,
    INTERRUPTED,
    MASK,
    OBSERVATION,
    REWARD,
)
from mlagents_envs.rpc.images import encode_png
from mlagents_envs.rpc.specs import wire_axes
from mlagents_envs.rpc.wire import FIXED32, VARINT, head, tag, varint

_FLOAT = struct.Struct("<sf")
_REWARD_TAG, _GROUP_REWARD_TAG = tag(REWARD, FIXED32), tag(GROUP_REWARD, FIXED32)
_ID_TAG, _GROUP_ID_TAG = tag(AGENT_ID, VARINT), tag(GROUP_ID, VARINT)
_ENDED = tag(DONE, VARINT) + varint(1)
_CUT = tag(INTERRUPTED, VARINT) + varint(1)


def encode_agents(
    steps: tuple[DecisionSteps, TerminalSteps],
    specs: Sequence[ObservationSpec],
    *,
    png: Collection[int] = (),
    images_channels_last: bool = False,
) -> list[bytes]:
    """Return a serialized `AgentInfoProto` per agent: terminal steps first, then decisions, as Unity sends them.

    Args:
      steps: of one behavior.
      specs: of its observations.
      png: which observations (by position) are images to compress: values from 0 to 1, with a loss of up to
        1/510 of the range.
      images_channels_last: send images as (height, width, channels), which Python up to 0.30 expects.
    """
    decision_steps, terminal_steps = steps
    messages = []
    for batch in (terminal_steps, decision_steps):
        if len(batch):
            columns = [
                _observations(column, spec, number in png, images_channels_last)
                for number, (column, spec) in enumerate(zip(batch.obs, specs, strict=True))
            ]
            messages += [b"".join(parts) for parts in zip(_scalars(batch), *columns, strict=True)]
    return messages


def _scalars(batch: DecisionSteps | TerminalSteps) -> list[bytes]:
    """Return everything but observations, bytes [n]."""
    fixed = zip(
        np.asarray(batch.reward).tolist(),
        np.asarray(batch.group_reward).tolist(),
        np.asarray(batch.agent_id).tolist(),
        np.asarray(batch.group_id).tolist(),
        _flags(batch),
        strict=True,
    )
    return [
        _FLOAT.pack(_REWARD_TAG, reward)
        + (_FLOAT.pack(_GROUP_REWARD_TAG, group_reward) if group_id else b"")
        + (_GROUP_ID_TAG + varint(group_id) if group_id else b"")
        + _ID_TAG
        + varint(agent_id)
        + flags
        for reward, group_reward, agent_id, group_id, flags in fixed
    ]


def _flags(batch: DecisionSteps | TerminalSteps) -> list[bytes]:
    """Return what tells terminal steps from decisions, and the masks of decisions, bytes [n]."""
    if isinstance(batch, TerminalSteps):
        return [_ENDED + _CUT if cut else _ENDED for cut in batch.interrupted]
    if batch.action_mask is None:
        return [b""] * len(batch)
    mask = np.concatenate(batch.action_mask, axis=1).astype(np.uint8)  # [n, sum of branch sizes]
    return [head(MASK, mask.shape[1]) + row.tobytes() for row in mask]


def _observations(
    column: NDArray[np.float32], spec: ObservationSpec, compress: bool, images_channels_last: bool
) -> list[bytes]:
    """Return one observation of all agents, bytes [n]."""
    start = _observation_start(spec, compress, images_channels_last)
    if compress:
        return [_field(OBSERVATION, start + _field(COMPRESSED_DATA, encode_png(image))) for image in column]
    if images_channels_last and column.ndim == 4:
        column = column.transpose(0, 2, 3, 1)
    size = column[0].size * 4
    floats = head(FLOATS, size)
    start += head(FLOAT_DATA, len(floats) + size) + floats
    start = head(OBSERVATION, len(start) + size) + start
    raw = np.ascontiguousarray(column, "<f4").tobytes()
    return [start + raw[row * size : (row + 1) * size] for row in range(len(column))]


def _field(number: int, value: bytes) -> bytes:
    return head(number, len(value)) + value


@lru_cache
def _observation_start(spec: ObservationSpec, compress: bool, images_channels_last: bool) -> bytes:
    """Return an `ObservationProto` without its data."""
    shape, properties = wire_axes(spec, images_channels_last=images_channels_last)
    proto = ObservationProto(
        shape=shape,
        compression_type=PNG if compress else NONE,
        dimension_properties=properties,
        observation_type=spec.observation_type.name,
        name=spec.name,
    )
    return bytes(proto.SerializeToString())
