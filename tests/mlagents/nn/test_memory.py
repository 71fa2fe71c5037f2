"""The LSTM against its equations in numpy, and its gradient against the automatic one."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from mlagents.nn.errors import NetworkError
from mlagents.nn.flat import flattened
from mlagents.nn.memory import FORGET_BIAS, Lstm, make_lstm

SEQUENCES, STEPS, INPUTS, CELLS = 3, 7, 5, 4


def problem(seed=0):
    """Return a layer whose weights all matter, inputs and memories."""
    rng = np.random.default_rng(seed)
    shapes = (4 * CELLS, INPUTS), (4 * CELLS, CELLS), (4 * CELLS,), (SEQUENCES, STEPS, INPUTS), (SEQUENCES, 2 * CELLS)
    *weights, x, memory = (rng.normal(size=shape).astype(np.float32) for shape in shapes)
    return Lstm(*weights), x, memory


def unit_by_unit(lstm, x, memory):
    """Hochreiter & Schmidhuber 1997 with Gers et al. 2000's forget gate in float64, one unit at a time.

    Gers et al. eqs. 3.1 to 3.6 in today's form: both squashing functions are tanh, gates see the last outputs.
    """
    logistic = lambda v: 1.0 / (1.0 + np.exp(-v))  # noqa: E731
    outputs = np.zeros((SEQUENCES, STEPS, CELLS))
    last = np.zeros((SEQUENCES, 2 * CELLS))
    for sequence in range(SEQUENCES):
        y = memory[sequence, :CELLS].astype(float)
        s = memory[sequence, CELLS:].astype(float)
        for step in range(STEPS):
            net = {}
            for gate, name in enumerate(["in", "out", "forget", "candidate"]):
                for unit in range(CELLS):
                    row = gate * CELLS + unit
                    net[name, unit] = float(lstm.bias[row])
                    net[name, unit] += sum(
                        float(lstm.input_weight[row, k]) * x[sequence, step, k] for k in range(INPUTS)
                    )
                    net[name, unit] += sum(float(lstm.hidden_weight[row, k]) * y[k] for k in range(CELLS))
            for unit in range(CELLS):
                s[unit] = logistic(net["forget", unit]) * s[unit]
                s[unit] += logistic(net["in", unit]) * np.tanh(net["candidate", unit])
                outputs[sequence, step, unit] = logistic(net["out", unit]) * np.tanh(s[unit])
            y = outputs[sequence, step]
        last[sequence] = [*y, *s]
    return outputs, last


def plain_scan(lstm, x, memory):
    """`step`, scanned, with jax's own gradient."""

    def step(memory, x):
        output, memory = lstm.step(x, memory)
        return memory, output

    memory, outputs = lax.scan(step, memory, jnp.swapaxes(x, 0, 1))
    return jnp.swapaxes(outputs, 0, 1), memory


def test_sequences_are_the_equations():
    lstm, x, memory = problem()
    outputs, last = lstm.sequences(x, memory)
    expected, expected_last = unit_by_unit(lstm, x, memory)
    np.testing.assert_allclose(outputs, expected, atol=1e-5)
    np.testing.assert_allclose(last, expected_last, atol=1e-5)


def test_steps_are_sequences():
    lstm, x, memory = problem(1)
    outputs, last = lstm.sequences(x, memory)
    for step in range(STEPS):
        output, memory = lstm.step(x[:, step], memory)
        np.testing.assert_allclose(output, outputs[:, step], atol=1e-6)
        np.testing.assert_array_equal(output, memory[:, :CELLS])
    np.testing.assert_allclose(memory, last, atol=1e-6)


def test_a_cut_sequence_goes_on_where_it_was():
    lstm, x, memory = problem(2)
    whole, last = lstm.sequences(x, memory)
    first, between = lstm.sequences(x[:, :3], memory)
    second, end = lstm.sequences(x[:, 3:], between)
    np.testing.assert_allclose(np.concatenate([first, second], axis=1), whole, atol=1e-6)
    np.testing.assert_allclose(end, last, atol=1e-6)


