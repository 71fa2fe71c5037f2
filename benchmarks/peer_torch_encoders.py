"""An image encoder forward and backward in eager PyTorch; arguments: encoder, side in pixels, images, type, seconds.

The type of the images is float32 or uint8. Prints CPU microseconds by form as JSON. Forms: "usual"; "channels last",
with that memory format.
"""

from __future__ import annotations

from measure import cpu_us  # settles the number of threads

# isort: split
import json
import sys
from collections.abc import Callable

import torch
from torch import nn

OUTPUTS = 128


class Residual(nn.Module):
    """Two convolutions and their input."""

    def __init__(self, channels: int):
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.layers = nn.Sequential(nn.SiLU(), first, nn.SiLU(), second)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x + layers(x)."""
        return x + self.layers(x)


def layers(kind: str) -> list[nn.Module]:
    """Return the layers before the dense one, for three channels."""
    if kind == "simple":
        return [nn.Conv2d(3, 16, 8, 4), nn.LeakyReLU(), nn.Conv2d(16, 32, 4, 2), nn.LeakyReLU()]
    if kind == "nature_cnn":
        first, second, third = nn.Conv2d(3, 32, 8, 4), nn.Conv2d(32, 64, 4, 2), nn.Conv2d(64, 64, 3)
        return [first, nn.LeakyReLU(), second, nn.LeakyReLU(), third, nn.LeakyReLU()]
    found, channels = [], 3
    for outputs in (16, 32, 32):
        found += [nn.Conv2d(channels, outputs, 3, padding=1), nn.MaxPool2d(3, 2), Residual(outputs), Residual(outputs)]
        channels = outputs
    return [*found, nn.SiLU()]


def update(
    kind: str, side: int, rows: int, memory_format: torch.memory_format, dtype: str = "float32"
) -> Callable[[], None]:
    """Return a function that computes all gradients once."""
    images = torch.rand(rows, 3, side, side)
    body = nn.Sequential(*layers(kind), nn.Flatten())
    last = nn.ReLU() if kind == "resnet" else nn.LeakyReLU()
    encoder = nn.Sequential(body, nn.Linear(body(images[:1]).shape[1], OUTPUTS), last).to(memory_format=memory_format)
    images = images.to(memory_format=memory_format)
    stored = (256 * images).to(torch.uint8) if dtype == "uint8" else images

    def step() -> None:
        encoder.zero_grad()
        unit = stored.float() / 255 if dtype == "uint8" else stored
        encoder(unit).square().mean().backward()

    return step


def main() -> None:
    kind, side, rows, dtype, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5])
    torch.set_num_threads(1)
    forms = {"usual": torch.contiguous_format, "channels last": torch.channels_last}
    print(json.dumps(cpu_us({name: update(kind, side, rows, form, dtype) for name, form in forms.items()}, seconds)))


if __name__ == "__main__":
    main()
