"""Agent infos to `DecisionSteps` and `TerminalSteps`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, ObservationSpec, TerminalSteps
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.observation_pb2 import NONE, PNG
from mlagents_envs.exception import UnityObservationException
from mlagents_envs.rpc.agent_layout import (
    AGENT_ID,
    GROUP_ID,
    GROUP_REWARD,
    MASK,
    REWARD,
    AgentLayout,
    layout_of,
    read_floats,
    read_varints,
)
from mlagents_envs.rpc.images import decode_image, png_size
from mlagents_envs.rpc.specs import action_spec_from_proto, observation_from_proto

_MOST_LAYOUTS = 64
_MOST_DEFLATED = 1032  # https://zlib.net/zlib_tech.html: no data shrink more

Steps = tuple[DecisionSteps, TerminalSteps]


class UnityNotFiniteException(UnityObservationException, RuntimeError):
    """A reward or an observation is NaN or infinite; a `RuntimeError` too, as programs expect it."""


def steps_from_proto(agent_info_list: Iterable[Any], behavior_spec: BehaviorSpec) -> Steps:
    """The steps of one behavior.

    Args:
      agent_info_list: `AgentInfoProto` of each agent: `done` ones become terminal steps, the others
        decisions, in their order.
      behavior_spec: Of the behavior. Images whose axes stand as (height, width, channels) are transposed.

    Raises:
      UnityObservationException: An observation does not fit the spec or cannot be decoded.
      UnityNotFiniteException: A reward or an observation of rank 1 or 2 is NaN or infinite.
    """
    infos = list(agent_info_list)
    first = infos[0].observations if infos else ()
    channels_last = [
        len(spec.shape) == 3 and tuple(proto.shape) not in (spec.shape, ())
        for spec, proto in zip(behavior_spec.observation_specs, first, strict=False)
    ]
    return _Columns.of_infos(infos, behavior_spec, channels_last).split()


class StepsDecoder:
    """Decodes the serialized agent infos of one behavior, learning the layouts that they have.

    Args:
      spec: Of the behavior.
      channels_last: For each observation whether it is an image sent as (height, width, channels).
    """

    def __init__(self, spec: BehaviorSpec, channels_last: Sequence[bool]) -> None:
        self.spec = spec
        self._channels_last = channels_last
        self._float_bytes = 4 * sum(prod(sensor.shape) for sensor in spec.observation_specs)
        self._layouts: dict[int, list[AgentLayout]] = {}  # by length of the message
        self._has_layouts = True

    def decode(self, messages: Sequence[bytes]) -> Steps:
        """The steps in `messages`, each an `AgentInfoProto`; raises as `steps_from_proto`."""
        if not messages:
            return DecisionSteps.empty(self.spec), TerminalSteps.empty(self.spec)
        columns = self._by_layout(messages) if self._has_layouts else None
        if columns is None:
            columns = _Columns.of_infos([_parse(m) for m in messages], self.spec, self._channels_last)
        return columns.split()

    def _by_layout(self, messages: Sequence[bytes]) -> _Columns | None:
        lengths = list(map(len, messages))
        if min(lengths) <= self._float_bytes:
            return None  # compressed, or damaged: found out agent by agent, before anything is allocated
        columns = _Columns(len(messages), self.spec)
        kinds = set(lengths)
        for length in kinds:
            index = np.arange(len(messages)) if len(kinds) == 1 else np.flatnonzero(np.equal(lengths, length))
            picked = messages if len(kinds) == 1 else [messages[i] for i in index.tolist()]
            rows = np.frombuffer(b"".join(picked), np.uint8).reshape(-1, length)
            if not self._fill(columns, rows, index):
                return None
        return columns

    def _fill(self, columns: _Columns, rows: NDArray[np.uint8], index: NDArray[np.intp]) -> bool:
        """Writes messages of one length, uint8 [n, length], to the rows `index`; False if some are unusual."""
        for layout in tuple(self._layouts.get(rows.shape[1], ())):
            rows, index = self._write_fitting(columns, layout, rows, index)
            if not len(rows):
                return True
        while len(rows):
            learned = self._learn(rows[0].tobytes())
            if learned is None:
                self._has_layouts = False
                return False
            rows, index = self._write_fitting(columns, learned, rows, index)
        return True

    def _write_fitting(
        self, columns: _Columns, layout: AgentLayout, rows: NDArray[np.uint8], index: NDArray[np.intp]
    ) -> tuple[NDArray[np.uint8], NDArray[np.intp]]:
        """Writes the messages that have a layout; the others, and their rows, remain."""
        differences = layout.differences(rows)
        if not differences.any():
            whole = len(rows) == len(columns.reward)
            columns.write(layout, rows, slice(None) if whole else index, self._channels_last)
            return rows[:0], index[:0]
        fits = ~differences.any(axis=1)
        columns.write(layout, rows[fits], index[fits], self._channels_last)
        return rows[~fits], index[~fits]

    def _learn(self, message: bytes) -> AgentLayout | None:
        # What the layout holds constant (shapes, types, counts) is checked here, once.
        _Columns.of_infos([_parse(message)], self.spec, self._channels_last)
        layout = layout_of(message)
        if layout is not None:
            if sum(map(len, self._layouts.values())) >= _MOST_LAYOUTS:
                self._layouts.clear()
            self._layouts.setdefault(len(message), []).append(layout)
        return layout


def decoder_from_proto(brain_param_proto: Any, first_message: bytes, package_version: str | None) -> StepsDecoder:
    """The decoder of a behavior that the environment announces.

    Args:
      brain_param_proto: `BrainParametersProto`.
      first_message: Any agent's `AgentInfoProto`.
      package_version: Of the Unity package.

    Raises:
      UnityObservationException: The message is damaged, or an observation has an impossible shape or type.
      UnityActionException: The actions have impossible sizes.
    """
    protos = _parse(first_message).observations
    observations = [observation_from_proto(proto, package_version) for proto in protos]
    specs = [spec for spec, _ in observations]
    return StepsDecoder(
        BehaviorSpec(specs, action_spec_from_proto(brain_param_proto)), [last for _, last in observations]
    )


def _parse(message: bytes) -> Any:
    try:
        return AgentInfoProto.FromString(message)
    except DecodeError as error:
        raise UnityObservationException(f"An agent's {len(message)} bytes are not an AgentInfoProto: {error}") from None


class _Columns:
    """The agents of one behavior in one message: a row each, terminal steps and decisions together."""

    def __init__(self, n: int, spec: BehaviorSpec) -> None:
        self.spec = spec
        self.obs = [np.empty((n, *sensor.shape), np.float32) for sensor in spec.observation_specs]
        self.reward = np.zeros(n, np.float32)
        self.agent_id = np.zeros(n, np.int32)
        self.group_id = np.zeros(n, np.int32)
        self.group_reward = np.zeros(n, np.float32)
        self.done = np.zeros(n, np.bool_)
        self.interrupted = np.zeros(n, np.bool_)
        self.mask = np.zeros((n, sum(spec.action_spec.discrete_branches)), np.bool_)
        self.any_done = False

    @staticmethod
    def of_infos(infos: Sequence[Any], spec: BehaviorSpec, channels_last: Sequence[bool]) -> _Columns:
        """Reads `AgentInfoProto` objects, one by one."""
        for info in infos:
            _check_observations(info, spec, channels_last)
        columns = _Columns(len(infos), spec)
        for row, info in enumerate(infos):
            columns.reward[row] = info.reward
            columns.agent_id[row] = info.id
            columns.group_id[row] = info.group_id
            columns.group_reward[row] = info.group_reward
            columns.any_done |= info.done
            columns.done[row] = info.done
            columns.interrupted[row] = info.max_step_reached
            if len(info.action_mask) == columns.mask.shape[1]:
                columns.mask[row] = info.action_mask
            for column, proto, last in zip(columns.obs, info.observations, channels_last, strict=True):
                column[row] = _values(proto, column.shape[1:], last)
        return columns

    def write(
        self,
        layout: AgentLayout,
        rows: NDArray[np.uint8],
        index: NDArray[np.intp] | slice,
        channels_last: Sequence[bool],
    ) -> None:
        """Reads messages of one layout, uint8 [n, length], into the rows `index`."""
        spans = layout.spans
        if REWARD in spans:
            self.reward[index] = read_floats(rows, spans[REWARD])[:, 0]
        if GROUP_REWARD in spans:
            self.group_reward[index] = read_floats(rows, spans[GROUP_REWARD])[:, 0]
        if AGENT_ID in spans:
            self.agent_id[index] = read_varints(rows, spans[AGENT_ID])
        if GROUP_ID in spans:
            self.group_id[index] = read_varints(rows, spans[GROUP_ID])
        if MASK in spans and spans[MASK][1] - spans[MASK][0] == self.mask.shape[1]:
            self.mask[index] = rows[:, slice(*spans[MASK])]
        if layout.done:
            self.any_done = True
            self.done[index] = True
            self.interrupted[index] = layout.interrupted
        for column, span, last in zip(self.obs, layout.observations, channels_last, strict=True):
            column[index] = _channels_first(read_floats(rows, span), column.shape[1:], last)

    def split(self) -> Steps:
        """Separates decisions from terminal steps, after a check that all numbers are finite."""
        self._check_finite()
        if not self.any_done:
            return self._decisions(), TerminalSteps.empty(self.spec)
        ended, waiting = self._rows(self.done), self._rows(~self.done)
        terminal_steps = TerminalSteps(
            ended.obs, ended.reward, ended.interrupted, ended.agent_id, ended.group_id, ended.group_reward
        )
        return waiting._decisions(), terminal_steps

    def _rows(self, chosen: NDArray[np.bool_]) -> _Columns:
        part = copy(self)
        index = np.flatnonzero(chosen)
        part.obs = [column[index] for column in self.obs]
        for name in ("reward", "agent_id", "group_id", "group_reward", "interrupted", "mask"):
            setattr(part, name, getattr(self, name)[index])
        return part

    def _decisions(self) -> DecisionSteps:
        branches = self.spec.action_spec.discrete_branches
        masks = None
        if branches and len(self.reward):
            ends = np.cumsum((0, *branches)).tolist()
            masks = [self.mask[:, start:end] for start, end in pairwise(ends)]
        return DecisionSteps(self.obs, self.reward, self.agent_id, masks, self.group_id, self.group_reward)

    def _check_finite(self) -> None:
        named: list[tuple[str, NDArray[np.float32]]] = [
            ("reward", self.reward),
            ("group reward", self.group_reward),
        ]
        for number, (column, sensor) in enumerate(zip(self.obs, self.spec.observation_specs, strict=True)):
            if column.ndim < 4:  # images are not checked: too many numbers, and bytes can be nothing but finite
                named.append((f"observation {number} {sensor.name!r}", column))
        for name, values in named:
            finite = np.isfinite(values)
            if not finite.all():
                row = int(np.argwhere(~finite)[0, 0])
                raise UnityNotFiniteException(
                    f"The {name} of agent {self.agent_id[row]} is NaN or infinite: {values[row]}. "
                    "Look at what computes it in the environment."
                )


def _check_observations(info: Any, spec: BehaviorSpec, channels_last: Sequence[bool]) -> None:
    if len(info.observations) != len(spec.observation_specs) or len(channels_last) != len(spec.observation_specs):
        raise UnityObservationException(
            f"Agent {info.id} sent {len(info.observations)} observations; its behavior has "
            f"{len(spec.observation_specs)}: {[sensor.name for sensor in spec.observation_specs]}."
        )
    for proto, sensor, last in zip(info.observations, spec.observation_specs, channels_last, strict=True):
        _check_observation(proto, sensor, last, info.id)


def _check_observation(proto: Any, sensor: ObservationSpec, last: bool, agent_id: int) -> None:
    expected = (*sensor.shape[1:], sensor.shape[0]) if last else sensor.shape
    who = f"Observation {sensor.name!r} of agent {agent_id}"
    if len(expected) == 3 and tuple(proto.shape) != expected:
        raise UnityObservationException(f"{who} has shape {tuple(proto.shape)}; expected {expected}.")
    if proto.compression_type == PNG and len(expected) == 3:
        size = png_size(proto.compressed_data)
        if size is not None and prod(size) > _MOST_DEFLATED * len(proto.compressed_data):
            raise UnityObservationException(
                f"{who} is a PNG of {len(proto.compressed_data)} bytes that claims to have {size} pixels."
            )
        if size != sensor.shape[1:]:
            raise UnityObservationException(
                f"{who} is a PNG of (height, width) {size}; expected {sensor.shape[1:]}. Its axes may be in "
                "another order than the environment's package version says."
            )
    elif proto.compression_type != NONE:
        raise UnityObservationException(
            f"{who} of shape {expected} has compression type {proto.compression_type}; "
            "expected 0 (none), or 1 (PNG) for images."
        )
    elif len(proto.float_data.data) != prod(expected):
        raise UnityObservationException(
            f"{who} has {len(proto.float_data.data)} numbers; its shape {expected} needs {prod(expected)}."
        )


def _values(proto: Any, shape: tuple[int, ...], last: bool) -> NDArray[np.float32]:
    if proto.compression_type == PNG:
        height, width = shape[1:]
        return decode_image(proto.compressed_data, shape[0], proto.compressed_channel_mapping, (height, width))
    # The serialized list is the floats behind a short head; reading it element by element is 30 times slower.
    count = prod(shape)
    raw = proto.float_data.SerializeToString()
    floats = np.frombuffer(raw, "<f4", count, len(raw) - 4 * count)
    values: NDArray[np.float32] = _channels_first(floats[np.newaxis], shape, last)[0]
    return values


def _channels_first(floats: NDArray[np.float32], shape: tuple[int, ...], last: bool) -> NDArray[np.float32]:
    """float32 [n, product of shape] as [n, *shape]."""
    if not last:
        return floats.reshape(-1, *shape)
    channels, height, width = shape
    return floats.reshape(-1, height, width, channels).transpose(0, 3, 1, 2)
