"""Model files of all generations, small enough to know their answers, and agents to show them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)


def behavior_spec(shapes: Iterable[tuple[int, ...]], continuous=0, branches=()) -> BehaviorSpec:
    sensors = [
        ObservationSpec(shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, f"sensor {i}")
        for i, shape in enumerate(shapes)
    ]
    return BehaviorSpec(sensors, ActionSpec(continuous, tuple(branches)))


def decision_steps(observations, masks=None, agents=None) -> DecisionSteps:
    observations = [np.asarray(x, np.float32) for x in observations]
    n = len(observations[0])
    ids = np.arange(n) if agents is None else np.asarray(agents)
    masks = None if masks is None else [np.asarray(mask, bool) for mask in masks]
    zeros = np.zeros(n, np.float32)
    return DecisionSteps(observations, zeros, ids.astype(np.int32), masks, np.zeros(n, np.int32), zeros)


def write_model(path, nodes, inputs, outputs, constants, *, as_outputs=True) -> str:
    """An ONNX file.

    Args:
      nodes: (operator, input names, output name, attributes).
      inputs: name -> shape, of float32; shape and dtype together for others.
      outputs: name -> shape, as inputs.
      constants: name -> array. Those named like facts about the model become outputs by Identity, as in files that
        come from PyTorch, unless `as_outputs` is False, as in files that come from TensorFlow.
    """
    made = [helper.make_node(kind, names, [output], **attributes) for kind, names, output, attributes in nodes]
    tensors, facts = [], []
    for name, value in constants.items():
        is_fact = name.endswith(("_number", "_size", "_control", "_shape"))
        stored = f"{name}.1" if is_fact and as_outputs else name
        tensors.append(numpy_helper.from_array(np.asarray(value), stored))
        if is_fact and as_outputs:
            made.append(helper.make_node("Identity", [stored], [name]))
            facts.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    ports = [[_port(name, shape) for name, shape in group.items()] for group in (inputs, outputs)]
    graph = helper.make_graph(made, "test", ports[0], ports[1] + facts, tensors)
    model = helper.make_model(graph, ir_version=4, opset_imports=[helper.make_opsetid("", 9)])
    onnx.save(model, path)
    return str(path)


def _port(name, shape):
    shape, dtype = shape if isinstance(shape[0], tuple) else (shape, TensorProto.FLOAT)
    return helper.make_tensor_value_info(name, dtype, shape)


def facts(**values) -> dict[str, np.ndarray]:
    """Constants as float32 arrays."""
    return {name: np.atleast_1d(np.asarray(value, np.float32)) for name, value in values.items()}


@pytest.fixture
def make_spec() -> Callable[..., BehaviorSpec]:
    return behavior_spec


@pytest.fixture
def make_steps() -> Callable[..., DecisionSteps]:
    return decision_steps


@pytest.fixture
def make_model(tmp_path) -> Callable[..., str]:
    return lambda *args, name="model.onnx", **options: write_model(tmp_path / name, *args, **options)


@pytest.fixture
def make_facts() -> Callable[..., dict[str, np.ndarray]]:
    return facts


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)
