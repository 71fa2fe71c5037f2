"""Windows over images, compared with ONNX Runtime, an independent implementation."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlagents.barracuda import BarracudaError, BarracudaFile, Evaluator, Input, Layer, LayerType, Tensor

PADS = {"VALID": (0, 0, 0, 0), "SAME_UPPER": (-1,)}


def evaluated(layer, x):
    file = BarracudaFile((Input("x", (-1, -1, -1, -1)),), (layer.name,), (), (layer,))
    return Evaluator(file, [layer.name])({"x": x})[layer.name]


def by_onnx(operator, x, weights, **attributes):
    """The same by ONNX Runtime, whose images are [batch, channels, height, width]."""
    names = [f"w{i}" for i in range(len(weights))]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", *names], ["y"], **attributes)],
        "test",
        [value("x", TensorProto.FLOAT, [None] * 4)],
        [value("y", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(np.ascontiguousarray(w), name) for w, name in zip(weights, names, strict=True)],
    )
    model = helper.make_model(graph, ir_version=4, opset_imports=[helper.make_opsetid("", 9)])
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (y,) = session.run(["y"], {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})
    return y.transpose(0, 2, 3, 1)


def images(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


WINDOWS = [
    ((7, 9), (3, 3), (1, 1)),
    ((12, 11), (4, 3), (2, 3)),
    ((13, 8), (8, 8), (4, 4)),
    ((5, 5), (2, 2), (3, 3)),
    ((6, 6), (1, 1), (2, 1)),
]
windows = pytest.mark.parametrize(("size", "kernel", "strides"), WINDOWS)
padding = pytest.mark.parametrize("pad", ["VALID", "SAME_UPPER"])


@windows
@padding
def test_convolution(rng, size, kernel, strides, pad):
    x, k, b = images(rng, 3, *size, 2), images(rng, *kernel, 2, 5), images(rng, 5)
    weights = (Tensor("k", k), Tensor.row("b", b))
    layer = Layer("y", LayerType.CONV_2D, ("x",), weights, pads=PADS[pad], strides=strides)
    expected = by_onnx("Conv", x, [k.transpose(3, 2, 0, 1), b], auto_pad=pad, strides=strides)
    np.testing.assert_allclose(evaluated(layer, x), expected, atol=1e-4)


@windows
@padding
@pytest.mark.parametrize("last", ["channels", "one"])
def test_depthwise_convolution(rng, size, kernel, strides, pad, last):
    x, k, b = images(rng, 2, *size, 3), images(rng, *kernel, 3, 1), images(rng, 3)
    stored = k if last == "one" else k.transpose(0, 1, 3, 2)
    weights = (Tensor("k", stored), Tensor.row("b", b))
    layer = Layer("y", LayerType.DEPTHWISE_CONV_2D, ("x",), weights, pads=PADS[pad], strides=strides)
    expected = by_onnx("Conv", x, [k.transpose(2, 3, 0, 1), b], auto_pad=pad, strides=strides, group=3)
    np.testing.assert_allclose(evaluated(layer, x), expected, atol=1e-4)


@pytest.mark.parametrize(("size", "kernel", "strides"), WINDOWS[:-1])  # ONNX Runtime cannot pool with the last
@padding
@pytest.mark.parametrize("kind", ["MAX_POOL_2D", "AVERAGE_POOL_2D"])
def test_pooling(rng, size, kernel, strides, pad, kind):
    """All elements negative: a maximum over padding with zeros would be noticed."""
    x = images(rng, 2, *size, 3) - 10
    layer = Layer("y", LayerType[kind], ("x",), pads=PADS[pad], strides=strides, pool_size=kernel)
    operator = "MaxPool" if kind == "MAX_POOL_2D" else "AveragePool"
    expected = by_onnx(operator, x, [], auto_pad=pad, strides=strides, kernel_shape=kernel)
    np.testing.assert_allclose(evaluated(layer, x), expected, atol=1e-4)


def test_global_average(rng):
    x = images(rng, 2, 4, 5, 3)
    result = evaluated(Layer("y", LayerType.GLOBAL_AVERAGE_POOL_2D, ("x",)), x)
    np.testing.assert_allclose(result, by_onnx("GlobalAveragePool", x, []), atol=1e-6)


def test_one_image_more_changes_nothing(rng):
    x, k = images(rng, 4, 9, 9, 2), images(rng, 3, 3, 2, 5)
    layer = Layer("y", LayerType.CONV_2D, ("x",), (Tensor("k", k), Tensor.row("b", np.zeros(5))), strides=(2, 2))
    np.testing.assert_allclose(evaluated(layer, x)[:1], evaluated(layer, x[:1]), atol=1e-6)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"strides": (0, 1)}, r"layer 'y', conv 2d \(type 20\): strides \[0, 1\]; expected two positive numbers"),
        ({"strides": (1,)}, r"strides \[1\]; expected two"),
        ({"pads": (1, 1, 1, 1)}, r"pads \[1, 1, 1, 1\]; expected \[0, 0, 0, 0\] \(valid\) or \[-1\] \(same\)"),
        ({"tensors": (Tensor.row("k", [1]),)}, "1 tensors; expected 2"),
        ({"inputs": ("x", "x")}, "inputs: x, x; expected 1"),
    ],
)
def test_faulty_layers(fields, message):
    weights = (Tensor("k", np.ones((3, 3, 2, 5), np.float32)), Tensor.row("b", np.zeros(5)))
    made = {"inputs": ("x",), "tensors": weights, "strides": (1, 1)} | fields
    with pytest.raises(BarracudaError, match=message):
        evaluated(Layer("y", LayerType.CONV_2D, **made), np.zeros((1, 4, 4, 2), np.float32))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 4, 4, 3), r"images of shape \[1, 4, 4, 3\]; expected 2 channels"),
        ((1, 2, 4, 2), r"images \[2, 4\] are smaller than windows \[3, 3\]"),
    ],
)
def test_faulty_images(shape, message):
    weights = (Tensor("k", np.ones((3, 3, 2, 5), np.float32)), Tensor.row("b", np.zeros(5)))
    with pytest.raises(BarracudaError, match=message):
        evaluated(Layer("y", LayerType.CONV_2D, ("x",), weights, strides=(1, 1)), np.zeros(shape, np.float32))


def test_weights_have_to_fit():
    k = Tensor("k", np.ones((3, 3, 2, 5), np.float32))
    x = np.zeros((1, 4, 4, 2), np.float32)
    with pytest.raises(BarracudaError, match="the bias has 4 numbers; expected 5, one per channel"):
        evaluated(Layer("y", LayerType.CONV_2D, ("x",), (k, Tensor.row("b", np.zeros(4))), strides=(1, 1)), x)
    with pytest.raises(BarracudaError, match=r"kernel \[3, 3, 2, 5\]; expected one filter per channel"):
        evaluated(Layer("y", LayerType.DEPTHWISE_CONV_2D, ("x",), (k, k), strides=(1, 1)), x)
    with pytest.raises(BarracudaError, match=r"pool size \[\]; expected two positive numbers"):
        evaluated(Layer("y", LayerType.MAX_POOL_2D, ("x",), strides=(1, 1)), x)
