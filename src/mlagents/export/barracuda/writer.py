"""A policy as a Barracuda model, `.nn`: what Unity's packages of 2020 read (model API version 2).

Only types of layers that the trainers of 2020 wrote are used, but for the pooling of one image encoder.
"""

from __future__ import annotations

import numpy as np

from mlagents.barracuda import Activation, BarracudaFile, LayerType
from mlagents.export.barracuda.images import add_image_encoder
from mlagents.export.barracuda.net import BarracudaNet
from mlagents.export.parity.report import ExportError
from mlagents.nn import distributions, normalizer
from mlagents.nn.layers import Dense
from mlagents.nn.memory import Lstm
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.policy import ActionHead, Policy
from mlagents_envs.base_env import BehaviorSpec

API_VERSION = 2
ACTION = "action"

_LEAST_PROBABILITY = 1e-37
"""What a masked action keeps: its logarithm is finite, and it is not drawn."""


def barracuda_model(policy: Policy, spec: BehaviorSpec) -> BarracudaFile:
    """Return what the policy computes, with its present weights.

    Raises:
      ExportError: the format cannot express it: actions of both kinds, entities, goal conditioning by a
        hypernetwork; or the policy has other sizes than the behavior.
    """
    _check(policy, spec)
    action = spec.action_spec
    net = BarracudaNet()
    net.constant("action_output_shape", [action.continuous_size or sum(action.discrete_branches)])
    net.constant("memory_size", [policy.body.memory_size])
    net.constant("version_number", [API_VERSION])
    net.constant("is_continuous_control", [action.continuous_size > 0])
    hidden = _hidden(net, policy, spec)
    if action.continuous_size:
        result = _continuous(net, policy.head, hidden)
    else:
        result = _discrete(net, policy.head.logits, hidden)
    net.activation(Activation.LINEAR, ACTION, result)
    return net.file()


def _check(policy: Policy, spec: BehaviorSpec) -> None:
    action = spec.action_spec
    if action.continuous_size and action.discrete_branches:
        raise ExportError(
            f"a .nn model has either continuous or discrete actions; the behavior has {action.continuous_size}"
            f" continuous ones and branches {tuple(action.discrete_branches)}. Export an .onnx model"
        )
    if policy.body.attention is not None:
        raise ExportError("a .nn model cannot observe entities of variable number; export an .onnx model")
    if policy.body.hyper is not None:
        raise ExportError(
            "a .nn model cannot have goal conditioning by a hypernetwork; export an .onnx model, or set"
            " network_settings.goal_conditioning_type to none"
        )
    layout = policy.body.layout
    if not layout.width and not layout.images:
        raise ExportError("a .nn model needs an observation; all of the behavior have size 0. Export an .onnx model")
    vectors = [sensor.shape[0] for sensor in spec.observation_specs if len(sensor.shape) == 1]
    images = sum(len(sensor.shape) == 3 for sensor in spec.observation_specs)
    found = layout.width, len(layout.images), _sizes(policy.head)
    expected = sum(vectors), images, (action.continuous_size, tuple(action.discrete_branches))
    if found != expected:
        raise ExportError(
            "the policy does not fit the behavior: (width of vectors, images, (continuous actions, discrete"
            f" branches)) are {found} in the policy and {expected} in the behavior"
        )


def _sizes(head: ActionHead) -> tuple[int, tuple[int, ...]]:
    return head.mean.bias.size, tuple(layer.bias.size for layer in head.logits)


def _hidden(net: BarracudaNet, policy: Policy, spec: BehaviorSpec) -> str:
    """Add everything up to what the heads read."""
    body, parts = policy.body, []
    if body.layout.width:
        x = net.input("vector_observation", body.layout.width)
        parts.append(x if policy.normalizer is None else _normalized(net, x, policy.normalizer))
    for k, (encoder, index) in enumerate(zip(body.encoders, body.layout.images, strict=True)):
        channels, height, width = shape = spec.observation_specs[index].shape
        image = net.input(f"visual_observation_{k}", height, width, channels)
        parts.append(add_image_encoder(net, f"encoder_{k}", image, encoder, shape))
    x = net.concat("observations", parts)
    for i, layer in enumerate(body.dense.layers):
        x = net.dense(f"hidden_{i}", x, layer.weight, layer.bias)
        x = net.activation(Activation.SWISH, f"hidden_{i}/swish", x)
    return x if body.lstm is None else _remembered(net, body.lstm, x)


