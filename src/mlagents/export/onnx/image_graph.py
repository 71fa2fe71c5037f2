"""Image encoders as operations, on images with channels first."""

from __future__ import annotations

from typing import assert_never

from mlagents.export.onnx.graph import Convolution as ConvolutionOperation
from mlagents.export.onnx.graph import LeakyRelu
from mlagents.export.onnx.graph import MaxPool as MaxPoolOperation
from mlagents.export.onnx.net import Net
from mlagents.nn import image_encoders
from mlagents.nn.convolution import Convolution, MaxPool
from mlagents.nn.image_encoders import Activation, ImageEncoder, Residual


def add_image_encoder(net: Net, name: str, x: str, encoder: ImageEncoder) -> str:
    """Add an encoder of images [batch, channels, height, width]; return the name of the encodings."""
    for i, layer in enumerate(encoder.layers):
        x = _add(net, f"{name}.layers.{i}", x, layer)
    flat = net.reshape(f"{name}.flat", x, encoder.dense.weight.shape[1])
    dense = net.dense(f"{name}.dense", flat, encoder.dense.weight, encoder.dense.bias)
    return _activation(net, f"{name}.encoding", dense, encoder.activation)


def _add(net: Net, name: str, x: str, layer: image_encoders.Layer) -> str:
    match layer:
        case Convolution():
            weight = net.constant(f"{name}.weight", layer.weight)
            bias = net.constant(f"{name}.bias", layer.bias)
            return net.add(ConvolutionOperation(name, x, weight, bias, layer.stride, layer.padding))
        case MaxPool():
            return net.add(MaxPoolOperation(name, x, size=3, stride=2))
        case Residual():
            y = x
            for i, inner in enumerate(layer.layers):
                y = _add(net, f"{name}.layers.{i}", y, inner)
            return net.arithmetic(name, "Add", x, y)
        case Activation():
            return _activation(net, name, x, layer)
    assert_never(layer)


def _activation(net: Net, name: str, x: str, activation: Activation) -> str:
    match activation.kind:
        case "leaky_relu":
            return net.add(LeakyRelu(name, x, image_encoders.LEAK))
        case "relu":
            return net.function(name, "Relu", x)
        case "swish":
            return net.swish(name, x)