@pytest.mark.parametrize("parts", ["outputs", "memory", "both"])
def test_the_gradient_is_the_automatic_one(parts):
    lstm, x, memory = problem(3)
    rng = np.random.default_rng(9)
    on_outputs = rng.normal(size=(SEQUENCES, STEPS, CELLS)).astype(np.float32) * (parts != "memory")
    on_memory = rng.normal(size=memory.shape).astype(np.float32) * (parts != "outputs")

    def loss(form):
        def value(lstm, x, memory):
            outputs, last = form(lstm, x, memory)
            return jnp.sum(outputs * on_outputs) + jnp.sum(last * on_memory)

        return jax.jit(jax.grad(value, argnums=(0, 1, 2)))

    found, expected = (loss(form)(lstm, x, memory) for form in (Lstm.sequences, plain_scan))
    names = ["input weight", "hidden weight", "bias", "x", "memory"]
    for name, a, b in zip(names, *map(jax.tree.leaves, (found, expected)), strict=True):
        assert np.abs(b).max() > 0.01, name
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_gradient_is_that_of_finite_differences():
    """Of the float64 equations, so that nothing of ours is on the other side."""
    lstm, x, memory = problem(4)
    weighting = np.random.default_rng(5).normal(size=(SEQUENCES, STEPS, CELLS))
    found = jax.grad(lambda lstm: jnp.sum(lstm.sequences(x, memory)[0] * weighting.astype(np.float32)))(lstm)
    for name, index in [("input_weight", (5, 2)), ("hidden_weight", (9, 1)), ("hidden_weight", (14, 3)), ("bias", 2)]:
        values = []
        for change in (1e-4, -1e-4):
            weights = {key: np.array(value, float) for key, value in vars(lstm).items()}
            weights[name][index] += change
            values.append((unit_by_unit(_Weights(weights), x, memory)[0] * weighting).sum())
        expected = (values[0] - values[1]) / 2e-4
        np.testing.assert_allclose(getattr(found, name)[index], expected, rtol=1e-3, atol=1e-4)


class _Weights:
    def __init__(self, weights):
        vars(self).update(weights)


def test_it_learns_in_a_compiled_loop_of_flat_weights():
    """Gradient descent in lax.fori_loop: the first input has to be remembered over the whole sequence."""
    rng = np.random.default_rng(0)
    x = np.zeros((32, 6, 2), np.float32)
    x[:, 0, 0] = rng.choice([-1.0, 1.0], size=32)
    x[:, 1:, 1] = rng.normal(size=(32, 5))
    target = x[:, 0, 0]
    weights, layer = flattened(make_lstm(rng, 2, 16))
    memory = np.zeros((32, 16), np.float32)

    def loss(weights):
        return jnp.mean((jnp.sum(layer(weights).sequences(x, memory)[0][:, -1], axis=1) - target) ** 2)

    @jax.jit
    def trained(weights):
        return lax.fori_loop(0, 300, lambda _, w: w - 0.1 * jax.grad(loss)(w), weights)

    assert loss(weights) > 0.5
    assert loss(trained(weights)) < 0.02


def test_initial_weights():
    lstm = make_lstm(np.random.default_rng(0), 50, 128)
    assert lstm.memory_size == 128
    assert all(isinstance(leaf, np.ndarray) and leaf.dtype == np.float32 for leaf in jax.tree.leaves(lstm))
    assert lstm.input_weight.shape == (256, 50)
    assert lstm.hidden_weight.shape == (256, 64)
    np.testing.assert_array_equal(lstm.bias, np.repeat([0.0, 0.0, FORGET_BIAS, 0.0], 64))
    for weight, bound in ((lstm.input_weight, (6 / 114) ** 0.5), (lstm.hidden_weight, (6 / 128) ** 0.5)):
        assert 0.99 * bound < np.abs(weight).max() <= bound
        # uniform on [-a, a] has the variance a^2 / 3
        np.testing.assert_allclose(weight.var(), bound**2 / 3, rtol=0.03)


@pytest.mark.parametrize("memory_size", [0, -2, 7])
def test_memory_size_has_to_be_even(memory_size):
    with pytest.raises(NetworkError, match=f"memory_size is {memory_size}; it has to be a positive even number"):
        make_lstm(np.random.default_rng(0), 3, memory_size)
