"""Trained models from .nn files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlagents.barracuda import BarracudaError, BarracudaFile, Evaluator, Input, Memory, read_barracuda
from mlagents.inference.errors import ModelError
from mlagents.inference.feeds import plan_feeds
from mlagents.inference.memory import AgentMemory
from mlagents.inference.noise import EPSILON, NoiseInput, NoiseSource, normal
from mlagents.inference.sampling import choices
from mlagents.inference.signature import Signature, Tensor
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps

API_VERSION = 2
ACTION = "action"

FloatArray = NDArray[np.float32]


class BarracudaModel:
    """An ML-Agents model of API version 2 from a .nn file, run with numpy.

    Args:
      path: the file.
      behavior_spec: what the model is to play.

    Raises:
      ModelError: the file is missing, broken, or not an agent's model, or a layer of it cannot be evaluated.
      ModelMismatch: the model is for other observations or actions; the message says which, and both shapes.
    """

    def __init__(self, path: str | os.PathLike[str], behavior_spec: BehaviorSpec) -> None:
        file = _read(Path(path))
        self.signature: Signature = _signature(Path(path), file)
        self._action_spec = behavior_spec.action_spec
        self.signature.check_actions(self._action_spec)
        self._action_size = self.signature.continuous_size or sum(self.signature.discrete_branches)
        self._columns = _memory_columns(file)
        self._memory = self._tables()
        self._feeds = plan_feeds(self.signature, behavior_spec, self._memory)
        self._noise = NoiseSource(
            [NoiseInput(EPSILON, self._action_spec.continuous_size, normal)] if EPSILON in self.signature.inputs else []
        )
        try:
            self._evaluator = Evaluator(file, [ACTION, *(memory.output for memory in self._columns)])
            self._check_outputs(self._evaluate(_one_agent(behavior_spec), None))
        except BarracudaError as error:
            raise ModelError(f"{path}: the model cannot be run: {error}") from error

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return one row of actions per waiting agent; see `Model.act`."""
        agents = decision_steps.agent_id
        if len(agents) == 0:
            return self._action_spec.empty_action(0)
        noise_rng = None if deterministic else rng
        found = self._evaluate(decision_steps, noise_rng)
        if self._columns:
            self._memory["recurrent_in"].store(agents, self._remembered(found, len(agents)))
        action = np.broadcast_to(_flat(found[ACTION]), (len(agents), self._action_size))
        if self._action_spec.continuous_size:
            return ActionTuple(action)
        discrete = choices(action, self._action_spec.discrete_branches, decision_steps.action_mask, noise_rng)
        if "prev_action" in self._memory:
            self._memory["prev_action"].store(agents, discrete)
        return ActionTuple(discrete=discrete)

    @property
    def remembers(self) -> bool:
        """Whether what an agent does depends on more than what it observes now."""
        return bool(self._memory)

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Start these agents' next episodes without memory."""
        agents = list(agent_ids) if self._memory else []
        for table in self._memory.values():
            table.forget(agents)

    def _tables(self) -> dict[str, AgentMemory]:
        """Return what is kept per agent."""
        width = sum(memory.shape[3] for memory in self._columns)
        if width > self.signature.memory_size:
            raise ModelError(
                f"{self.signature.path}: the memories of the model have {width} numbers; expected at most"
                f" {self.signature.memory_size}, its constant memory_size"
            )
        tables = {}
        if self.signature.memory_size:
            tables["recurrent_in"] = AgentMemory(self.signature.memory_size)
        if "prev_action" in self.signature.inputs:
            tables["prev_action"] = AgentMemory(self._action_spec.discrete_size)
        return tables

    def _evaluate(self, steps: DecisionSteps, rng: np.random.Generator | None) -> Mapping[str, FloatArray]:
        feeds = self._noise.draw(len(steps), rng)
        for name, feed in self._feeds.items():
            feeds[name] = feed(steps)
        if self._columns:
            rows = self._memory["recurrent_in"].rows(steps.agent_id)
            feeds |= {memory.input: rows[:, columns] for memory, columns in self._columns.items()}
        return self._evaluator({name: _rank_4(values) for name, values in feeds.items()}, rng)

    def _remembered(self, found: Mapping[str, FloatArray], agents: int) -> FloatArray:
        rows = np.zeros((agents, self.signature.memory_size), np.float32)
        for memory, columns in self._columns.items():
            rows[:, columns] = _flat(found[memory.output])
        return rows

    def _check_outputs(self, found: Mapping[str, FloatArray]) -> None:
        expected = {ACTION: self._action_size}
        expected |= {memory.output: memory.shape[3] for memory in self._columns}
        for name, size in expected.items():
            shape = found[name].shape
            if shape != (1, 1, 1, size):
                raise ModelError(
                    f"{self.signature.path}: the output {name} has shape {list(shape[1:])} for each agent; the model"
                    f" promises [1, 1, {size}]"
                )


