"""Trained models that choose actions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from google.protobuf.message import DecodeError
from onnx import ModelProto
from onnx.checker import ValidationError
from onnx.external_data_helper import load_external_data_for_model
from onnxruntime import InferenceSession, RunOptions

from mlagents.inference.errors import ModelError
from mlagents.inference.feeds import plan_feeds
from mlagents.inference.memory import AgentMemory
from mlagents.inference.noise import (
    EPSILON,
    NoiseInput,
    NoiseSource,
    noise_as_inputs,
    normal,
)
from mlagents.inference.pruning import keep_outputs
from mlagents.inference.sampling import choices
from mlagents.inference.session import open_session
from mlagents.inference.signature import Signature, read_signature
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps

_Arrays = dict[str, Any]
"""Arrays by the name of an input or output."""

_SILENT = RunOptions()
_SILENT.log_severity_level = 4  # fatal: that a trial fails is no news


class Model(Protocol):
    """Something that chooses actions for the agents of one behavior."""

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return one row of actions per waiting agent, in their order.

        Args:
          decision_steps: the agents.
          deterministic: take the most likely action instead of a sample.
          rng: the only source of randomness.
        """

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Drop what is remembered of agents whose episode has ended; call before their next `act`."""


class OnnxModel:
    """An ML-Agents model of API version 2 or 3 from an .onnx file, run by ONNX Runtime on one thread.

    Models that were written for one agent at a time are run agent by agent.

    Args:
      path: the file.
      behavior_spec: what the model is to play.

    Raises:
      ModelError: the file is missing, broken, or not an agent's model; or its outputs are not what it promises.
      ModelMismatch: the model is for other observations or actions; the message says which, and both shapes.
    """

    def __init__(self, path: str | os.PathLike[str], behavior_spec: BehaviorSpec) -> None:
        proto = load_proto(Path(path))
        self.signature: Signature = read_signature(Path(path), proto)
        self._action_spec = behavior_spec.action_spec
        self.signature.check_actions(self._action_spec)
        remembered = {
            "recurrent_in": self.signature.memory_size,
            "prev_action": self._action_spec.discrete_size,
        }
        self._memory = {name: AgentMemory(width) for name, width in remembered.items() if name in self.signature.inputs}
        self._feeds = plan_feeds(self.signature, behavior_spec, self._memory)
        self._continuous = self._output(self._action_spec.continuous_size, "continuous_actions", "action")
        self._discrete = self._discrete_output()
        self._recurrent = self._output(self.signature.memory_size, "recurrent_out")
        outputs = (self._continuous, self._discrete, self._recurrent)
        self._outputs = [name for name in outputs if name is not None]
        self._noise, self._session = self._open(proto)
        self._one_by_one = not self._runs_for(_agents(behavior_spec, 2)) if self.signature.takes_several() else True
        if self._one_by_one:
            self._try(_agents(behavior_spec, 1))

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return one row of actions per waiting agent; see `Model.act`."""
        agents = decision_steps.agent_id
        if len(agents) == 0:
            return self._action_spec.empty_action(0)
        noise_rng = None if deterministic else rng
        noise = self._noise.draw(len(agents), noise_rng)
        together = not self._one_by_one or len(agents) == 1
        found = self._run(decision_steps, noise) if together else self._run_one_by_one(decision_steps, noise)
        continuous = None if self._continuous is None else found[self._continuous]
        discrete = None if self._discrete is None else found[self._discrete]
        if discrete is not None and discrete.dtype.kind != "i":  # version 2 puts out log-probabilities
            discrete = choices(discrete, self._action_spec.discrete_branches, decision_steps.action_mask, noise_rng)
        if self._recurrent is not None:
            self._memory["recurrent_in"].store(agents, found[self._recurrent])
        if "prev_action" in self._memory and discrete is not None:
            self._memory["prev_action"].store(agents, discrete)
        return ActionTuple(continuous, discrete)

    @property
    def remembers(self) -> bool:
        """Whether what an agent does depends on more than what it observes now."""
        return bool(self._memory)

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Start these agents' next episodes without memory."""
        agents = list(agent_ids) if self._memory else []
        for table in self._memory.values():
            table.forget(agents)

    def _open(self, proto: ModelProto) -> tuple[NoiseSource, InferenceSession]:
        path, epsilon = self.signature.path, self.signature.inputs.get(EPSILON)
        noise = []
        if epsilon is not None:
            noise.append(NoiseInput(epsilon.name, self._action_spec.continuous_size, normal))
        try:
            keep_outputs(proto, self._outputs)
            noise += noise_as_inputs(proto, self._action_spec.continuous_size)
            return NoiseSource(noise), open_session(proto.SerializeToString())
        except Exception as error:  # those of ONNX Runtime have no narrower base
            raise ModelError(f"{path}: the model cannot be run: {error}") from error

    def _run_one_by_one(self, steps: DecisionSteps, noise: _Arrays) -> _Arrays:
        """Return the outputs by name, [agents, ...]."""
        rows = [slice(row, row + 1) for row in range(len(steps))]
        parts = [self._run(_part(steps, row), {name: values[row] for name, values in noise.items()}) for row in rows]
        return {name: np.concatenate([part[name].reshape(1, -1) for part in parts]) for name in self._outputs}

    def _run(self, steps: DecisionSteps, feeds: _Arrays, options: RunOptions | None = None) -> _Arrays:
        """Return the outputs by name, [agents, ...], of agents that the model takes together.

        Args:
          steps: the agents.
          feeds: the noise; all other inputs are added.
          options: of the runtime.

        Raises:
          ModelError: the model cannot be run.
        """
        for name, feed in self._feeds.items():
            feeds[name] = feed(steps)
        try:
            found = self._session.run(self._outputs, feeds, options)
        except Exception as error:  # those of ONNX Runtime have no narrower base
            text = str(error).splitlines()[0]
            raise ModelError(
                f"{self.signature.path}: the model cannot be run for {len(steps)} agents: {text}"
            ) from error
        return dict(zip(self._outputs, found, strict=True))

    def _try(self, steps: DecisionSteps) -> None:
        """Run the model for some agents, and check what comes out.

        Raises:
          ModelError: it cannot be run, or its outputs are not what it promises.
        """
        found, rows = self._run(steps, self._noise.draw(len(steps), None), _SILENT), len(steps)
        for name, values in found.items():
            width = self._width(name)
            if values.size != rows * width or (values.shape[:1] != (rows,) and name != self._recurrent):
                raise ModelError(
                    f"{self.signature.path}: the output {name} has shape {list(values.shape)} for {rows} agents;"
                    f" expected {width} numbers for each"
                )

    def _runs_for(self, steps: DecisionSteps) -> bool:
        try:
            self._try(steps)
        except ModelError:
            return False
        return True

    def _width(self, output: str) -> int:
        """Return how many numbers an output has for each agent."""
        if output == self._recurrent:
            return self.signature.memory_size
        if output == self._continuous:
            return self._action_spec.continuous_size
        branches = self._action_spec.discrete_branches
        return sum(branches) if self.signature.version == 2 else len(branches)

    def _discrete_output(self) -> str | None:
        """Return the file's name of the output with indices, or, in version 2, with all log-probabilities.

        Models of version 2 have those in `action`, unless they have continuous actions too.
        """
        names = ["discrete_actions", "action"]
        if self.signature.version == 2 and not self._action_spec.continuous_size:
            names.reverse()
        return self._output(self._action_spec.discrete_size, *names)

    def _output(self, size: int, *names: str) -> str | None:
        """Return the file's name of the first output that is there, None if there is nothing to put out."""
        if size == 0:
            return None
        for candidate in names:
            if candidate in self.signature.outputs:
                return self.signature.outputs[candidate].name
        raise ModelError(
            f"{self.signature.path}: the model has no output {' or '.join(names)}; it has"
            f" {', '.join(self.signature.outputs)}"
        )


