"""Trained models that choose actions."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

import numpy as np
from google.protobuf.message import DecodeError
from onnx import ModelProto
from onnxruntime import InferenceSession

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

    Args:
      path: the file.
      behavior_spec: what the model is to play.

    Raises:
      ModelError: the file is missing, broken, or not an agent's model.
      ModelMismatch: the model is for other observations or actions; the message says which, and both shapes.
    """

    def __init__(self, path: str | os.PathLike[str], behavior_spec: BehaviorSpec) -> None:
        proto = _load(Path(path))
        self.signature: Signature = read_signature(Path(path), proto)
        self._action_spec = behavior_spec.action_spec
        self.signature.check_actions(self._action_spec)
        remembered = {
            "recurrent_in": self.signature.memory_size,
            "prev_action": self._action_spec.discrete_size,
        }
        self._memory = {name: AgentMemory(width) for name, width in remembered.items() if name in self.signature.inputs}
        self._feeds = plan_feeds(self.signature, behavior_spec, self._memory)
        self._continuous = self._output("continuous_actions", self._action_spec.continuous_size)
        self._discrete = self._output("discrete_actions", self._action_spec.discrete_size)
        self._recurrent = self._output("recurrent_out", self.signature.memory_size)
        outputs = (self._continuous, self._discrete, self._recurrent)
        self._outputs = [name for name in outputs if name is not None]
        self._noise, self._session = self._open(proto)

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return one row of actions per waiting agent; see `Model.act`."""
        agents = decision_steps.agent_id
        if len(agents) == 0:
            return self._action_spec.empty_action(0)
        noise_rng = None if deterministic else rng
        feeds = self._noise.draw(len(agents), noise_rng)
        for name, feed in self._feeds.items():
            feeds[name] = feed(decision_steps)
        found = dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))
        continuous = None if self._continuous is None else found[self._continuous]
        discrete = None if self._discrete is None else found[self._discrete]
        if discrete is not None and discrete.dtype.kind != "i":  # version 2 puts out log-probabilities
            discrete = choices(discrete, self._action_spec.discrete_branches, decision_steps.action_mask, noise_rng)
        if self._recurrent is not None:
            self._memory["recurrent_in"].store(agents, found[self._recurrent])
        if "prev_action" in self._memory and discrete is not None:
            self._memory["prev_action"].store(agents, discrete)
        return ActionTuple(continuous, discrete)

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
            noise += noise_as_inputs(proto)
            return NoiseSource(noise), open_session(proto.SerializeToString())
        except Exception as error:  # those of ONNX Runtime have no narrower base
            raise ModelError(f"{path}: the model cannot be run: {error}") from error

    def _output(self, name: str, size: int) -> str | None:
        """Return the file's name of an output, None if there is nothing to put out."""
        if size == 0:
            return None
        names = (name,) if name == "recurrent_out" else (name, "action")
        for candidate in names:
            if candidate in self.signature.outputs:
                return self.signature.outputs[candidate].name
        raise ModelError(
            f"{self.signature.path}: the model has no output {' or '.join(names)}; it has"
            f" {', '.join(self.signature.outputs)}"
        )


def _load(path: Path) -> ModelProto:
    try:
        model = ModelProto.FromString(path.read_bytes())
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}; expected an .onnx model") from error
    except DecodeError as error:
        raise ModelError(f"{path}: this is not an ONNX model, or the file is damaged") from error
    if not model.graph.node:
        raise ModelError(f"{path}: this is not an ONNX model: it holds no operations")
    return model
