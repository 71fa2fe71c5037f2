"""Attention over observations of variable length: sets of entities, each one row of features (arXiv:1706.03762).

A missing entity is padding: all its features are 0. Whatever the order of the entities, the result is the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from mlagents.arrays import Array
from mlagents.nn.errors import NetworkError
from mlagents.nn.layers import Dense, layer_norm, scaled_normal_dense

PADDING_NORM = 0.01
"""An entity whose squared features sum to less is padding."""

MASKED_LOGIT = -1e6
POOLING_EPSILON = 1e-7


class ResidualSelfAttention(eqx.Module):
    """Multi-head self-attention with a residual connection, pooled to one row.

    Attributes:
      query, key, value: dense layers, embedding to embedding; each head reads its share of the outputs.
      out: dense layer from the heads' results, side by side, to the embedding.
      heads: number of heads.
    """

    query: Dense
    key: Dense
    value: Dense
    out: Dense
    heads: int = eqx.field(static=True)

    def __call__(
        self, x: Float[Array, "rows entities embedding"], present: Bool[Array, "rows entities"]
    ) -> Float[Array, "rows embedding"]:
        """Return the mean over the entities that are present, 0 where there are none.

        With N layer normalisation: N(N(x) + out(attention(N(x)))), arXiv:1706.03762 sec. 3.1 and eq. 1.

        Args:
          x: float32 [rows, entities, embedding].
          present: bool [rows, entities], False on padding, which nothing attends to.
        """
        x = layer_norm(x)
        y = layer_norm(x + _rowwise(self.out, self._attended(x, present)))
        counted = present.astype(np.float32)
        number = jnp.sum(counted, axis=1, keepdims=True)
        return jnp.sum(y * counted[:, :, None], axis=1) / (number + POOLING_EPSILON)

    def _attended(
        self, x: Float[Array, "rows entities embedding"], present: Bool[Array, "rows entities"]
    ) -> Float[Array, "rows entities embedding"]:
        q, k, v = (
            _rowwise(layer, x).reshape(*x.shape[:2], self.heads, -1) for layer in (self.query, self.key, self.value)
        )
        weights = attention_weights(q, k, present)
        return jnp.einsum("rhqk,rkhd->rqhd", weights, v).reshape(x.shape)


def attention_weights(
    query: Float[Array, "rows queries heads d"],
    key: Float[Array, "rows entities heads d"],
    present: Bool[Array, "rows entities"],
) -> Float[Array, "rows heads queries entities"]:
    """Return softmax(q k^T / sqrt(d)) over the keys that are present; the others' weights are exactly 0."""
    logits = jnp.einsum("rqhd,rkhd->rhqk", query, key) / query.shape[-1] ** 0.5
    weights = jax.nn.softmax(jnp.where(present[:, None, None, :], logits, MASKED_LOGIT), axis=-1)
    return jnp.where(present[:, None, None, :], weights, 0.0)


class EntityAttention(eqx.Module):
    """All entities of all sensors of variable length, seen with everything else, as one vector.

    Attributes:
      self_embedding: dense layer from the other observations' encodings; None without any.
      entity_embeddings: one dense layer per sensor, from [self embedding, entity].
      attention: among the entities of all sensors.
    """

    self_embedding: Dense | None
    entity_embeddings: tuple[Dense, ...]
    attention: ResidualSelfAttention

    def __call__(
        self, x_self: Float[Array, "rows s"], entities: tuple[Float[Array, "rows _ _"], ...]
    ) -> Float[Array, "rows embedding"]:
        """Return one embedding per row.

        Args:
          x_self: float32 [rows, s], encodings of the other observations; s may be 0.
          entities: per sensor float32 [rows, most entities, features]; see `PADDING_NORM`.
        """
        itself = None if self.self_embedding is None else jax.nn.silu(self.self_embedding(x_self))
        embedded = [_embedded(layer, itself, x) for layer, x in zip(self.entity_embeddings, entities, strict=True)]
        present = [jnp.sum(x**2, axis=2) >= PADDING_NORM for x in entities]
        return self.attention(jnp.concatenate(embedded, axis=1), jnp.concatenate(present, axis=1))


def make_residual_self_attention(rng: np.random.Generator, embedding: int, heads: int) -> ResidualSelfAttention:
    """Return fresh self-attention.

    Raises:
      NetworkError: the embedding does not divide among the heads.
    """
    if embedding % heads:
        raise NetworkError(f"an embedding of {embedding} numbers cannot be shared evenly by {heads} attention heads")
    query, key, value, out = (_embedding_dense(rng, embedding, embedding) for _ in range(4))
    return ResidualSelfAttention(query, key, value, out, heads)


def make_entity_attention(
    rng: np.random.Generator, self_size: int, shapes: Sequence[tuple[int, int]], embedding: int = 128, heads: int = 4
) -> EntityAttention:
    """Return fresh attention over sensors of the given shapes, (most entities, features) each.

    Args:
      rng: for the weights.
      self_size: width of the other observations' encodings; 0 without any.
      shapes: of the sensors of variable length.
      embedding: width of the result.
      heads: of the attention.

    Raises:
      NetworkError: the embedding does not divide among the heads.
    """
    own = embedding if self_size else 0
    return EntityAttention(
        _embedding_dense(rng, self_size, embedding) if self_size else None,
        tuple(_embedding_dense(rng, own + features, embedding) for _, features in shapes),
        make_residual_self_attention(rng, embedding, heads),
    )


def _embedding_dense(rng: np.random.Generator, inputs: int, embedding: int) -> Dense:
    """Return a layer with weights from N(0, 0.125 / embedding), however many inputs it has."""
    return scaled_normal_dense(rng, inputs, embedding, scale=(0.125 * inputs / embedding) ** 0.5)


def _embedded(
    layer: Dense, itself: Float[Array, "rows embedding"] | None, entities: Float[Array, "rows n f"]
) -> Float[Array, "rows n embedding"]:
    """Return swish(layer([itself, entity])); what comes from itself is computed once for all entities."""
    if itself is None:
        return jax.nn.silu(_rowwise(layer, entities))
    own = itself.shape[1]
    shared = itself @ layer.weight[:, :own].T + layer.bias
    return jax.nn.silu(shared[:, None, :] + entities @ layer.weight[:, own:].T)


def _rowwise(layer: Dense, x: Float[Array, "rows n in"]) -> Float[Array, "rows n out"]:
    return layer(x.reshape(-1, x.shape[2])).reshape(*x.shape[:2], -1)
