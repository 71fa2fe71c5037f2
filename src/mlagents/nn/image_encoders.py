"""Image encoders: convolutions, then one dense layer.

`simple` and `nature_cnn` (Mnih et al. 2015) see large images, `resnet` (Espeholt et al. 2018, arXiv:1802.01561 fig. 3)
has the most layers, `match3` keeps every cell of a small board apart, `fully_connected` has no convolutions.
"""

from __future__ import annotations

import math
from typing import Literal, TypeAlias, get_args

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Float, Num

from mlagents.arrays import Array
from mlagents.nn.convolution import Convolution, Images, MaxPool, make_convolution
from mlagents.nn.errors import NetworkError
from mlagents.nn.layers import Dense, scaled_normal_dense
from mlagents.settings.schema.network import VisualEncoder

ActivationKind: TypeAlias = Literal["leaky_relu", "relu", "swish"]
Shape: TypeAlias = tuple[int, int, int]
"""Channels, height, width."""

LEAK = 0.01
"""Slope of the leaky rectifier below 0."""

_CHUNK: dict[VisualEncoder, int] = {"simple": 16, "nature_cnn": 16, "resnet": 64, "match3": 16, "fully_connected": 16}
"""Images at a time: few enough for the caches, and enough for the product that is the gradient of the weights. One
image fills them in `resnet`; there, chunks only cost the copying of what they keep for the way back."""


class Activation(eqx.Module):
    """A function of each number.

    Attributes:
      kind: "leaky_relu", max(x, 0.01 x); "relu", max(x, 0); "swish", x sigmoid(x).
    """

    kind: ActivationKind = eqx.field(static=True)

    def __call__(self, x: Float[Array, ...]) -> Float[Array, ...]:
        """Return the function's values, of the shape of x."""
        if self.kind == "swish":
            return jax.nn.silu(x)
        return jnp.where(x > 0, x, LEAK * x if self.kind == "leaky_relu" else 0.0)


class Residual(eqx.Module):
    """Layers whose input is added to their output (He et al. 2016, arXiv:1512.03385 eq. 1).

    Attributes:
      layers: applied in order; they keep the shape.
    """

    layers: tuple[Activation | Convolution, ...]

    def __call__(self, x: Images) -> Images:
        """Return x + layers(x)."""
        y = x
        for layer in self.layers:
            y = layer(y)
        return x + y


Layer: TypeAlias = Convolution | Activation | MaxPool | Residual


class ImageEncoder(eqx.Module):
    """From images to vectors.

    Attributes:
      layers: applied in order to images with channels last.
      dense: applied to the last layer's output in the order (channel, row, column).
      activation: applied last.
      chunk: largest number of images that are taken through the layers at a time on the CPU, so that what is computed
        stays in its caches.
    """

    layers: tuple[Layer, ...]
    dense: Dense
    activation: Activation
    chunk: int = eqx.field(static=True)

    def __call__(self, images: Num[Array, "rows c h w"]) -> Float[Array, "rows out"]:
        """Return the encodings; images are float32 from 0 to 1 or uint8 from 0 to 255, channels first."""
        return self.activation(self.dense(self._features(images)))

    def _features(self, images: Num[Array, "rows c h w"]) -> Float[Array, "rows features"]:
        rows = len(images)
        if rows <= self.chunk or not self.layers or jax.default_backend() != "cpu":
            return self._chunk_features(images)
        size = _chunk_size(rows, self.chunk)
        chunks = math.ceil(rows / size)
        if chunks * size > rows:
            images = jnp.pad(images, ((0, chunks * size - rows), (0, 0), (0, 0), (0, 0)))
        features: Array = lax.map(self._chunk_features, images.reshape(chunks, size, *images.shape[1:]))
        return features.reshape(chunks * size, -1)[:rows]

    def _chunk_features(self, images: Num[Array, "rows c h w"]) -> Float[Array, "rows features"]:
        if not self.layers:
            return _unit(images).reshape(len(images), -1)
        x: Images = _first(self.layers[0], images)
        for layer in self.layers[1:]:
            x = layer(x)
        return x.transpose(0, 3, 1, 2).reshape(len(x), -1)