def _agents(spec: BehaviorSpec, n: int) -> DecisionSteps:
    """Return agents that see zeros, on whom a model is tried."""
    observations = [np.zeros((n, *sensor.shape), np.float32) for sensor in spec.observation_specs]
    return DecisionSteps(observations, np.zeros(n, np.float32), np.arange(n, dtype=np.int32), None)


def _part(steps: DecisionSteps, rows: slice) -> DecisionSteps:
    masks = None if steps.action_mask is None else [mask[rows] for mask in steps.action_mask]
    return DecisionSteps([column[rows] for column in steps.obs], steps.reward[rows], steps.agent_id[rows], masks)


def load_proto(path: Path) -> ModelProto:
    """Return what an .onnx file holds, weights that are in other files included.

    Raises:
      ModelError: the file, or one of those, is missing or broken.
    """
    try:
        model = ModelProto.FromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; expected an .onnx model") from error
    except DecodeError as error:
        raise ModelError(f"{path}: this is not an ONNX model, or the file is damaged") from error
    if not model.graph.node:
        raise ModelError(f"{path}: this is not an ONNX model: it holds no operations")
    try:
        load_external_data_for_model(model, str(path.parent))
    except (OSError, ValueError, RuntimeError, ValidationError) as error:
        raise ModelError(
            f"{path}: the model keeps its weights in another file, which cannot be read: {error}; copy it beside the"
            " model, or save the model with its weights inside"
        ) from error
    return model
