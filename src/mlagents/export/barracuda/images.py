"""Image encoders in Barracuda form."""

from __future__ import annotations

import numpy as np

from mlagents.barracuda import Activation, Layer, LayerType, Tensor
from mlagents.export.barracuda.net import BarracudaNet
from mlagents.export.parity.report import ExportError
from mlagents.nn import image_encoders
from mlagents.nn.convolution import Convolution, MaxPool
from mlagents.nn.image_encoders import ImageEncoder, Residual

_SAME_UPPER = (-1,)


def add_image_encoder(net: BarracudaNet, name: str, x: str, encoder: ImageEncoder, shape: tuple[int, ...]) -> str:
    """Add an encoder of images [height, width, channels]; return the name of the encodings.

    Args:
      net: gets the layers.
      name: of the encoder, unique.
      x: name of the images.
      encoder: with its weights.
      shape: of an image, (channels, height, width).

    Raises:
      ExportError: a convolution is padded in a way that the format cannot express.
    """
    channels, height, width = shape
    for i, layer in enumerate(encoder.layers):
        x = _add(net, f"{name}/{i}", x, layer)
        if isinstance(layer, Convolution | MaxPool):
            channels, height, width = layer.output_shape((channels, height, width))
    flat = net.apply(LayerType.FLATTEN, f"{name}/flat", x)
    weight = np.asarray(encoder.dense.weight).reshape(-1, channels, height, width)
    by_pixels = weight.transpose(0, 2, 3, 1).reshape(len(weight), -1)
    dense = net.dense(f"{name}/dense", flat, by_pixels, encoder.dense.bias)
    return _function(net, f"{name}/encoding", dense, encoder.activation)


def _add(net: BarracudaNet, name: str, x: str, layer: image_encoders.Layer) -> str:
    match layer:
        case Convolution():
            return _convolution(net, name, x, layer)
        case MaxPool():
            return net.add(Layer(name, LayerType.MAX_POOL_2D, (x,), strides=(2, 2), pool_size=(3, 3)))
        case Residual():
            y = x
            for i, inner in enumerate(layer.layers):
                y = _add(net, f"{name}/{i}", y, inner)
            return net.apply(LayerType.ADD, name, x, y)
    return _function(net, name, x, layer)


def _convolution(net: BarracudaNet, name: str, x: str, layer: Convolution) -> str:
    kernel = np.asarray(layer.weight).transpose(2, 3, 1, 0)
    is_same = layer.stride == 1 and 2 * layer.padding == len(kernel) - 1
    if layer.padding and not is_same:
        raise ExportError(
            f"a convolution with {len(kernel)} x {len(kernel)} weights, stride {layer.stride} and {layer.padding}"
            " pixels of padding cannot be written to a .nn model; it knows none, or as much as keeps the size"
        )
    weights = Tensor(f"{name}/kernel", kernel), Tensor.row(f"{name}/bias", layer.bias)
    pads = _SAME_UPPER if layer.padding else (0, 0, 0, 0)
    return net.add(Layer(name, LayerType.CONV_2D, (x,), weights, pads=pads, strides=(layer.stride, layer.stride)))


def _function(net: BarracudaNet, name: str, x: str, function: image_encoders.Activation) -> str:
    match function.kind:
        case "relu":
            return net.activation(Activation.RELU, name, x)
        case "swish":
            return net.activation(Activation.SWISH, name, x)
        case "leaky_relu":
            slope = net.constant("leak", [image_encoders.LEAK])
            return net.apply(LayerType.MAXIMUM, name, x, net.apply(LayerType.MUL, f"{name}/below", x, slope))
