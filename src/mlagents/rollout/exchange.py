"""Steps and actions of one worker process, in memory that it shares with the pool.

Each behavior of a worker has a block: two reports and one set of actions, in columns `[capacity, ...]`. The
worker writes one report while the pool reads the other. A message through the pipe says how many rows are
filled and hands the turn over; only what is new (specs, blocks, statistics) is pickled.

The worker creates the blocks, because it knows how many agents there are. The pool maps a block and removes
its name at once: from then on the memory goes with the last process that maps it, however that process ends.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterator, Mapping
from math import prod
from multiprocessing.shared_memory import SharedMemory
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityActionException, UnityObservationException
from mlagents_envs.side_channel.environment_parameters_channel import ParameterSampler
from mlagents_envs.side_channel.stats_side_channel import EnvironmentStats

REPORT, FAILURE = b"r", b"f"  # first byte of what a worker sends
STEP, RESET, PARAMETERS, CLOSE = b"s", b"x", b"p", b"c"  # first byte of what the pool sends

Steps = dict[str, tuple[DecisionSteps, TerminalSteps]]

_ALIGNMENT = 64
_MIN_CAPACITY = 8


class News(NamedTuple):
    """The part of a report that is empty in the steady state.

    Attributes:
      specs: of behaviors that appeared.
      blocks: behavior -> name and capacity of the block that it uses from this report on.
      stats: what the environment sent on the statistics channel.
    """

    specs: dict[str, BehaviorSpec]
    blocks: dict[str, tuple[str, int]]
    stats: EnvironmentStats


class _Memory(SharedMemory):
    """Shared memory that arrays may outlive: they keep the mapping, `close` is for its handle."""

    def release(self) -> bool:
        """Close, and return whether no array looks into the memory any more."""
        try:
            self.close()
        except BufferError:
            return False
        return True

    def __del__(self) -> None:
        self.release()


class _Batch(NamedTuple):
    """Columns [capacity, ...]; `flags` are the masks of a DecisionSteps, `interrupted` of a TerminalSteps."""

    obs: list[NDArray[np.float32]]
    reward: NDArray[np.float32]
    agent_id: NDArray[np.int32]
    group_id: NDArray[np.int32]
    group_reward: NDArray[np.float32]
    flags: list[NDArray[np.bool_]]

    @classmethod
    def take(cls, arrays: Iterator[NDArray[Any]], observations: int, flags: int) -> _Batch:
        """Return a batch of the next arrays."""
        obs = [next(arrays) for _ in range(observations)]
        scalars = (next(arrays), next(arrays), next(arrays), next(arrays))
        return cls(obs, *scalars, [next(arrays) for _ in range(flags)])

    def write(self, steps: DecisionSteps | TerminalSteps, flags: list[NDArray[np.bool_]]) -> None:
        rows = len(steps)
        if rows == 0:
            return
        for index, (column, array) in enumerate(zip(self.obs, steps.obs, strict=True)):
            if array.shape != (rows, *column.shape[1:]):
                raise UnityObservationException(
                    f"Observation {index} of the {type(steps).__name__} has shape {array.shape}; "
                    f"expected {(rows, *column.shape[1:])}, as its spec and the {rows} agent ids say."
                )
            column[:rows] = array
        self.reward[:rows] = steps.reward
        self.agent_id[:rows] = steps.agent_id
        self.group_id[:rows] = steps.group_id
        self.group_reward[:rows] = steps.group_reward
        for flag, values in zip(self.flags, flags, strict=False):
            flag[:rows] = values


class Block:
    """The memory of one behavior of one worker.

    Args:
      spec: of the behavior.
      capacity: rows.
      name: of existing memory, or None for new memory.

    Raises:
      FileNotFoundError: there is no memory of that name.
    """

    def __init__(self, spec: BehaviorSpec, capacity: int, name: str | None = None) -> None:
        columns = _columns(spec, capacity)
        size = sum(map(_aligned_size, columns))
        self._memory = _Memory(name, create=name is None, size=0 if name else size)
        self.name = self._memory.name
        self.capacity = capacity
        buffer = self._memory.buf
        assert buffer is not None  # it is only after `release`
        arrays = _arrays(buffer, columns)
        observations, branches = len(spec.observation_specs), len(spec.action_spec.discrete_branches)
        self._slots = [
            (_Batch.take(arrays, observations, branches), _Batch.take(arrays, observations, 1)) for _ in range(2)
        ]
        self._actions = [next(arrays), next(arrays)]

    def write(self, slot: int, decision: DecisionSteps, terminal: TerminalSteps) -> tuple[int, int, int]:
        """Store a report and return what `read` has to know: rows of both kinds, and whether there are masks.

        Raises:
          UnityObservationException: the observations do not have the shapes of the spec.
        """
        decisions, terminals = self._slots[slot]
        masks = decision.action_mask or []
        decisions.write(decision, masks)
        terminals.write(terminal, [terminal.interrupted])
        return len(decision), len(terminal), len(masks) > 0

    def read(self, slot: int, rows: int, ended: int, masked: int) -> tuple[DecisionSteps, TerminalSteps]:
        """Return views of a report."""
        (obs, reward, ids, groups, group_reward, masks), last = self._slots[slot]
        return DecisionSteps(
            [column[:rows] for column in obs],
            reward[:rows],
            ids[:rows],
            [mask[:rows] for mask in masks] if masked and rows else None,
            groups[:rows],
            group_reward[:rows],
        ), TerminalSteps(
            [column[:ended] for column in last.obs],
            last.reward[:ended],
            last.flags[0][:ended],
            last.agent_id[:ended],
            last.group_id[:ended],
            last.group_reward[:ended],
        )

    def write_actions(self, actions: ActionTuple) -> None:
        """Store actions, one row per agent."""
        for column, values in zip(self._actions, (actions.continuous, actions.discrete), strict=True):
            column[: len(values)] = values

    def read_actions(self, rows: int) -> ActionTuple:
        """Return copies of the actions, because an environment may keep what it gets."""
        return ActionTuple(*(column[:rows].copy() for column in self._actions))

    def unlink(self) -> None:
        """Remove the name; the memory stays for those who map it."""
        self._memory.unlink()

    def release(self) -> bool:
        """Unmap the memory, unless someone holds arrays in it; then they keep it, and the answer is False."""
        self._slots.clear()
        self._actions.clear()
        return self._memory.release()


class WorkerEnd:
    """The side of the worker: writes reports, reads actions."""

    def __init__(self) -> None:
        self._specs: dict[str, BehaviorSpec] = {}
        self._blocks: dict[str, Block] = {}

    def report(self, env: BaseEnv, slot: int, stats: EnvironmentStats) -> bytes:
        """Store what all agents report, and return the message that says so.

        Raises:
          UnityObservationException: observations do not have the shapes of their spec.
        """
        news = News({}, {}, stats)
        for name, spec in env.behavior_specs.items():
            if name not in self._specs:
                self._specs[name] = news.specs[name] = spec
        counts: list[int] = []
        for name in self._specs:
            decision, terminal = env.get_steps(name)
            rows = max(len(decision), len(terminal))
            counts += self._block(name, rows, news).write(slot, decision, terminal) if rows else (0, 0, 0)
        return encode_report(counts, news)

    def _block(self, name: str, rows: int, news: News) -> Block:
        block = self._blocks.get(name)
        if block is None or block.capacity < rows:
            if block is not None:
                block.release()
            capacity = max(_MIN_CAPACITY, 1 << (rows - 1).bit_length())
            block = self._blocks[name] = Block(self._specs[name], capacity)
            news.blocks[name] = block.name, capacity
        return block

    def actions(self, request: bytes) -> Iterator[tuple[str, ActionTuple]]:
        """Yield the actions of a step, by behavior."""
        rows_of = struct.unpack_from(f"<{len(request) // 4}i", request, 2)
        for name, rows in zip(self._specs, rows_of, strict=True):
            if rows:
                yield name, self._blocks[name].read_actions(rows)


class PoolEnd:
    """The side of the pool: reads reports, writes actions.

    Attributes:
      specs: behavior -> spec, as the worker said.
    """

    def __init__(self) -> None:
        self.specs: dict[str, BehaviorSpec] = {}
        self._blocks: dict[str, Block] = {}
        self._replaced: list[Block] = []
        self._agents: dict[str, int] = {}
        self._slot = 0

    @property
    def free_slot(self) -> int:
        """The slot that the worker may write, because the caller does not read it."""
        return 1 - self._slot

    def adopt(self, report: bytes) -> tuple[tuple[int, ...], News | None]:
        """Take over what is new in a report, and return its counts and what is new.

        Raises:
          FileNotFoundError: the worker is gone, and its memory too.
        """
        counts, news = decode_report(report)
        if news is None:
            return counts, None
        self.specs.update(news.specs)
        self._replaced += [self._blocks.pop(name) for name in news.blocks if name in self._blocks]
        self._replaced = [block for block in self._replaced if not block.release()]
        for name, (memory, capacity) in news.blocks.items():
            block = self._blocks[name] = Block(self.specs[name], capacity, memory)
            block.unlink()
        return counts, news

    def read(self, counts: tuple[int, ...]) -> Steps:
        """Return the report that the worker wrote into `free_slot`, as views."""
        self._slot = self.free_slot
        steps: Steps = {}
        for index, (name, spec) in enumerate(self.specs.items()):
            block = self._blocks.get(name)
            rows, ended, masked = counts[3 * index : 3 * index + 3]
            self._agents[name] = rows
            if block is None:
                steps[name] = DecisionSteps.empty(spec), TerminalSteps.empty(spec)
            else:
                steps[name] = block.read(self._slot, rows, ended, masked)
        return steps

    def write_actions(self, actions: Mapping[str, ActionTuple]) -> bytes:
        """Store the actions of the agents in the last report, and return the request for a step.

        Raises:
          UnityActionException: unknown behavior, or other shapes than the spec and the report say.
        """
        rows = dict.fromkeys(self._agents, 0)
        for name, action in actions.items():
            if name not in rows:
                known = ", ".join(rows) or "none"
                raise UnityActionException(f"No behavior {name!r} in this worker; its behaviors: {known}.")
            agents = self._agents[name]
            action = self.specs[name].action_spec._validate_action(action, agents, name)
            if agents:
                self._blocks[name].write_actions(action)
                rows[name] = agents
        return struct.pack(f"<cB{len(rows)}i", STEP, self.free_slot, *rows.values())

    def release(self) -> None:
        """Unmap all blocks; arrays that the caller still holds keep theirs."""
        for block in (*self._blocks.values(), *self._replaced):
            block.release()
        self._blocks.clear()
        self._replaced.clear()


def encode_report(counts: list[int], news: News) -> bytes:
    """Return the message of a report: three counts per behavior, and news only if there are any."""
    head = struct.pack(f"<cH{len(counts)}i", REPORT, len(counts), *counts)
    return head + pickle.dumps(news) if any(news) else head


def decode_report(report: bytes) -> tuple[tuple[int, ...], News | None]:
    """Return what `encode_report` was given."""
    (size,) = struct.unpack_from("<H", report, 1)
    counts = struct.unpack_from(f"<{size}i", report, 3)
    end = 3 + 4 * size
    return counts, pickle.loads(memoryview(report)[end:]) if len(report) > end else None


def encode_reset(slot: int) -> bytes:
    """Return the request to reset the environment."""
    return struct.pack("<cB", RESET, slot)


def encode_parameters(parameters: Mapping[str, float | ParameterSampler]) -> bytes:
    """Return the message, which has no answer, that tells the environment these parameters."""
    return PARAMETERS + pickle.dumps(dict(parameters))


def decode_parameters(message: bytes) -> dict[str, float | ParameterSampler]:
    """Return what `encode_parameters` was given."""
    told: dict[str, float | ParameterSampler] = pickle.loads(memoryview(message)[1:])
    return told


def _columns(spec: BehaviorSpec, capacity: int) -> list[tuple[tuple[int, ...], DTypeLike]]:
    """Return (shape, dtype) of every column of a block, in the order in which `Block` takes them."""
    obs = [((capacity, *obs.shape), np.float32) for obs in spec.observation_specs]
    one = (capacity,)
    common = [*obs, (one, np.float32), (one, np.int32), (one, np.int32), (one, np.float32)]
    branches = spec.action_spec.discrete_branches
    decision = [*common, *(((capacity, size), np.bool_) for size in branches)]
    terminal = [*common, (one, np.bool_)]
    continuous = ((capacity, spec.action_spec.continuous_size), np.float32)
    return [*decision, *terminal, *decision, *terminal, continuous, ((capacity, len(branches)), np.int32)]


def _aligned_size(column: tuple[tuple[int, ...], DTypeLike]) -> int:
    shape, dtype = column
    return -(-prod(shape) * np.dtype(dtype).itemsize // _ALIGNMENT) * _ALIGNMENT


def _arrays(buffer: memoryview, columns: list[tuple[tuple[int, ...], DTypeLike]]) -> Iterator[NDArray[Any]]:
    """Yield the columns, one after another in the buffer."""
    memory = np.frombuffer(buffer, np.uint8)  # not np.ndarray(buffer=...): that would not keep the mapping
    offset = 0
    for shape, dtype in columns:
        size = prod(shape) * np.dtype(dtype).itemsize
        yield memory[offset : offset + size].view(dtype).reshape(shape)
        offset += _aligned_size((shape, dtype))
