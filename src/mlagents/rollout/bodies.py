"""Evaluating a policy's body for the agents that wait: in numpy where it is small, compiled where it is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from mlagents.nn.body import Body
from mlagents.nn.layers import Dense
from mlagents.nn.memory import Lstm
from mlagents.nn.normalizer import CLIP, Normalizer
from mlagents.nn.policy import Policy

FloatArray = NDArray[np.float32]
Hidden = tuple[FloatArray, FloatArray | None]


class ActingBody(Protocol):
    """Observations and memory to the activations of the policy's heads, and the memory afterwards."""

    def load(self, policy: Policy) -> None:
        """Use these weights from now on."""

    def __call__(self, observations: Sequence[FloatArray], memory: FloatArray | None) -> Hidden:
        """Return float32 [agents, features] and [agents, memory size].

        Args:
          observations: one float32 [agents, *shape] per observation spec.
          memory: float32 [agents, memory size], the policy's and then the critic's; None without memory.
        """


def acting_body(policy: Policy) -> ActingBody:
    """Return the faster one for such a policy, with its weights."""
    bodies = [body for body in (policy.body, policy.critic_body) if body is not None]
    chosen = NumpyBody if all(body.is_dense for body in bodies) else CompiledBody
    return chosen(policy)


class NumpyBody:
    """Dense layers and memory in numpy.

    For the few agents of a scene this costs a third of a compiled call, which is mostly call overhead
    (benchmarks/acting.py). A test holds the two equal.
    """

    def __init__(self, policy: Policy):
        self.load(policy)

    def load(self, policy: Policy) -> None:
        """Use these weights from now on."""
        self._layout = policy.body.layout
        self._shift, self._scale = _normalization(policy.normalizer)
        self._bodies = [_DenseBody(body) for body in (policy.body, policy.critic_body) if body is not None]

    def __call__(self, observations: Sequence[FloatArray], memory: FloatArray | None) -> Hidden:
        """See `ActingBody`."""
        x: Any = self._layout.vector(tuple(observations))
        if self._shift is not None:
            x = (x - self._shift) * self._scale
            np.clip(x, -CLIP, CLIP, out=x)
        policy, *others = self._bodies
        if memory is None:
            return policy.dense(x), None
        hidden, *after = policy.recurrent(x, memory[:, : policy.memory_size])
        start = policy.memory_size
        for body in others:
            _, *more = body.recurrent(x, memory[:, start : start + body.memory_size])
            after += more
            start += body.memory_size
        return hidden, np.concatenate(after, axis=1)


def _normalization(normalizer: Normalizer | None) -> tuple[FloatArray | None, FloatArray | None]:
    """Return mean and 1 / standard deviation."""
    if normalizer is None:
        return None, None
    scale: FloatArray = np.reciprocal(np.asarray(normalizer.scale()))
    return np.asarray(normalizer.mean), scale


class _DenseBody:
    """One body in numpy."""

    def __init__(self, body: Body):
        # swish(2u) = u (1 + tanh u): with halved weights a layer is one product and four in-place passes
        self._layers = [affine(layer, 0.5) for layer in body.dense.layers]
        self._lstm = None if body.lstm is None else _lstm_weights(body.lstm)
        self.memory_size = body.memory_size

    def dense(self, x: FloatArray) -> FloatArray:
        for weight, bias in self._layers:
            x = x @ weight
            x += bias
            gate = np.tanh(x)
            gate += 1.0
            x *= gate
        return x

    def recurrent(self, x: FloatArray, memory: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return output, hidden state, cell state."""
        assert self._lstm is not None
        return _lstm_step(*self._lstm, self.dense(x), memory)


class CompiledBody:
    """Any body as a compiled function; agents are padded to a power of two, so that few shapes are compiled."""

    def __init__(self, policy: Policy):
        _, self._structure = eqx.partition(_bodies(policy), eqx.is_array)
        self._run: Callable[..., Any] = jax.jit(self._evaluate)
        self.load(policy)

    def load(self, policy: Policy) -> None:
        """Use these weights from now on."""
        weights, _ = eqx.partition(_bodies(policy), eqx.is_array)
        self._weights = jax.device_put(weights)

    def _evaluate(self, weights: Policy, observations: tuple[Any, ...], memory: Any) -> tuple[Any, Any]:
        policy: Policy = eqx.combine(weights, self._structure)
        inputs = policy.inputs(observations)
        size = policy.body.memory_size
        if memory is None:
            return policy.body(inputs)
        hidden, after = policy.body(inputs, memory[:, :size])
        if policy.critic_body is None:
            return hidden, after
        _, critic_after = policy.critic_body(inputs, memory[:, size:])
        return hidden, jnp.hstack([jnp.asarray(after), jnp.asarray(critic_after)])

    def __call__(self, observations: Sequence[FloatArray], memory: FloatArray | None) -> Hidden:
        """See `ActingBody`."""
        agents = len(observations[0])
        padded = 1 << (agents - 1).bit_length()
        columns = tuple(_padded(o, padded) for o in observations)
        hidden, after = self._run(self._weights, columns, None if memory is None else _padded(memory, padded))
        return np.asarray(hidden)[:agents], None if after is None else np.asarray(after)[:agents]


def _bodies(policy: Policy) -> Policy:
    """Return the policy without its heads."""
    bodies: Policy = eqx.tree_at(lambda p: p.head, policy, None)
    return bodies


def _lstm_weights(lstm: Lstm) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return W^T [in, 4H], R^T [H, 4H] and b [4H]; halved for the three gates with s(2a) = (1 + tanh a) / 2."""
    half = np.ones(lstm.bias.shape[0], np.float32)
    half[: 3 * len(half) // 4] = 0.5
    inputs, hidden = (
        np.ascontiguousarray((np.asarray(w) * half[:, None]).T) for w in (lstm.input_weight, lstm.hidden_weight)
    )
    return inputs, hidden, np.asarray(lstm.bias) * half


def _lstm_step(
    input_weight: FloatArray, hidden_weight: FloatArray, bias: FloatArray, x: FloatArray, memory: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return output, hidden state, cell state (see `mlagents.nn.memory`)."""
    cells = len(hidden_weight)
    gates = x @ input_weight
    gates += memory[:, :cells] @ hidden_weight
    gates += bias
    np.tanh(gates, out=gates)
    logistic = gates[:, : 3 * cells]
    logistic *= 0.5
    logistic += 0.5
    i, o, f, g = (gates[:, k * cells : (k + 1) * cells] for k in range(4))
    cell = f * memory[:, cells:] + i * g
    hidden = o * np.tanh(cell)
    return hidden, hidden, cell


def _padded(x: FloatArray, rows: int) -> FloatArray:
    if len(x) == rows:
        return x
    out = np.zeros((rows, *x.shape[1:]), x.dtype)
    out[: len(x)] = x
    return out


def affine(layer: Dense, scale: float = 1.0) -> tuple[FloatArray, FloatArray]:
    """Return (weight [in, out], bias [out]), both times scale."""
    weight = np.ascontiguousarray(np.asarray(layer.weight, np.float32).T) * np.float32(scale)
    return weight, np.asarray(layer.bias, np.float32) * np.float32(scale)
