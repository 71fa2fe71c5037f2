"""A policy as a graph with the tensor names, order and shapes of the model API, version 3 or 2.

Version 3 is what Unity's package 2.x and later read: one input `obs_<i>` per sensor, sampled and deterministic actions
side by side. Version 2 is for package 1.x: all vectors side by side in `vector_observation`, images in
`visual_observation_<k>`, and log-probabilities instead of discrete actions. Both carry constants that describe the
model, and a memory in `recurrent_in` and `recurrent_out`, first the hidden, then the cell state.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from mlagents.export.onnx.body_graph import MEMORY, MEMORY_AFTER, Observed, add_body
from mlagents.export.onnx.graph import ArgMax, Concat, Graph, Identity, Noise, Sample, Softmax
from mlagents.export.onnx.net import Net
from mlagents.export.parity.report import ExportError
from mlagents.nn import distributions, layers, normalizer
from mlagents.nn.observations import ObservationLayout, layout_of
from mlagents.nn.policy import ActionHead, Policy
from mlagents_envs.base_env import BehaviorSpec

_LEAST_PROBABILITY = 1e-37
"""What a masked action keeps in version 2: its logarithm is finite, and it is not drawn."""


def policy_graph(policy: Policy, spec: BehaviorSpec, api_version: Literal[2, 3] = 3) -> Graph:
    """Return what the policy computes, with its present weights; a critic's body is left out.

    Raises:
      ExportError: the policy has other sizes than the behavior.
    """
    _check_sizes(policy, spec)
    net = Net()
    observed = (_observed_3 if api_version == 3 else _observed_2)(net, policy, spec)
    if spec.action_spec.discrete_branches:
        net.input("action_masks", sum(spec.action_spec.discrete_branches))
    if policy.body.lstm is not None:
        net.input(MEMORY, 1, policy.body.memory_size)
    hidden = add_body(net, policy.body, observed)
    (_outputs_3 if api_version == 3 else _outputs_2)(net, policy, hidden)
    if policy.body.lstm is not None:
        net.output(MEMORY_AFTER, 1, policy.body.memory_size)
    return net.graph()


def log_probs_of(branch: int) -> str:
    """Return the name of a branch's log-probabilities inside the model."""
    return f"branch.{branch}.log_probs"


def _check_sizes(policy: Policy, spec: BehaviorSpec) -> None:
    head, action = policy.head, spec.action_spec
    branches = tuple(layer.bias.size for layer in head.logits)
    found = *_kinds(policy.body.layout), head.mean.bias.size, branches
    expected = *_kinds(layout_of(spec.observation_specs)), action.continuous_size, tuple(action.discrete_branches)
    if found != expected:
        raise ExportError(
            "the policy does not fit the behavior: (widths of vectors, images, sensors of variable length, continuous"
            f" actions, discrete branches) are {found} in the policy and {expected} in the behavior"
        )


def _kinds(layout: ObservationLayout) -> tuple[tuple[int, ...], int, int]:
    return layout.widths, len(layout.images), len(layout.entities)


def _observed_3(net: Net, policy: Policy, spec: BehaviorSpec) -> Observed:
    layout, shapes = policy.body.layout, [sensor.shape for sensor in spec.observation_specs]
    names = [net.input(f"obs_{i}", *shape) for i, shape in enumerate(shapes)]
    vector = net.concat("observations", [names[i] for i in layout.vectors]) if layout.vectors else None
    entities = [(names[i], shapes[i][0]) for i in layout.entities]
    return Observed(_normalized(net, policy, vector), [names[i] for i in layout.images], entities)


def _observed_2(net: Net, policy: Policy, spec: BehaviorSpec) -> Observed:
    layout, shapes = policy.body.layout, [sensor.shape for sensor in spec.observation_specs]
    vector = net.input("vector_observation", layout.width) if layout.vectors else None
    images = [net.input(f"visual_observation_{k}", *shapes[i]) for k, i in enumerate(layout.images)]
    entities = [(net.input(f"obs_{i}", *shapes[i]), shapes[i][0]) for i in layout.entities]
    return Observed(_normalized(net, policy, vector), images, entities)


def _normalized(net: Net, policy: Policy, x: str | None) -> str | None:
    if policy.normalizer is None or x is None:
        return x
    mean = net.constant("normalizer.mean", policy.normalizer.mean)
    scale = net.constant("normalizer.scale", policy.normalizer.scale())
    scaled = net.arithmetic("scaled", "Div", net.arithmetic("centered", "Sub", x, mean), scale)
    return net.clip("normalized", scaled, -normalizer.CLIP, normalizer.CLIP)


def _outputs_3(net: Net, policy: Policy, hidden: str) -> None:
    head = policy.head
    size, branches = head.mean.bias.size, [layer.bias.size for layer in head.logits]
    net.fact("version_number", [3])
    net.fact("memory_size", [policy.body.memory_size])
    if size:
        mean = _mean(net, head, hidden)
        _bounded(net, head, "continuous_actions", _sampled(net, head, mean, hidden))
        _bounded(net, head, "deterministic_continuous_actions", mean)
        net.output("continuous_actions", size)
        net.fact("continuous_action_output_shape", [size])
        net.output("deterministic_continuous_actions", size)
    if branches:
        logits = _masked_logits(net, head.logits, hidden)
        _chosen(net, logits, branches)
        net.output("discrete_actions", len(branches), dtype="int64")
        net.fact("discrete_action_output_shape", [branches])
        net.output("deterministic_discrete_actions", len(branches), dtype="int64")


