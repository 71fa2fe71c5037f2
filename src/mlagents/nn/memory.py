"""Recurrent memory: a long short-term memory (LSTM) with a gradient of its own.

Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000, without peepholes. For an
input x, the hidden state h and the cell state c of the step before, and the logistic function s:

    a = W x + R h + b, in four parts of H rows: a_i, a_o, a_f, a_g
    i = s(a_i)   o = s(a_o)   f = s(a_f)   g = tanh(a_g)
    c' = f c + i g
    h' = o tanh(c')

Parts are in ONNX's gate order: input, output, forget, candidate. A memory is [h, c], 2H numbers per row.
"""

from __future__ import annotations

from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.errors import NetworkError

FORGET_BIAS = 2.0
"""Initial bias of the forget gate: the memory lasts until it has been learned what to forget."""

State: TypeAlias = tuple[Float[Array, "rows h"], Float[Array, "rows h"]]
"""Hidden and cell state."""


class Lstm(eqx.Module):
    """A layer of H memory cells.

    Attributes:
      input_weight: W, float32 [4H, in].
      hidden_weight: R, float32 [4H, H].
      bias: b, float32 [4H].
    """

    input_weight: Float[Array, "gates in"]
    hidden_weight: Float[Array, "gates h"]
    bias: Float[Array, " gates"]

    @property
    def memory_size(self) -> int:
        """Numbers in a memory, 2H."""
        return 2 * self.hidden_weight.shape[1]

    def step(
        self, x: Float[Array, "rows in"], memory: Float[Array, "rows m"]
    ) -> tuple[Float[Array, "rows h"], Float[Array, "rows m"]]:
        """Return the outputs h' of one step, float32 [rows, H], and the memories after it, float32 [rows, 2H]."""
        state, _ = _step(self, _state(memory), _projected(self, x))
        return state[0], jnp.concatenate(state, axis=1)

    def sequences(
        self, x: Float[Array, "sequences steps in"], memory: Float[Array, "sequences m"]
    ) -> tuple[Float[Array, "sequences steps h"], Float[Array, "sequences m"]]:
        """Return the outputs of every step and the memories after the last.

        The same as `step` repeated, but with the products over W outside of the loop, in both directions.

        Args:
          x: float32 [sequences, steps, in].
          memory: float32 [sequences, 2H], before the first step.

        Returns: float32 [sequences, steps, H] and float32 [sequences, 2H].
        """
        return _sequences(self, x, memory)


def make_lstm(rng: np.random.Generator, inputs: int, memory_size: int) -> Lstm:
    """Return a layer of memory_size / 2 cells.

    Each gate's weights are from U(-a, a), a = sqrt(6 / (fan-in + fan-out)) (Glorot & Bengio 2010, eq. 16); biases are
    0, those of the forget gate `FORGET_BIAS`.

    Raises:
      NetworkError: memory_size is not a positive even number.
    """
    if memory_size < 2 or memory_size % 2:
        raise NetworkError(
            f"network_settings.memory.memory_size is {memory_size}; it has to be a positive even number, because half"
            " of it is the hidden state and half the cell state"
        )
    cells = memory_size // 2
    bias = np.zeros(4 * cells, np.float32)
    bias[2 * cells : 3 * cells] = FORGET_BIAS
    return Lstm(_glorot_gates(rng, inputs, cells), _glorot_gates(rng, cells, cells), bias)


def _glorot_gates(rng: np.random.Generator, inputs: int, cells: int) -> Float[np.ndarray, "gates in"]:
    bound = (6.0 / (inputs + cells)) ** 0.5
    return rng.uniform(-bound, bound, (4 * cells, inputs)).astype(np.float32)


Sequences: TypeAlias = tuple[Float[Array, "sequences steps h"], Float[Array, "sequences m"]]
Kept: TypeAlias = tuple[
    Lstm,
    Float[Array, "sequences steps in"],
    State,
    tuple[Float[Array, "steps sequences h"], Float[Array, "steps sequences h"]],
    Float[Array, "steps sequences gates"],
]
"""For the way back: layer, inputs, first state, and the states and gates of all steps."""


@jax.custom_vjp
def _sequences(lstm: Lstm, x: Float[Array, "sequences steps in"], memory: Float[Array, "sequences m"]) -> Sequences:
    return _forward(lstm, x, memory)[0]


def _forward(
    lstm: Lstm, x: Float[Array, "sequences steps in"], memory: Float[Array, "sequences m"]
) -> tuple[Sequences, Kept]:
    def step(state: State, projected: Float[Array, "sequences gates"]) -> tuple[State, tuple[State, Array]]:
        state, gates = _step(lstm, state, projected)
        return state, (state, gates)

    start = _state(memory)
    end, (states, gates) = lax.scan(step, start, _projected(lstm, _swapped(x)))
    return (_swapped(states[0]), jnp.concatenate(end, axis=1)), (lstm, x, start, states, gates)