def _normalized(net: BarracudaNet, x: str, statistics: Normalizer) -> str:
    """Return (x - mean) / sqrt(variance sum / (steps + 1)), clipped.

    The format's readers know `normalization_steps` without the prior observation that our count includes.
    """
    mean = net.constant("running_mean", statistics.mean)
    total = net.constant("running_variance", statistics.m2)
    steps = net.constant("normalization_steps", [np.asarray(statistics.count) - 1])
    centered = net.apply(LayerType.SUB, "centered", x, mean)
    count = net.apply(LayerType.ADD, "count", steps, net.constant("one", [1]))
    variance = net.apply(LayerType.DIV, "variance", total, count)
    deviation = net.activation(Activation.SQRT, "deviation", variance)
    scaled = net.apply(LayerType.DIV, "scaled", centered, deviation)
    return net.clip("normalized_state", scaled, -normalizer.CLIP, normalizer.CLIP)


def _remembered(net: BarracudaNet, lstm: Lstm, x: str) -> str:
    """Add the memory from layers that the format has: one dense layer per gate over [x, h]; see `nn.memory`."""
    cells = lstm.memory_size // 2
    net.memory("recurrent_out_c", "recurrent_in_c", cells)
    net.memory("recurrent_out_h", "recurrent_in_h", cells)
    seen = net.concat("lstm/input", [x, "recurrent_in_h"])
    weights = np.split(np.concatenate([lstm.input_weight, lstm.hidden_weight], axis=1), 4)
    gates = []
    for gate, weight, bias in zip("iofg", weights, np.split(np.asarray(lstm.bias), 4), strict=True):
        function = Activation.TANH if gate == "g" else Activation.SIGMOID
        gates.append(net.activation(function, f"lstm/{gate}", net.dense(f"lstm/{gate}/dense", seen, weight, bias)))
    i, o, f, g = gates
    kept = net.apply(LayerType.MUL, "lstm/kept", "recurrent_in_c", f)
    new = net.apply(LayerType.MUL, "lstm/new", i, g)
    cell = net.apply(LayerType.ADD, "recurrent_out_c", kept, new)
    return net.apply(LayerType.MUL, "recurrent_out_h", o, net.activation(Activation.TANH, "lstm/tanh", cell))


def _continuous(net: BarracudaNet, head: ActionHead, hidden: str) -> str:
    """Sample, and clip or squash; the noise is drawn inside."""
    mean = net.dense("mu", hidden, head.mean.weight, head.mean.bias)
    if isinstance(head.log_std, Dense):
        log_std = net.dense("log_std/dense", hidden, head.log_std.weight, head.log_std.bias)
        log_std = net.clip("log_std", log_std, *distributions.LOG_STD_RANGE)
    else:
        log_std = net.constant("log_std", head.log_std)
    noise = net.apply(LayerType.RANDOM_NORMAL, "noise", mean)
    scaled = net.apply(LayerType.MUL, "scaled_noise", noise, net.activation(Activation.EXP, "sigma", log_std))
    sample = net.apply(LayerType.ADD, "sample", mean, scaled)
    if head.squashed:
        return net.activation(Activation.TANH, "squashed", sample)
    clipped = net.clip("clipped", sample, -distributions.CLIP, distributions.CLIP)
    return net.apply(LayerType.DIV, "bounded", clipped, net.constant("clip", [distributions.CLIP]))


def _discrete(net: BarracudaNet, branches: tuple[Dense, ...], hidden: str) -> str:
    """Return the log-probabilities of all branches: log softmax(l m - 1e8 (1 - m)) for a mask m.

    Masking before the softmax is exact. The trainers of 2020 masked after it, with 1e-7 added to every probability:
    that is off where the allowed actions are unlikely, and leaves 1e-7 to masked ones.
    """
    net.input("action_masks", sum(layer.bias.size for layer in branches))
    one = net.constant("one", [1])
    forbidden = net.apply(LayerType.SUB, "forbidden", "action_masks", one)
    penalty = net.apply(LayerType.MUL, "penalty", forbidden, net.constant("penalties", [-distributions.FORBIDDEN]))
    least = net.constant("least_probability", [_LEAST_PROBABILITY])
    log_probs, start = [], 0
    for k, layer in enumerate(branches):
        name, stop = f"branch_{k}", start + layer.bias.size
        logits = net.dense(f"{name}/logits", hidden, layer.weight, layer.bias)
        kept = net.apply(
            LayerType.MUL, f"{name}/kept", logits, net.columns(f"{name}/mask", "action_masks", start, stop)
        )
        masked = net.apply(LayerType.ADD, f"{name}/masked", kept, net.columns(f"{name}/penalty", penalty, start, stop))
        probabilities = net.activation(Activation.SOFTMAX, f"{name}/softmax", masked)
        positive = net.apply(LayerType.ADD, f"{name}/positive", probabilities, least)
        log_probs.append(net.activation(Activation.LOG, f"{name}/log_probs", positive))
        start = stop
    return net.concat("all_log_probs", log_probs)