def _outputs_2(net: Net, policy: Policy, hidden: str) -> None:
    """Add outputs; a model with actions of both kinds has no `action` and none of its facts."""
    head = policy.head
    size, branches = head.mean.bias.size, [layer.bias.size for layer in head.logits]
    is_hybrid = bool(size and branches)
    actions = {}
    if size:
        sample = _sampled(net, head, _mean(net, head, hidden), hidden)
        actions[_bounded(net, head, "continuous_actions", sample)] = size
    if branches:
        actions[_log_probs(net, _masked_logits(net, head.logits, hidden), branches)] = sum(branches)
    if not is_hybrid:
        for name, width in actions.items():
            net.add(Identity("action", name))
            net.output("action", width)
    for name, width in actions.items():
        net.output(name, width)
    net.fact("version_number", [2])
    net.fact("memory_size", [policy.body.memory_size])
    if not is_hybrid:
        net.fact("is_continuous_control", [int(size > 0)])
        net.fact("action_output_shape", [size or sum(branches)])
    if size:
        net.fact("continuous_action_output_shape", [size])
    if branches:
        net.fact("discrete_action_output_shape", [branches])


def _mean(net: Net, head: ActionHead, hidden: str) -> str:
    return net.dense("head.mean", hidden, head.mean.weight, head.mean.bias)


def _sampled(net: Net, head: ActionHead, mean: str, hidden: str) -> str:
    noise = net.add(Noise("noise", mean))
    deviation = net.arithmetic("deviation", "Mul", noise, _std(net, head.log_std, hidden))
    return net.arithmetic("sample", "Add", mean, deviation)


def _std(net: Net, log_std: ArrayLike | layers.Dense, hidden: str) -> str:
    if not isinstance(log_std, layers.Dense):
        return net.constant("std", np.exp(log_std))
    x = net.dense("head.log_std", hidden, log_std.weight, log_std.bias)
    return net.function("std", "Exp", net.clip("log_std", x, *distributions.LOG_STD_RANGE))


def _bounded(net: Net, head: ActionHead, name: str, x: str) -> str:
    """Clip or squash, so that whoever reads the action applies it as it is."""
    if head.squashed:
        squashed = net.function(f"{name}.squashed", "Tanh", x)
        return net.clip(name, squashed, -1.0, 1.0)  # runtimes' tanh may be 1e-7 beyond 1
    limit = distributions.CLIP
    clipped = net.clip(f"{name}.clipped", x, -limit, limit)
    return net.arithmetic(name, "Div", clipped, net.constant("clip", [limit]))


def _chosen(net: Net, logits: str, branches: list[int]) -> None:
    """Add a sample and the most likely action of every branch."""
    samples, best, start = [], [], 0
    for branch, size in enumerate(branches):
        x = net.columns(f"branch.{branch}.logits", logits, start, start + size)
        probs = net.add(Softmax(f"branch.{branch}.probs", x, 1))
        log_probs = net.function(log_probs_of(branch), "Log", probs)
        samples.append(net.add(Sample(f"branch.{branch}.sample", log_probs)))
        best.append(net.add(ArgMax(f"branch.{branch}.best", x)))
        start += size
    net.add(Concat("discrete_actions", tuple(samples)))
    net.add(Concat("deterministic_discrete_actions", tuple(best)))


def _log_probs(net: Net, logits: str, branches: list[int]) -> str:
    """Return the log-probabilities of all branches side by side."""
    parts, start = [], 0
    least = net.constant("least_probability", [_LEAST_PROBABILITY])
    for branch, size in enumerate(branches):
        x = net.columns(f"branch.{branch}.logits", logits, start, start + size)
        probs = net.add(Softmax(f"branch.{branch}.probs", x, 1))
        positive = net.arithmetic(f"branch.{branch}.positive", "Add", probs, least)
        parts.append(net.function(log_probs_of(branch), "Log", positive))
        start += size
    return net.add(Concat("discrete_actions", tuple(parts)))


def _masked_logits(net: Net, branches: tuple[layers.Dense, ...], hidden: str) -> str:
    """Return logits of all branches, with -1e8 where action_masks is 0: l m - 1e8 (1 - m), exact for m in {0, 1}."""
    weight = np.concatenate([layer.weight for layer in branches])
    bias = np.concatenate([layer.bias for layer in branches])
    logits = net.dense("head.logits", hidden, weight, bias)
    kept = net.arithmetic("logits.kept", "Mul", logits, "action_masks")
    forbidden = net.arithmetic("forbidden", "Sub", net.constant("one", [1]), "action_masks")
    penalty = net.constant("forbidden.penalty", [-distributions.FORBIDDEN])
    penalties = net.arithmetic("penalties", "Mul", forbidden, penalty)
    return net.arithmetic("logits.masked", "Sub", kept, penalties)