def _backward(
    kept: Kept, gradient: Sequences
) -> tuple[Lstm, Float[Array, "sequences steps in"], Float[Array, "sequences m"]]:
    """Return the gradients of layer, inputs and first memory (backpropagation through time).

    With d = dL/d. of a step and d' that of the step after, everything element-wise but R^T:

        dh = dL/dh + R^T da'            dc = f' dc' + dh o (1 - tanh(c)^2)
        da_o = dh tanh(c) o (1 - o)     da_g = dc i (1 - g^2)
        da_i = dc g i (1 - i)           da_f = dc c_before f (1 - f)

    Only dh, dc and their products with the known slopes are left to the loop.
    """
    lstm, x, (first_hidden, first_cell), (hidden, cell), gates = kept
    d_outputs, d_memory = gradient
    i, o, f, g = jnp.split(gates, 4, axis=2)
    squashed = jnp.tanh(cell)
    cell_slope = o * (1.0 - squashed**2)
    before = _delayed(first_cell, cell)
    slopes = [g * i * (1.0 - i), squashed * o * (1.0 - o), before * f * (1.0 - f), i * (1.0 - g**2)]

    def step(state: State, known: tuple[Array, ...]) -> tuple[State, Float[Array, "sequences gates"]]:
        d_hidden, d_cell = state
        d_output, cell_slope, f, slopes = known
        d_hidden = d_hidden + d_output
        d_cell = d_cell + d_hidden * cell_slope
        d_gates = slopes * jnp.concatenate([d_cell, d_hidden, d_cell, d_cell], axis=1)
        return (d_gates @ lstm.hidden_weight, d_cell * f), d_gates

    known = _swapped(d_outputs), cell_slope, f, jnp.concatenate(slopes, axis=2)
    d_start, d_gates = lax.scan(step, _state(d_memory), known, reverse=True)
    d_lstm = Lstm(
        _weight_gradient(d_gates, _swapped(x)),
        _weight_gradient(d_gates, _delayed(first_hidden, hidden)),
        jnp.sum(d_gates, axis=(0, 1)),
    )
    return d_lstm, _swapped(d_gates @ lstm.input_weight), jnp.concatenate(d_start, axis=1)


_sequences.defvjp(_forward, _backward)


def _projected(lstm: Lstm, x: Float[Array, "... in"]) -> Float[jax.Array, "... gates"]:
    """Return W x + b."""
    return jnp.matmul(x, lstm.input_weight.T) + lstm.bias


def _step(lstm: Lstm, state: State, projected: Float[Array, "rows gates"]) -> tuple[State, Float[Array, "rows gates"]]:
    """Return the state after a step and the gates' activations."""
    hidden, cell = state
    a = projected + hidden @ lstm.hidden_weight.T
    candidate = 3 * cell.shape[1]
    gates = jnp.concatenate([jax.nn.sigmoid(a[:, :candidate]), jnp.tanh(a[:, candidate:])], axis=1)
    i, o, f, g = jnp.split(gates, 4, axis=1)
    cell = f * cell + i * g
    return (o * jnp.tanh(cell), cell), gates


def _weight_gradient(
    d_gates: Float[Array, "steps sequences gates"], x: Float[Array, "steps sequences n"]
) -> Float[Array, "gates n"]:
    """Return the sum over steps and sequences of d_gates x^T.

    As the transpose of x^T d_gates, held apart by the barrier: XLA would turn it round, and its product for CPUs takes
    twice as long when the wider matrix is the transposed one.
    """
    product = x.reshape(-1, x.shape[2]).T @ d_gates.reshape(-1, d_gates.shape[2])
    held: Float[Array, "n gates"] = lax.optimization_barrier(product)  # type: ignore[no-untyped-call]
    return held.T


def _state(memory: Float[Array, "rows m"]) -> State:
    hidden, cell = jnp.split(memory, 2, axis=1)
    return hidden, cell


def _delayed(first: Float[Array, "rows h"], x: Float[Array, "steps rows h"]) -> Float[Array, "steps rows h"]:
    """Return the rows of each step's predecessor, the first step's from outside."""
    return jnp.concatenate([first[None], x[:-1]])


def _swapped(x: Float[Array, "a b n"]) -> Float[Array, "b a n"]:
    """Return [sequences, steps, n] for [steps, sequences, n] and the other way round."""
    return jnp.swapaxes(x, 0, 1)
