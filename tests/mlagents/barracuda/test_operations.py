"""Layers one by one, with results worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.barracuda import BarracudaError, BarracudaFile, Evaluator, Input, Layer, LayerType, Tensor


def evaluated(kind, *inputs, rng=None, **fields):
    """The result of one layer."""
    names = [f"x{i}" for i in range(len(inputs))]
    layer = Layer("y", kind, tuple(names), **fields)
    file = BarracudaFile(tuple(Input(name, (-1,) * 4) for name in names), ("y",), (), (layer,))
    feeds = {name: np.asarray(x, np.float32) for name, x in zip(names, inputs, strict=True)}
    result = Evaluator(file, ["y"])(feeds, rng)["y"]
    assert result.dtype == np.float32
    assert result.ndim == 4
    return result


def rows(*values):
    """Vectors as [n, 1, 1, k]."""
    return np.array(values, np.float32)[:, None, None]


X = rows([1, -2, 4], [0, 8, 2])


def test_dense():
    weights = (Tensor.kernel("w", [[1, 2], [3, 4], [5, 6]]), Tensor.row("b", [0.5, -0.5]))
    assert evaluated(LayerType.DENSE, X, tensors=weights).tolist() == rows([15.5, 17.5], [34.5, 43.5]).tolist()


def test_dense_takes_an_image_by_rows_columns_and_channels():
    image = np.arange(8).reshape(1, 2, 2, 2)
    picked = np.zeros((8, 1))
    picked[5] = 1  # row 1, column 0, channel 1
    weights = (Tensor.kernel("w", picked), Tensor.row("b", [0]))
    assert evaluated(LayerType.DENSE, image, tensors=weights).tolist() == [[[[5]]]]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (LayerType.ADD, [[3, 2, 4.5], [2, 12, 2.5]]),
        (LayerType.SUB, [[-1, -6, 3.5], [-2, 4, 1.5]]),
        (LayerType.MUL, [[2, -8, 2], [0, 32, 1]]),
        (LayerType.DIV, [[0.5, -0.5, 8], [0, 2, 4]]),
        (LayerType.POW, [[1, 16, 2], [0, 4096, 2**0.5]]),
        (LayerType.MINIMUM, [[1, -2, 0.5], [0, 4, 0.5]]),
        (LayerType.MAXIMUM, [[2, 4, 4], [2, 8, 2]]),
    ],
)
def test_arithmetic_with_a_row(kind, expected):
    np.testing.assert_allclose(evaluated(kind, X, rows([2, 4, 0.5])), rows(*expected), rtol=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (LayerType.REDUCE_MAX, [[4], [8]]),
        (LayerType.REDUCE_MEAN, [[1], [10 / 3]]),
        (LayerType.REDUCE_MIN, [[-2], [0]]),
        (LayerType.REDUCE_PROD, [[-8], [0]]),
        (LayerType.REDUCE_SUM, [[3], [10]]),
    ],
)
@pytest.mark.parametrize("axis", [(), (rows([1]),)])
def test_reductions_ignore_the_axis(kind, expected, axis):
    np.testing.assert_allclose(evaluated(kind, X, *axis), rows(*expected), rtol=1e-6)


def test_scale_bias():
    weights = (Tensor.row("s", [2, 3, 4]), Tensor.row("b", [1, 0, -1]))
    assert evaluated(LayerType.SCALE_BIAS, X, tensors=weights).tolist() == rows([3, -6, 15], [1, 24, 7]).tolist()


def test_one_hot():
    """With alpha 5 and beta -1."""
    result = evaluated(LayerType.ONE_HOT, rows([2], [0]), pool_size=(3,), alpha=5.0, beta=-1.0)
    assert result.tolist() == rows([-1, -1, 5], [5, -1, -1]).tolist()


def test_shapes():
    image = np.arange(12).reshape(2, 1, 3, 2)
    assert evaluated(LayerType.NOP, image).tolist() == image.tolist()
    assert evaluated(LayerType.FLATTEN, image).tolist() == rows(range(6), range(6, 12)).tolist()
    assert evaluated(LayerType.RESHAPE, image, pool_size=(-1, 3, 1, 2)).tolist() == image.reshape(2, 3, 1, 2).tolist()


@pytest.mark.parametrize("axis", [0, 1, 2, 3, -1])
def test_concat(axis):
    a, b = np.arange(8).reshape(2, 1, 2, 2), -np.arange(8).reshape(2, 1, 2, 2)
    assert evaluated(LayerType.CONCAT, a, b, axis=axis).tolist() == np.concatenate([a, b], axis).tolist()


def test_a_constant_is_repeated_for_each_agent():
    result = evaluated(LayerType.CONCAT, X, rows([7]), axis=3)
    assert result.tolist() == rows([1, -2, 4, 7], [0, 8, 2, 7]).tolist()


@pytest.mark.parametrize(
    ("starts", "ends", "strides", "expected"),
    [
        ((0, 0, 0, 0), (0, 0, 0, 2), (1, 1, 1, 1), [[1, -2], [0, 8]]),
        ((0, 0, 0, 1), (0, 0, 0, 0), (1, 1, 1, 1), [[-2, 4], [8, 2]]),
        ((0, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, 2), [[1, 4], [0, 2]]),
        ((0, 0, 0, 1), (0, 0, 0, 0), (1, 1, 1, 0), [[-2], [8]]),
        ((0, 0, 0, -1), (0, 0, 0, 0), (1, 1, 1, 0), [[4], [2]]),
        ((0, 0, 0, -2), (0, 0, 0, -1), (1, 1, 1, 1), [[-2], [8]]),
        ((1, 0, 0, 0), (0, 0, 0, 0), (1, 1, 1, 1), [[0, 8, 2]]),
    ],
)
def test_strided_slice(starts, ends, strides, expected):
    """End 0 is the end of the axis; stride 0 picks the one element at the start."""
    result = evaluated(LayerType.STRIDED_SLICE, X, pads=starts, pool_size=ends, strides=strides)
    assert result.tolist() == rows(*expected).tolist()


def test_normal_noise(rng):
    """Mean 3 and deviation 2; standard errors over 40,000 numbers: 0.01 and 0.007."""
    x = np.zeros((20_000, 1, 1, 2))
    noise = evaluated(LayerType.RANDOM_NORMAL, x, rng=rng, alpha=2.0, beta=3.0)
    assert noise.shape == x.shape
    assert noise.mean() == pytest.approx(3, abs=0.05)
    assert noise.std() == pytest.approx(2, abs=0.035)
    assert set(evaluated(LayerType.RANDOM_NORMAL, x, alpha=2.0, beta=3.0).flat) == {3}


def test_uniform_noise(rng):
    """In [3, 5), mean 4, with a standard error of 0.003."""
    x = np.zeros((20_000, 1, 1, 2))
    noise = evaluated(LayerType.RANDOM_UNIFORM, x, rng=rng, alpha=2.0, beta=3.0)
    assert noise.min() >= 3
    assert noise.max() < 5
    assert noise.mean() == pytest.approx(4, abs=0.015)
    assert set(evaluated(LayerType.RANDOM_UNIFORM, x, alpha=2.0, beta=3.0).flat) == {4}


def test_multinomial(rng):
    """Standard error of a frequency over 20,000: 0.0035."""
    log_probs = np.tile(np.log(rows([0.5, 0.2, 0.3])), (10_000, 1, 1, 1))
    result = evaluated(LayerType.MULTINOMIAL, log_probs, rng=rng, pool_size=(2,))
    assert result.shape == (10_000, 1, 1, 2)
    counts = np.bincount(result.astype(int).ravel(), minlength=3)
    np.testing.assert_allclose(counts / counts.sum(), [0.5, 0.2, 0.3], atol=0.018)
    assert evaluated(LayerType.MULTINOMIAL, log_probs[:1], pool_size=(3,)).tolist() == [[[[0, 0, 0]]]]


@pytest.mark.parametrize(
    ("kind", "inputs", "fields", "message"),
    [
        (77, [X], {}, r"layer 'y', unknown \(type 77\): layers of the type unknown \(type 77\) cannot be evaluated"),
        (LayerType.TRANSPOSED_CONV_2D, [X], {}, r"transposed conv 2d \(type 22\) cannot be evaluated"),
        (LayerType.ADD, [X], {}, "inputs: x0; expected 2"),
        (LayerType.CONCAT, [], {}, "inputs: none; expected 1 or more"),
        (LayerType.REDUCE_SUM, [X] * 3, {}, "inputs: x0, x1, x2; expected 1 or 2"),
        (LayerType.ADD, [X, rows([1, 2])], {}, r"\(inputs: x0 \[2, 1, 1, 3\], x1 \[1, 1, 1, 2\]\)"),
        (LayerType.CONCAT, [X, X], {"axis": 4}, r"axis 4; expected 0 \(batch\), 1 \(height\)"),
        (LayerType.CONCAT, [X, rows([1], [2], [3])], {"axis": 3}, r"x1 \[3, 1, 1, 1\]"),
        (LayerType.RESHAPE, [X], {"pool_size": (-1, 2)}, r"target shape \[-1, 2\]; expected 4 sizes"),
        (LayerType.RESHAPE, [X], {"pool_size": (-1, 1, 1, 4)}, r"inputs: x0 \[2, 1, 1, 3\]"),
        (LayerType.ONE_HOT, [X], {"pool_size": (3,)}, "expected one index in the last axis"),
        (LayerType.ONE_HOT, [X], {}, r"pool size \[\]; expected the depth, one positive number"),
        (LayerType.STRIDED_SLICE, [X], {}, r"ends \[\], strides \[\]; expected 4 numbers each"),
        (
            LayerType.STRIDED_SLICE,
            [X],
            {"pads": (0, 0, 0, 3), "strides": (1, 1, 1, 0), "pool_size": (0, 0, 0, 0)},
            r"nothing is left of an input of shape \[2, 1, 1, 3\]",
        ),
        (
            LayerType.DENSE,
            [X],
            {"tensors": (Tensor.kernel("w", [[1], [2]]), Tensor.row("b", [0]))},
            r"layer 'y', dense \(type 1\): input of shape \[2, 1, 1, 3\]; expected 2 numbers in each row",
        ),
        (
            LayerType.DENSE,
            [X],
            {"tensors": (Tensor.kernel("w", np.ones((3, 2))), Tensor.row("b", [0]))},
            r"weights \[3, 1, 1, 2\] and bias \[1, 1, 1, 1\]",
        ),
        (LayerType.ACTIVATION, [X], {"activation": 13}, "activation 13 is not known"),
    ],
)
def test_faults_name_the_layer(kind, inputs, fields, message):
    with pytest.raises(BarracudaError, match=message) as raised:
        evaluated(kind, *inputs, **fields)
    assert str(raised.value).startswith("layer 'y', ")