@jax.checkpoint
def _first(layer: Layer, images: Num[Array, "rows c h w"]) -> Images:
    """Return a layer's output; its rearranged input is not kept for the way back, but made again from the images."""
    return layer(_unit(images).transpose(0, 2, 3, 1))


def _unit(images: Num[Array, "rows c h w"]) -> Float[Array, "rows c h w"]:
    """Return the images with values from 0 to 1."""
    return images.astype(np.float32) / 255.0 if images.dtype == np.uint8 else images


def _chunk_size(rows: int, largest: int) -> int:
    """Return the largest size that divides the rows, or, where that is small, one that leaves few rows over."""
    divisor = max(size for size in range(1, largest + 1) if rows % size == 0)
    return divisor if 2 * divisor > largest else math.ceil(rows / math.ceil(rows / largest))


def make_image_encoder(
    rng: np.random.Generator, kind: VisualEncoder, shape: Shape, outputs: int, name: str
) -> ImageEncoder:
    """Return an encoder with initial weights.

    Args:
      rng: draws the weights.
      kind: the architecture, `vis_encode_type` in the settings.
      shape: of one image, (channels, height, width).
      outputs: width of the encoding.
      name: of the sensor, for errors.

    Raises:
      NetworkError: the image is too small for the encoder.
    """
    smallest = smallest_side(kind)
    if min(shape[1:]) < smallest:
        raise NetworkError(_too_small(kind, shape, name, smallest))
    layers = _make_layers(rng, kind, shape[0])
    features = shape
    for layer in layers:
        features = _output_shape(layer, features)
    dense = scaled_normal_dense(rng, math.prod(features), outputs, scale=1.41)
    activation = Activation("relu" if kind == "resnet" else "leaky_relu")
    return ImageEncoder(layers, dense, activation, _CHUNK[kind])


def smallest_side(kind: VisualEncoder) -> int:
    """Return the height and width, in pixels, of the smallest image that the encoder takes."""
    return {"simple": 20, "nature_cnn": 36, "resnet": 15, "match3": 5, "fully_connected": 1}[kind]


def _too_small(kind: VisualEncoder, shape: Shape, name: str, smallest: int) -> str:
    channels, height, width = shape
    fitting = [other for other in get_args(VisualEncoder) if smallest_side(other) <= min(height, width)]
    return (
        f"sensor '{name}' sends images of {height} x {width} pixels ({channels} channels), but the encoder '{kind}'"
        f" needs at least {smallest} x {smallest}; make the images larger, or set network_settings.vis_encode_type to"
        f" one that fits: {', '.join(fitting) or 'none does'}"
    )


def _make_layers(rng: np.random.Generator, kind: VisualEncoder, channels: int) -> tuple[Layer, ...]:
    if kind == "resnet":
        return _make_resnet(rng, channels)
    layers: list[Layer] = []
    for outputs, kernel, stride in _FILTERS[kind]:
        layers += [make_convolution(rng, channels, outputs, kernel, stride), Activation("leaky_relu")]
        channels = outputs
    return tuple(layers)


_FILTERS: dict[VisualEncoder, tuple[tuple[int, int, int], ...]] = {
    "simple": ((16, 8, 4), (32, 4, 2)),
    "nature_cnn": ((32, 8, 4), (64, 4, 2), (64, 3, 1)),
    "match3": ((35, 3, 1), (144, 3, 1)),
    "fully_connected": (),
}
"""Outputs, kernel and stride of each convolution."""


def _make_resnet(rng: np.random.Generator, channels: int) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for outputs in (16, 32, 32):
        layers += [make_convolution(rng, channels, outputs, kernel=3, padding=1), MaxPool()]
        layers += [_make_residual(rng, outputs), _make_residual(rng, outputs)]
        channels = outputs
    return (*layers, Activation("swish"))


def _make_residual(rng: np.random.Generator, channels: int) -> Residual:
    first, second = (make_convolution(rng, channels, channels, kernel=3, padding=1) for _ in range(2))
    return Residual((Activation("swish"), first, Activation("swish"), second))


def _output_shape(layer: Layer, shape: Shape) -> Shape:
    return layer.output_shape(shape) if isinstance(layer, Convolution | MaxPool) else shape
