"""Activation functions, compared with the formulas of their definitions in double precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special

from mlagents.barracuda import Activation, BarracudaError
from mlagents.barracuda.activations import activation_function

ANY = np.array([-90.0, -3.5, -1.0, -0.25, 0.0, 0.25, 1.0, 2.5, 7.0, 90.0])
POSITIVE = np.array([1e-7, 0.25, 1.0, 2.5, 90.0])
UNIT = np.array([-0.99, -0.25, 0.0, 0.5, 0.99])
SMALL = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])

CASES = {
    Activation.LINEAR: (ANY, lambda x: x),
    Activation.RELU: (ANY, lambda x: max(x, 0)),
    Activation.TANH: (ANY, math.tanh),
    Activation.SIGMOID: (ANY, special.expit),
    Activation.ELU: (ANY, lambda x: x if x > 0 else 2 * math.expm1(x)),
    Activation.RELU6: (ANY, lambda x: min(max(x, 0), 6)),
    Activation.LEAKY_RELU: (ANY, lambda x: x if x > 0 else 2 * x),
    Activation.SELU: (ANY, lambda x: 1.05070098735548 * (x if x > 0 else 1.67326324235438 * math.expm1(x))),
    Activation.SWISH: (ANY, lambda x: x * special.expit(x)),
    Activation.SOFTPLUS: (ANY, lambda x: max(x, 0) + math.log1p(math.exp(-abs(x)))),
    Activation.SOFTSIGN: (ANY, lambda x: x / (1 + abs(x))),
    Activation.ABS: (ANY, abs),
    Activation.NEG: (ANY, lambda x: -x),
    Activation.CEIL: (ANY, math.ceil),
    Activation.FLOOR: (ANY, math.floor),
    Activation.SQRT: (POSITIVE, math.sqrt),
    Activation.EXP: (SMALL, math.exp),
    Activation.LOG: (POSITIVE, math.log),
    Activation.ACOS: (UNIT, math.acos),
    Activation.ACOSH: (np.array([1.0, 1.5, 90.0]), math.acosh),
    Activation.ASIN: (UNIT, math.asin),
    Activation.ASINH: (ANY, math.asinh),
    Activation.ATAN: (ANY, math.atan),
    Activation.ATANH: (UNIT, math.atanh),
    Activation.COS: (SMALL, math.cos),
    Activation.COSH: (SMALL, math.cosh),
    Activation.SIN: (SMALL, math.sin),
    Activation.SINH: (SMALL, math.sinh),
    Activation.TAN: (UNIT, math.tan),
}


@pytest.mark.parametrize("number", CASES)
def test_elementwise(number):
    """The slope, alpha, is 2."""
    x, formula = CASES[number]
    with np.errstate(over="ignore"):
        found = activation_function(int(number), 2.0)(x.astype(np.float32))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, [formula(value) for value in x], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("number", [Activation.SOFTMAX, Activation.LOG_SOFTMAX])
def test_over_channels(rng, number):
    x = (50 * rng.standard_normal((4, 1, 1, 6))).astype(np.float32)
    formula = special.softmax if number == Activation.SOFTMAX else special.log_softmax
    np.testing.assert_allclose(
        activation_function(number, 1.0)(x), formula(x.astype(np.float64), axis=-1), rtol=1e-5, atol=1e-6
    )


def test_every_activation_is_tested():
    assert {*CASES, Activation.SOFTMAX, Activation.LOG_SOFTMAX} == set(Activation)


@pytest.mark.parametrize("number", [-1, 13, 103, 255])
def test_unknown(number):
    with pytest.raises(BarracudaError, match=f"activation {number} is not known"):
        activation_function(number, 1.0)
