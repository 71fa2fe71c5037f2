"""The body of a policy as operations: from observations to what the heads read."""

from __future__ import annotations

from dataclasses import dataclass

from mlagents.export.onnx.attention_graph import add_entity_attention
from mlagents.export.onnx.graph import Lstm, MatMul
from mlagents.export.onnx.image_graph import add_image_encoder
from mlagents.export.onnx.net import Net
from mlagents.nn.body import Body
from mlagents.nn.hypernetwork import HyperDense

MEMORY, MEMORY_AFTER = "recurrent_in", "recurrent_out"


@dataclass(frozen=True)
class Observed:
    """Names of what the body gets.

    Attributes:
      vector: all vector observations side by side, normalised if the policy normalises; None without any.
      images: one [batch, channels, height, width] per image sensor.
      entities: per sensor of variable length its name, [batch, n, features], and n.
    """

    vector: str | None
    images: list[str]
    entities: list[tuple[str, int]]


def add_body(net: Net, body: Body, observed: Observed) -> str:
    """Add a body; return the name of its activations. A memory is the tensors `MEMORY` and `MEMORY_AFTER`."""
    images = [
        add_image_encoder(net, f"body.encoders.{i}", x, encoder)
        for i, (encoder, x) in enumerate(zip(body.encoders, observed.images, strict=True))
    ]
    parts = [*([] if observed.vector is None else [observed.vector]), *images]
    attended: list[str] = []
    if body.attention is not None:
        x_self = net.concat("body.attention.input", parts) if parts else None
        attended = [add_entity_attention(net, "body.attention", body.attention, x_self, observed.entities)]
        parts += attended
    x = net.hidden_layers("body.dense", net.concat("body.input", parts), body.dense)
    if body.hyper is not None:
        goals = _goals(net, body, observed.vector, images, attended)
        x = net.swish("body.hyper.swish", _hyper_dense(net, "body.hyper", body.hyper, x, goals))
    return x if body.lstm is None else _remembered(net, body, x)


def _goals(net: Net, body: Body, vector: str | None, images: list[str], attended: list[str]) -> str:
    parts = []
    if vector is not None:
        for i, (start, stop) in enumerate(body.layout.goal_columns):
            parts.append(net.columns(f"body.goal.{i}", vector, start, stop))
    parts += [images[i] for i in body.layout.goal_images]
    if body.layout.goal_entities:
        parts += attended
    return net.concat("body.goal", parts)


def _hyper_dense(net: Net, name: str, hyper: HyperDense, x: str, goal: str) -> str:
    """Return x W(goal) + b: each row has weights of its own."""
    z = net.layer_norm(f"{name}.norm", net.hidden_layers(f"{name}.body", goal, hyper.body), axis=1)
    outputs = hyper.bias.size
    inputs = hyper.weights.bias.size // outputs
    weights = net.dense(f"{name}.weights", z, hyper.weights.weight, hyper.weights.bias)
    matrix = net.reshape(f"{name}.matrix", weights, inputs, outputs)
    product = net.add(MatMul(f"{name}.product", net.reshape(f"{name}.row", x, 1, inputs), matrix))
    flat = net.reshape(f"{name}.flat", product, outputs)
    return net.arithmetic(name, "Add", flat, net.constant(f"{name}.bias", hyper.bias))


def _remembered(net: Net, body: Body, x: str) -> str:
    lstm = body.lstm
    assert lstm is not None
    weights = {"input_weight": lstm.input_weight, "hidden_weight": lstm.hidden_weight, "bias": lstm.bias}
    names = {key: net.constant(f"body.lstm.{key}", value) for key, value in weights.items()}
    return net.add(Lstm("body.lstm", x, MEMORY, MEMORY_AFTER, **names))
