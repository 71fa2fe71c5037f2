"""What an ML-Agents model file says about itself: version, sizes, inputs and outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, ValueInfoProto, helper, numpy_helper

from mlagents.inference.errors import ModelError, ModelMismatch
from mlagents_envs.base_env import ActionSpec

VERSIONS = (2, 3)


@dataclass(frozen=True)
class Tensor:
    """An input or output.

    Attributes:
      name: as the file spells it.
      shape: None where the file leaves a size open.
      dtype: of its elements.
    """

    name: str
    shape: tuple[int | None, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Signature:
    """A model seen from outside; names are without the port suffix `:0` of models that come from TensorFlow.

    Attributes:
      path: of the file, for messages.
      version: of the model API, 2 (Unity package 1.x and before) or 3.
      memory_size: numbers that a recurrent model keeps per agent; 0 without memory.
      continuous_size: number of continuous actions.
      discrete_branches: size of each branch; models of version 2 may have one number here, the sum.
      inputs: by name.
      outputs: by name.
      channels_last: images are [height, width, channels]; otherwise their declared shape decides.
    """

    path: Path
    version: int
    memory_size: int
    continuous_size: int
    discrete_branches: tuple[int, ...]
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    channels_last: bool = False

    def takes_several(self) -> bool:
        """Return whether several agents may come at once; False if all inputs are for exactly one.

        Raises:
          ModelError: an input is for another fixed number of agents.
        """
        sizes = {
            name: tensor.shape[0]
            for name, tensor in self.inputs.items()
            if tensor.shape and name not in ("sequence_length", "batch_size")
        }
        for name, size in sizes.items():
            if size not in (None, 1):
                raise ModelError(
                    f"{self.path}: input {name} is for exactly {size} agents at once; export the model with a free"
                    " first axis, or for one agent"
                )
        return 1 not in sizes.values()

    def check_actions(self, spec: ActionSpec) -> None:
        """Check the actions against a behavior's.

        Raises:
          ModelMismatch: another number of continuous actions, or other branches.
        """
        if self.continuous_size != spec.continuous_size:
            raise ModelMismatch(
                f"{self.path}: the model has {self.continuous_size} continuous actions, the behavior"
                f" has {spec.continuous_size}"
            )
        branches = tuple(spec.discrete_branches)
        only_sum = self.version == 2 and len(self.discrete_branches) == 1
        if self.discrete_branches != ((sum(branches),) if only_sum and branches else branches):
            raise ModelMismatch(
                f"{self.path}: the model has discrete branches {self.discrete_branches}, the behavior has {branches}"
            )


def read_signature(path: Path, model: ModelProto) -> Signature:
    """Return what the model says about itself.

    Raises:
      ModelError: it is not an agent's model, or of a version that is not read.
    """
    graph = model.graph
    version = _constant(graph, "version_number")
    if version is None:
        raise ModelError(
            f"{path}: this ONNX file is not an agent's model: it has no constant 'version_number'. Expected a"
            " model exported by mlagents-learn"
        )
    if int(version[0]) not in VERSIONS:
        raise ModelError(f"{path}: the model is of API version {version[0]:g}; versions 2 and 3 can be read")
    initializers = {initializer.name for initializer in graph.initializer}
    memory = _constant(graph, "memory_size")
    continuous, branches = _actions(graph)
    return Signature(
        path=path,
        version=int(version[0]),
        memory_size=0 if memory is None else int(memory[0]),
        continuous_size=continuous,
        discrete_branches=branches,
        inputs=_tensors([port for port in graph.input if port.name not in initializers]),
        outputs=_tensors(graph.output),
    )


def _actions(graph: GraphProto) -> tuple[int, tuple[int, ...]]:
    """Return (continuous size, branch sizes or their sum)."""
    continuous = _constant(graph, "continuous_action_output_shape")
    discrete = _constant(graph, "discrete_action_output_shape")
    if continuous is None and discrete is None:
        shape = _constant(graph, "action_output_shape")
        is_continuous = _constant(graph, "is_continuous_control")
        if shape is None or is_continuous is None:
            return 0, ()
        return (int(shape[0]), ()) if is_continuous[0] else (0, (int(shape[0]),))
    branches = () if discrete is None else tuple(int(size) for size in discrete)
    return 0 if continuous is None else int(continuous[0]), branches


def _constant(graph: GraphProto, name: str) -> NDArray[Any] | None:
    """Return a constant, flat, or None: an initialiser, or what Identity nodes pass on from one."""
    values = {item.name.removesuffix(":0"): item for item in graph.initializer}
    for node in reversed(graph.node):
        if name in node.output and node.op_type == "Identity":
            name = node.input[0]
        elif name in node.output and node.op_type == "Constant":
            values = {name: node.attribute[0].t}
    return numpy_helper.to_array(values[name]).reshape(-1) if name in values else None


def _tensors(ports: Iterable[ValueInfoProto]) -> dict[str, Tensor]:
    return {port.name.removesuffix(":0"): _tensor(port) for port in ports}


def _tensor(port: ValueInfoProto) -> Tensor:
    kind = port.type.tensor_type
    shape = tuple(d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in kind.shape.dim)
    return Tensor(port.name, shape, np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)))
