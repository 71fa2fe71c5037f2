"""A policy as a graph with the tensor names, order and shapes of model API version 3.

That is what Unity's package 2.x reads: one input `obs_<i>` per sensor, sampled and deterministic actions side
by side, and constants that describe the model.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from mlagents.export.errors import ExportError
from mlagents.export.graph import (
    ArgMax,
    Arithmetic,
    Clip,
    Concat,
    Dense,
    FloatArray,
    Function,
    Graph,
    LogSoftmax,
    Noise,
    Operation,
    Port,
    Sample,
    Slice,
    Swish,
)
from mlagents.nn import distributions, layers, normalizer
from mlagents.nn.policy import Policy
from mlagents_envs.base_env import BehaviorSpec

API_VERSION = 3


class _Net:
    """Constants and operations as they gather; methods return the name of what they add."""

    def __init__(self) -> None:
        self.constants: dict[str, FloatArray] = {}
        self.operations: list[Operation] = []

    def constant(self, name: str, value: ArrayLike) -> str:
        self.constants[name] = np.asarray(value, np.float32)
        return name

    def add(self, operation: Operation) -> str:
        self.operations.append(operation)
        return operation.output

    def dense(self, name: str, x: str, weight: ArrayLike, bias: ArrayLike) -> str:
        weight_name = self.constant(f"{name}.weight", weight)
        return self.add(Dense(name, x, weight_name, self.constant(f"{name}.bias", bias)))


def policy_graph(policy: Policy, spec: BehaviorSpec) -> Graph:
    """Return what the policy computes, with its present weights.

    Raises:
      ExportError: the behavior observes something other than vectors, or has other sizes than the policy.
    """
    _check_sizes(policy, spec)
    action = spec.action_spec
    net = _Net()
    inputs = [Port(f"obs_{i}", (None, *sensor.shape)) for i, sensor in enumerate(spec.observation_specs)]
    hidden = _body(net, policy, [port.name for port in inputs])
    net.constant("version_number", [API_VERSION])
    net.constant("memory_size", [0])
    outputs = [Port("version_number", (1,)), Port("memory_size", (1,))]
    if action.continuous_size:
        outputs += _continuous_actions(net, policy, hidden)
    if action.discrete_branches:
        inputs.append(Port("action_masks", (None, sum(action.discrete_branches))))
        outputs += _discrete_actions(net, policy, hidden)
    return Graph(tuple(inputs), net.constants, tuple(net.operations), tuple(outputs))


def _check_sizes(policy: Policy, spec: BehaviorSpec) -> None:
    for index, sensor in enumerate(spec.observation_specs):
        if len(sensor.shape) != 1:
            raise ExportError(
                f"observation {index} ({sensor.name or 'unnamed'}) has shape {sensor.shape}; only policies of"
                " vector observations (one axis) can be exported"
            )
    first = (*policy.body.dense.layers, policy.head.mean)[0]
    found = first.weight.shape[1], policy.head.mean.bias.size, tuple(x.bias.size for x in policy.head.logits)
    width = sum(sensor.shape[0] for sensor in spec.observation_specs)
    expected = width, spec.action_spec.continuous_size, tuple(spec.action_spec.discrete_branches)
    if found != expected:
        raise ExportError(
            "the policy does not fit the behavior: (observation width, continuous actions, discrete branches)"
            f" are {found} in the policy and {expected} in the behavior"
        )


def _body(net: _Net, policy: Policy, observations: list[str]) -> str:
    x = observations[0]
    if len(observations) > 1:
        x = net.add(Concat("observations", tuple(observations)))
    if policy.normalizer is not None:
        mean = net.constant("normalizer.mean", policy.normalizer.mean)
        scale = net.constant("normalizer.scale", policy.normalizer.scale())
        x = net.add(Arithmetic("centered", "Sub", x, mean))
        x = net.add(Arithmetic("scaled", "Div", x, scale))
        x = net.add(Clip("normalized", x, -normalizer.CLIP, normalizer.CLIP))
    for i, layer in enumerate(policy.body.dense.layers):
        x = net.dense(f"body.dense.layers.{i}", x, layer.weight, layer.bias)
        x = net.add(Swish(f"body.dense.layers.{i}.swish", x))
    return x


def _continuous_actions(net: _Net, policy: Policy, hidden: str) -> list[Port]:
    head = policy.head
    mean = net.dense("head.mean", hidden, head.mean.weight, head.mean.bias)
    noise = net.add(Noise("noise", mean))
    deviation = net.add(Arithmetic("deviation", "Mul", noise, _std(net, head.log_std, hidden)))
    sample = net.add(Arithmetic("sample", "Add", mean, deviation))
    for name, x in (("continuous_actions", sample), ("deterministic_continuous_actions", mean)):
        if head.squashed:
            squashed = net.add(Function(f"{name}.squashed", "Tanh", x))
            net.add(Clip(name, squashed, -1.0, 1.0))  # runtimes' tanh may be 1e-7 beyond 1
            continue
        limit = distributions.CLIP
        clipped = net.add(Clip(f"{name}.clipped", x, -limit, limit))
        net.add(Arithmetic(name, "Div", clipped, net.constant("clip", [limit])))
    size = head.mean.bias.size
    net.constant("continuous_action_output_shape", [size])
    return [
        Port("continuous_actions", (None, size)),
        Port("continuous_action_output_shape", (1,)),
        Port("deterministic_continuous_actions", (None, size)),
    ]


def _std(net: _Net, log_std: ArrayLike | layers.Dense, hidden: str) -> str:
    if not isinstance(log_std, layers.Dense):
        return net.constant("std", np.exp(log_std))
    x = net.dense("head.log_std", hidden, log_std.weight, log_std.bias)
    x = net.add(Clip("log_std", x, *distributions.LOG_STD_RANGE))
    return net.add(Function("std", "Exp", x))


def _discrete_actions(net: _Net, policy: Policy, hidden: str) -> list[Port]:
    logits = _masked_logits(net, policy.head.logits, hidden)
    sizes = [layer.bias.size for layer in policy.head.logits]
    samples, best, start = [], [], 0
    for branch, size in enumerate(sizes):
        x = net.add(Slice(f"branch.{branch}.logits", logits, start, start + size))
        log_probs = net.add(LogSoftmax(f"branch.{branch}.log_probs", x))
        samples.append(net.add(Sample(f"branch.{branch}.sample", log_probs)))
        best.append(net.add(ArgMax(f"branch.{branch}.best", x)))
        start += size
    net.add(Concat("discrete_actions", tuple(samples)))
    net.add(Concat("deterministic_discrete_actions", tuple(best)))
    net.constant("discrete_action_output_shape", [sizes])
    return [
        Port("discrete_actions", (None, len(sizes)), "int64"),
        Port("discrete_action_output_shape", (1, len(sizes))),
        Port("deterministic_discrete_actions", (None, len(sizes)), "int64"),
    ]


def _masked_logits(net: _Net, branches: tuple[layers.Dense, ...], hidden: str) -> str:
    """Logits of all branches, with -1e8 where action_masks is 0: l m - 1e8 (1 - m), exact for m in {0, 1}."""
    weight = np.concatenate([layer.weight for layer in branches])
    bias = np.concatenate([layer.bias for layer in branches])
    logits = net.dense("head.logits", hidden, weight, bias)
    kept = net.add(Arithmetic("logits.kept", "Mul", logits, "action_masks"))
    forbidden = net.add(Arithmetic("forbidden", "Sub", net.constant("one", [1]), "action_masks"))
    penalty = net.constant("forbidden.penalty", [-distributions.FORBIDDEN])
    penalties = net.add(Arithmetic("penalties", "Mul", forbidden, penalty))
    return net.add(Arithmetic("logits.masked", "Sub", kept, penalties))
