"""Attention over entities as operations; see `mlagents.nn.attention` for what they mean."""

from __future__ import annotations

from mlagents.export.onnx.graph import Below, MatMul, Reduce, Softmax, Transpose
from mlagents.export.onnx.net import Net
from mlagents.nn import attention as nn
from mlagents.nn.layers import Dense


def add_entity_attention(
    net: Net, name: str, attention: nn.EntityAttention, x_self: str | None, entities: list[tuple[str, int]]
) -> str:
    """Add attention over all entities of all sensors; return the name of the embeddings [batch, embedding].

    Args:
      net: gets the operations.
      name: of the attention, unique.
      attention: with its weights.
      x_self: name of the other observations' encodings, None without any.
      entities: per sensor the name of its observation [batch, n, features], and n.
    """
    itself = None
    if attention.self_embedding is not None and x_self is not None:
        layer = attention.self_embedding
        itself = net.swish(f"{name}.self.swish", net.dense(f"{name}.self", x_self, layer.weight, layer.bias))
    embedded, present = [], []
    for i, ((x, _), layer) in enumerate(zip(entities, attention.entity_embeddings, strict=True)):
        embedded.append(_embedded(net, f"{name}.entities.{i}", layer, itself, x))
        present.append(_present(net, f"{name}.entities.{i}", x))
    x = net.concat(f"{name}.embedded", embedded)
    number = sum(n for _, n in entities)
    return _pooled(net, name, attention.attention, x, net.concat(f"{name}.present", present), number)


def _embedded(net: Net, name: str, layer: Dense, itself: str | None, entity: str) -> str:
    """Return swish(layer([itself, entity])); what comes from itself is computed once for all entities."""
    if itself is None:
        return net.swish(f"{name}.swish", net.rowwise_dense(name, entity, layer.weight, layer.bias))
    own = len(layer.weight)
    shared = net.dense(f"{name}.shared", itself, layer.weight[:, :own], layer.bias)
    shared = net.reshape(f"{name}.shared.row", shared, 1, own)
    each = net.rowwise_dense(f"{name}.each", entity, layer.weight[:, own:])
    return net.swish(f"{name}.swish", net.arithmetic(name, "Add", each, shared))


def _present(net: Net, name: str, entity: str) -> str:
    """Return [batch, n], 0 for padding, else 1."""
    squares = net.arithmetic(f"{name}.squares", "Mul", entity, entity)
    norm = net.add(Reduce(f"{name}.norm", "Sum", squares, 2, False))
    absent = net.add(Below(f"{name}.absent", norm, net.constant("padding_norm", [nn.PADDING_NORM])))
    return net.arithmetic(f"{name}.present", "Sub", net.constant("one", [1]), absent)


def _pooled(net: Net, name: str, attention: nn.ResidualSelfAttention, x: str, present: str, number: int) -> str:
    """Return the mean over the entities that are present."""
    embedding = attention.out.bias.size
    x = net.layer_norm(f"{name}.norm", x, axis=2)
    attended = _attended(net, name, attention, x, present, number)
    out = net.rowwise_dense(f"{name}.out", attended, attention.out.weight, attention.out.bias)
    y = net.layer_norm(f"{name}.out.norm", net.arithmetic(f"{name}.residual", "Add", x, out), axis=2)
    counted = net.reshape(f"{name}.counted", present, number, 1)
    total = net.add(Reduce(f"{name}.sum", "Sum", net.arithmetic(f"{name}.kept", "Mul", y, counted), 1, False))
    count = net.add(Reduce(f"{name}.count", "Sum", present, 1, True))
    positive = net.arithmetic(
        f"{name}.count.positive", "Add", count, net.constant("pooling_epsilon", [nn.POOLING_EPSILON])
    )
    return net.reshape(f"{name}.pooled", net.arithmetic(f"{name}.mean", "Div", total, positive), embedding)


def _attended(net: Net, name: str, attention: nn.ResidualSelfAttention, x: str, present: str, number: int) -> str:
    """Return multi-head attention, [batch, n, embedding]: as weights, so that missing entities weigh exactly 0."""
    embedding, heads = attention.out.bias.size, attention.heads
    width = embedding // heads
    layers = {"query": attention.query, "key": attention.key, "value": attention.value}
    axes = {"query": (0, 2, 1, 3), "key": (0, 2, 3, 1), "value": (0, 2, 1, 3)}
    parts = {}
    for part, layer in layers.items():
        rows = net.rowwise_dense(f"{name}.{part}", x, layer.weight, layer.bias)
        by_head = net.reshape(f"{name}.{part}.heads", rows, number, heads, width)
        parts[part] = net.add(Transpose(f"{name}.{part}.turned", by_head, axes[part]))
    products = net.add(MatMul(f"{name}.products", parts["query"], parts["key"]))
    logits = net.arithmetic(f"{name}.logits", "Div", products, net.constant(f"{name}.scale", [width**0.5]))
    seen = net.reshape(f"{name}.seen", present, 1, 1, number)
    kept = net.arithmetic(f"{name}.logits.kept", "Mul", logits, seen)
    hidden = net.arithmetic(f"{name}.hidden", "Sub", net.constant("one", [1]), seen)
    penalty = net.arithmetic(f"{name}.penalty", "Mul", hidden, net.constant("masked_logit", [nn.MASKED_LOGIT]))
    masked = net.arithmetic(f"{name}.logits.masked", "Add", kept, penalty)
    softmax = net.add(Softmax(f"{name}.softmax", masked, 3))
    weights = net.arithmetic(f"{name}.weights", "Mul", softmax, seen)
    values = net.add(MatMul(f"{name}.values", weights, parts["value"]))
    turned = net.add(Transpose(f"{name}.values.turned", values, (0, 2, 1, 3)))
    return net.reshape(f"{name}.attended", turned, number, embedding)
