"""Agent infos to `DecisionSteps` and `TerminalSteps`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from mlagents_envs.base_env import BehaviorSpec, DecisionSteps, ObservationSpec, TerminalSteps
from mlagents_envs.communicator_objects.agent_info_pb2 import AgentInfoProto
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.observation_pb2 import NONE, PNG
from mlagents_envs.exception import UnityNotFiniteException, UnityObservationException
from mlagents_envs.rpc.agent_layout import AgentLayout, layout_of, list_entries
from mlagents_envs.rpc.images import decode_image, png_size
from mlagents_envs.rpc.specs import action_spec_from_proto, observation_from_proto

_MOST_LAYOUTS = 64
_MOST_SEQUENCES = 64
_MOST_RUNS = 4  # in a sequence, to be remembered
_MOST_DEFLATED = 1032  # https://zlib.net/zlib_tech.html: no data shrink more

Steps = tuple[DecisionSteps, TerminalSteps]


class _Agents(NamedTuple):
    """Agents that all wait for an action, or whose episodes all ended: columns with a row each.

    `flags` are the masks of those who wait, bool [n, sum of branch sizes], or who was interrupted, bool [n].
    """

    done: bool
    reward: NDArray[np.float32]
    agent_id: NDArray[np.int32]
    group_id: NDArray[np.int32]
    group_reward: NDArray[np.float32]
    flags: NDArray[np.bool_]
    obs: list[NDArray[np.float32]]


class _Group(NamedTuple):
    """The agents in a list whose messages have one layout, and where in the list they stand."""

    layout: AgentLayout
    places: NDArray[np.intp]
    agents: _Agents


def steps_from_proto(agent_info_list: Iterable[Any], behavior_spec: BehaviorSpec) -> Steps:
    """Return the steps of one behavior.

    Args:
      agent_info_list: `AgentInfoProto` of each agent: `done` ones become terminal steps, the others
        decisions, in their order.
      behavior_spec: of the behavior. Images whose axes stand as (height, width, channels) are transposed.

    Raises:
      UnityObservationException: an observation does not fit the spec or cannot be decoded.
      UnityNotFiniteException: a reward or an observation of rank 1 or 2 is NaN or infinite.
    """
    infos = list(agent_info_list)
    first = infos[0].observations if infos else ()
    channels_last = [
        len(spec.shape) == 3 and tuple(proto.shape) not in (spec.shape, ())
        for spec, proto in zip(behavior_spec.observation_specs, first, strict=False)
    ]
    batches = _read_infos(infos, behavior_spec, channels_last)
    _check_finite(batches, behavior_spec)
    return _steps(batches, behavior_spec, _nobody(behavior_spec))


class StepsDecoder:
    """Decodes the serialized agent infos of one behavior, learning the layouts that they have.

    Args:
      spec: of the behavior.
      channels_last: for each observation whether it is an image sent as (height, width, channels).
      check_finite: raise UnityNotFiniteException for numbers that are NaN or infinite, rather than hand them on.
    """

    def __init__(self, spec: BehaviorSpec, channels_last: Sequence[bool], check_finite: bool = True) -> None:
        self.spec = spec
        self._channels_last = channels_last
        self._check_finite = check_finite
        self._float_bytes = 4 * sum(prod(sensor.shape) for sensor in spec.observation_specs)
        self._layouts: dict[int, list[AgentLayout]] = {}  # by length of the message
        self._sequences: dict[int, list[tuple[AgentLayout, int]]] = {}  # by length of the list
        self._has_layouts = True
        self._nobody = _nobody(spec)

    def decode(self, messages: Sequence[bytes]) -> Steps:
        """Return the steps in `messages`, each an `AgentInfoProto`; raises as `steps_from_proto`."""
        return self.decode_list(EnvelopeProto.ListAgentInfo(value=messages))

    def decode_list(self, agents: Any) -> Steps:
        """Return the steps in an `EnvelopeProto.ListAgentInfo`; raises as `steps_from_proto`."""
        batches: Sequence[_Agents] = ()
        if self._has_layouts:
            data = agents.SerializeToString()
            batches = self._by_sequence(data)
            if not batches and (groups := self._by_layout(list(agents.value))):
                self._learn_sequence(len(data), groups)
                batches = _in_order(groups)
        if not batches:
            batches = _read_infos([_parse(message) for message in agents.value], self.spec, self._channels_last)
        if self._check_finite:
            _check_finite(batches, self.spec)
        return _steps(batches, self.spec, self._nobody)

    def _by_sequence(self, data: bytes) -> Sequence[_Agents]:
        """Return the agents of a list whose layouts follow each other as in an earlier one; else nothing."""
        batches = []
        start = 0
        for layout, count in self._sequences.get(len(data), ()):
            if not layout.fits_all(np.ndarray((count, layout.size), np.uint8, data, start)):
                return ()
            batches.append(self._read(layout, np.ndarray(count, layout.record, data, start)))
            start += count * layout.size
        return batches if start == len(data) else ()  # fields that we do not know count in the length too

    def _by_layout(self, messages: Sequence[bytes]) -> Sequence[_Group]:
        """Return the agents of any list, those of one layout at a time; nothing if some are unusual."""
        lengths = [len(message) for message in messages]
        if min(lengths, default=0) <= self._float_bytes:
            return ()  # compressed, or damaged: found out agent by agent, before anything is allocated
        groups = []
        for length in set(lengths):
            places = [place for place, other in enumerate(lengths) if other == length]
            index = np.array(places)
            rows = np.frombuffer(list_entries([messages[place] for place in places]), np.uint8)
            rows = rows.reshape(len(index), -1)
            known = iter(tuple(self._layouts.get(length, ())))
            while True:
                layout = next(known, None) or self._learn(messages[index[0]])
                if layout is None:
                    self._has_layouts = False
                    return ()
                if layout.fits_all(rows):
                    groups.append(_Group(layout, index, self._read(layout, layout.records(rows))))
                    break
                fits = layout.fits(rows)
                if fits.any():
                    groups.append(_Group(layout, index[fits], self._read(layout, layout.records(rows[fits]))))
                    rows, index = rows[~fits], index[~fits]
        return groups

    def _learn(self, message: bytes) -> AgentLayout | None:
        # What the layout holds constant (shapes, types, counts) is checked here, once.
        _read_infos([_parse(message)], self.spec, self._channels_last)
        layout = layout_of(message)
        if layout is not None:
            if sum(map(len, self._layouts.values())) >= _MOST_LAYOUTS:
                self._layouts.clear()
            self._layouts.setdefault(len(message), []).append(layout)
        return layout

    def _learn_sequence(self, length: int, groups: Sequence[_Group]) -> None:
        group_of = np.empty(sum(len(group.places) for group in groups), np.intp)
        for number, group in enumerate(groups):
            group_of[group.places] = number
        changes = np.flatnonzero(group_of[1:] != group_of[:-1]) + 1
        if len(changes) >= _MOST_RUNS:
            return
        if len(self._sequences) >= _MOST_SEQUENCES:
            self._sequences.clear()
        bounds = [0, *changes.tolist(), len(group_of)]
        self._sequences[length] = [(groups[group_of[start]].layout, end - start) for start, end in pairwise(bounds)]

    def _read(self, layout: AgentLayout, records: NDArray[np.void]) -> _Agents:
        """Return the agents of messages that fit the layout, [n] of `layout.record`."""
        return _Agents(
            layout.done,
            layout.floats(records, "reward"),
            layout.integers(records, "agent_id"),
            layout.integers(records, "group_id"),
            layout.floats(records, "group_reward"),
            layout.flags(records, sum(self.spec.action_spec.discrete_branches)),
            [
                _channels_first(records[str(number)], sensor.shape, last).copy()
                for number, (sensor, last) in enumerate(
                    zip(self.spec.observation_specs, self._channels_last, strict=True)
                )
            ],
        )


def decoder_from_proto(
    brain_param_proto: Any, first_message: bytes, package_version: str | None, check_finite: bool = True
) -> StepsDecoder:
    """Return the decoder of a behavior that the environment announces.

    Args:
      brain_param_proto: `BrainParametersProto`.
      first_message: any agent's `AgentInfoProto`.
      package_version: of the Unity package.
      check_finite: see `StepsDecoder`.

    Raises:
      UnityObservationException: the message is damaged, or an observation has an impossible shape or type.
      UnityActionException: the actions have impossible sizes.
    """
    protos = _parse(first_message).observations
    observations = [observation_from_proto(proto, package_version) for proto in protos]
    specs = [spec for spec, _ in observations]
    spec = BehaviorSpec(specs, action_spec_from_proto(brain_param_proto))
    return StepsDecoder(spec, [last for _, last in observations], check_finite)


def _parse(message: bytes) -> Any:
    try:
        return AgentInfoProto.FromString(message)
    except DecodeError as error:
        raise UnityObservationException(f"An agent's {len(message)} bytes are not an AgentInfoProto: {error}") from None


def _read_infos(infos: Sequence[Any], spec: BehaviorSpec, channels_last: Sequence[bool]) -> list[_Agents]:
    """Read `AgentInfoProto` objects, one by one."""
    for info in infos:
        _check_observations(info, spec, channels_last)
    parts = [info for info in infos if not info.done], [info for info in infos if info.done]
    return [_read_part(part, spec, channels_last) for part in parts if part]


def _read_part(infos: Sequence[Any], spec: BehaviorSpec, channels_last: Sequence[bool]) -> _Agents:
    """Read objects that are all `done`, or all not."""
    n, width = len(infos), sum(spec.action_spec.discrete_branches)
    done = infos[0].done
    flags = np.zeros(n if done else (n, width), np.bool_)
    obs = [np.empty((n, *sensor.shape), np.float32) for sensor in spec.observation_specs]
    for row, info in enumerate(infos):
        if done:
            flags[row] = info.max_step_reached
        elif len(info.action_mask) == width:
            flags[row] = info.action_mask
        for column, proto, last in zip(obs, info.observations, channels_last, strict=True):
            column[row] = _values(proto, column.shape[1:], last)
    return _Agents(
        done,
        np.array([info.reward for info in infos], np.float32),
        np.array([info.id for info in infos], np.int32),
        np.array([info.group_id for info in infos], np.int32),
        np.array([info.group_reward for info in infos], np.float32),
        flags,
        obs,
    )


def _in_order(groups: Sequence[_Group]) -> list[_Agents]:
    """Return those who wait together, and those whose episodes ended, in the order of their messages."""
    parts = [group for group in groups if not group.layout.done], [group for group in groups if group.layout.done]
    return [
        _joined([group.agents for group in part], np.concatenate([group.places for group in part]).argsort())
        for part in parts
        if part
    ]


def _joined(batches: Sequence[_Agents], order: NDArray[np.intp] | slice = slice(None)) -> _Agents:
    """Return one batch of several that are all `done`, or all not; `order` as if to index their concatenation."""
    first, *others = batches
    if not others:
        return first
    columns = zip(*[(*batch[1:-1], *batch.obs) for batch in batches], strict=True)
    reward, agent_id, group_id, group_reward, flags, *obs = [np.concatenate(parts)[order] for parts in columns]
    return _Agents(first.done, reward, agent_id, group_id, group_reward, flags, obs)


def _nobody(spec: BehaviorSpec) -> _Agents:
    """Return no agents whose episodes ended; most lists have none, and arrays of size 0 can be shared."""
    empty = TerminalSteps.empty(spec)
    return _Agents(True, empty.reward, empty.agent_id, empty.group_id, empty.group_reward, empty.interrupted, empty.obs)


def _steps(batches: Sequence[_Agents], spec: BehaviorSpec, nobody: _Agents) -> Steps:
    waiting = [batch for batch in batches if not batch.done]
    ended = [batch for batch in batches if batch.done]
    return (
        _decision_steps(_joined(waiting), spec) if waiting else DecisionSteps.empty(spec),
        _terminal_steps(_joined(ended) if ended else nobody),
    )


def _decision_steps(agents: _Agents, spec: BehaviorSpec) -> DecisionSteps:
    _, reward, agent_id, group_id, group_reward, mask, obs = agents
    masks = None
    if branches := spec.action_spec.discrete_branches:
        ends = np.cumsum((0, *branches)).tolist()
        masks = [mask[:, start:end] for start, end in pairwise(ends)]
    return DecisionSteps(obs, reward, agent_id, masks, group_id, group_reward)


def _terminal_steps(agents: _Agents) -> TerminalSteps:
    _, reward, agent_id, group_id, group_reward, interrupted, obs = agents
    return TerminalSteps([*obs], reward, interrupted, agent_id, group_id, group_reward)


def _check_finite(batches: Sequence[_Agents], spec: BehaviorSpec) -> None:
    for agents in batches:
        for number, values in enumerate((agents.reward, agents.group_reward, *agents.obs), start=-2):
            if values.ndim == 4:
                continue  # images are not checked: too many numbers, and bytes can be nothing but finite
            finite = np.isfinite(values)
            if b"\0" in finite.tobytes():  # .all() takes twice as long
                name = ("reward", "group reward")[number] if number < 0 else _named(number, spec)
                row, *place = np.argwhere(~finite)[0].tolist()
                where = f" at {place}" if place else ""
                raise UnityNotFiniteException(
                    f"The {name} of agent {agents.agent_id[row]} is NaN or infinite: {values[row, *place]}{where}. "
                    "Look at what computes it in the environment."
                )


def _named(number: int, spec: BehaviorSpec) -> str:
    return f"observation {number} {spec.observation_specs[number].name!r}"


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
    """Return float32 [n, product of shape] as [n, *shape]."""
    if not last:
        return floats.reshape(len(floats), *shape)
    channels, height, width = shape
    return floats.reshape(len(floats), height, width, channels).transpose(0, 3, 1, 2)
