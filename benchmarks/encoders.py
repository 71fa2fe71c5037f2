"""The cost of the image encoders, forward and backward, 84 x 84 x 3: ours against eager PyTorch.

Ours is measured in a compiled loop over minibatches, as updates have it, with images as float32 and as bytes, which
updates keep where nothing is lost; both sides convert bytes within the measured time. Both take turns.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import statistics
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import peer_install
from jax import lax
from measure import Figure

from mlagents.nn.image_encoders import make_image_encoder
from mlagents.settings.schema.network import VisualEncoder

SIDE, OUTPUTS, MINIBATCHES = 84, 128, 2
FORMS: tuple[tuple[VisualEncoder, int, str], ...] = (
    ("simple", 16, "float32"),
    ("simple", 64, "float32"),
    ("simple", 64, "uint8"),
    ("simple", 256, "float32"),
    ("simple", 256, "uint8"),
    ("nature_cnn", 16, "float32"),
    ("nature_cnn", 64, "float32"),
    ("nature_cnn", 256, "float32"),
    ("resnet", 16, "float32"),
    ("resnet", 64, "float32"),
)
TARGET_RATIO = 1.3


def gradients(kind: VisualEncoder, rows: int, dtype: str = "float32") -> tuple[Callable[[], object], float]:
    """Return a call that goes through all minibatches, and the CPU seconds it took to compile."""
    encoder = make_image_encoder(np.random.default_rng(0), kind, (3, SIDE, SIDE), OUTPUTS, "camera")
    values = 256 * np.random.default_rng(1).random((MINIBATCHES, rows, 3, SIDE, SIDE), np.float32)
    images = values.astype(np.uint8) if dtype == "uint8" else values / 256

    def step(encoder, minibatch):
        gradient = jax.grad(lambda e: jnp.mean(e(minibatch) ** 2))(encoder)
        return jax.tree.map(lambda p, g: p - 1e-3 * g, encoder, gradient), None

    arguments = jax.device_put((encoder, images))
    start = time.process_time()
    call = jax.jit(lambda encoder, images: lax.scan(step, encoder, images)[0]).lower(*arguments).compile()
    return lambda: jax.block_until_ready(call(*arguments)), time.process_time() - start


def main() -> None:
    quick = measure.arguments(__doc__).quick
    forms, rounds, seconds = (FORMS[:1], 1, 0.5) if quick else (FORMS, 3, 2.0)
    figures, ratios = [], []
    for kind, rows, dtype in forms:
        call, compiling_s = gradients(kind, rows, dtype)
        times, eager = [], {}
        for _ in range(rounds):
            for form, us in peer_install.run(
                "peer_torch_encoders.py", kind, str(SIDE), str(rows), dtype, str(seconds)
            ).items():
                eager.setdefault(form, []).append(us)
            times.append(measure.cpu_us({"ours": call}, seconds)["ours"] / MINIBATCHES)
        ours, what = statistics.median(times), f"{kind}, {rows} images, {dtype}"
        figures.append(Figure(f"ours: {what}", ours, "us"))
        figures.append(Figure(f"ours: compiling, {what}", compiling_s, "s"))
        for form, samples in eager.items():
            theirs = statistics.median(samples)
            figures.append(Figure(f"PyTorch, {form}: {what}", theirs, "us"))
            goal = TARGET_RATIO if form == "usual" else None
            ratios.append(Figure(f"ours / PyTorch, {form}: {what}", ours / theirs, "x", at_most=goal))
    measure.emit("encoders", ratios + figures)


if __name__ == "__main__":
    main()
