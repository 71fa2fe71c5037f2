"""One pass through an LSTM and back, 16 sequences of 64 steps: ours against `torch.nn.LSTM`.

As many inputs as memory cells; gradients of weights and inputs. Both take turns, `rounds` times.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import statistics
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import peer_install
from measure import Figure

from mlagents.nn.memory import Lstm, make_lstm

SEQUENCES, STEPS, CELLS = 16, 64, (64, 128)
TARGET_RATIO = 1.3


def passes(cells: int) -> dict[str, Callable[[], object]]:
    """Return compiled calls that wait for their result, by the names of the peer's."""
    rng = np.random.default_rng(0)
    x, weighting = (jax.device_put(a) for a in rng.standard_normal((2, SEQUENCES, STEPS, cells), np.float32))
    lstm = jax.device_put(make_lstm(rng, cells, 2 * cells))
    memory = jnp.zeros((SEQUENCES, lstm.memory_size))

    def loss(lstm: Lstm, x: jax.Array) -> jax.Array:
        return jnp.sum(lstm.sequences(x, memory)[0] * weighting)

    forward = jax.jit(lambda lstm, x: lstm.sequences(x, memory)).lower(lstm, x).compile()
    both = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(lstm, x).compile()
    return {
        "forward": lambda: jax.block_until_ready(forward(lstm, x)),
        "both": lambda: jax.block_until_ready(both(lstm, x)),
    }


def main() -> None:
    quick = measure.arguments(__doc__).quick
    rounds, seconds = (2, 0.5) if quick else (5, 2.0)
    figures, ratios = [], []
    for cells in CELLS:
        ours, samples = passes(cells), {}
        for _ in range(rounds):
            arguments = (str(cells), str(SEQUENCES), str(STEPS), str(seconds))
            theirs = peer_install.run("peer_torch_lstm.py", *arguments)
            for side, times in (("ours", measure.cpu_us(ours, seconds)), ("PyTorch", theirs)):
                for name, us in times.items():
                    samples.setdefault((side, name), []).append(us)
        for name, what, goal in (("both", "forward and backward", TARGET_RATIO), ("forward", "forward", None)):
            mine, peers = (statistics.median(samples[side, name]) for side in ("ours", "PyTorch"))
            size = f"{what}, {cells} cells"
            ratios.append(Figure(f"ours / PyTorch: {size}", mine / peers, "x", at_most=goal))
            figures.append(Figure(f"ours: {size}", mine, "us"))
            figures.append(Figure(f"PyTorch: {size}", peers, "us"))
    measure.emit("lstm", ratios + figures)


if __name__ == "__main__":
    main()