def read_barracuda_signature(path: Path) -> Signature:
    """Return what a .nn file says about itself.

    Raises:
      ModelError: the file is missing, broken, or not an agent's model.
    """
    return _signature(path, _read(path))


def _read(path: Path) -> BarracudaFile:
    try:
        return read_barracuda(path)
    except BarracudaError as error:
        raise ModelError(str(error)) from error
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; expected a .nn model") from error


def _signature(path: Path, file: BarracudaFile) -> Signature:
    """Return what the model says about itself, in the terms of all models: without the axes of a vector that are 1."""
    constants = file.constants()
    version = _number(path, constants, "version_number")
    if version != API_VERSION:
        raise ModelError(f"{path}: the model is of API version {version}; .nn models of version {API_VERSION} are read")
    size = _number(path, constants, "action_output_shape")
    is_continuous = _number(path, constants, "is_continuous_control") == 1
    return Signature(
        path=path,
        version=version,
        memory_size=_number(path, constants, "memory_size"),
        continuous_size=size if is_continuous else 0,
        discrete_branches=() if is_continuous else (size,),
        inputs={item.name: _tensor(item) for item in file.inputs},
        outputs={name: Tensor(name, (None,), np.dtype(np.float32)) for name in file.outputs},
        channels_last=True,
    )


def _memory_columns(file: BarracudaFile) -> dict[Memory, slice]:
    """Return where each memory lies in what is kept per agent: side by side, in the order of the file."""
    stops = np.cumsum([memory.shape[3] for memory in file.memories], dtype=int).tolist()
    return {memory: slice(stop - memory.shape[3], stop) for memory, stop in zip(file.memories, stops, strict=True)}


def _number(path: Path, constants: Mapping[str, FloatArray], name: str) -> int:
    """Return a constant; -1 means the same as its absence."""
    value = constants[name].flat[0] if name in constants else -1
    if not 0 <= value < 2**31:
        raise ModelError(
            f"{path}: this Barracuda file is not an agent's model: its constant {name!r} is"
            f" {'missing' if value == -1 else value}. Expected a model exported by mlagents-learn"
        )
    return int(value)


def _tensor(item: Input) -> Tensor:
    shape = tuple(size if size > 0 else None for size in item.shape)
    is_vector = shape[1:3] == (1, 1) and not item.name.startswith("visual_")
    return Tensor(item.name, (None, shape[3]) if is_vector else shape, np.dtype(np.float32))


def _one_agent(spec: BehaviorSpec) -> DecisionSteps:
    """Return an agent that sees zeros, on whom a model is tried."""
    observations = [np.zeros((1, *sensor.shape), np.float32) for sensor in spec.observation_specs]
    return DecisionSteps(observations, np.zeros(1, np.float32), np.zeros(1, np.int32), None)


def _rank_4(values: NDArray[np.generic]) -> FloatArray:
    """Return [n, channels] as [n, 1, 1, channels], and images as they are."""
    array = np.asarray(values, np.float32)
    return array if array.ndim == 4 else array.reshape(-1, 1, 1, array.shape[-1])


def _flat(values: FloatArray) -> FloatArray:
    return values.reshape(len(values), -1)
