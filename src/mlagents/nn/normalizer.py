"""Running normalisation of vector observations."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from mlagents.arrays import Array

CLIP = 5.0


class Normalizer(eqx.Module):
    """Mean and variance of everything seen so far; not trained by gradients.

    Attributes:
      mean: float32 [n].
      m2: float32 [n], sum of squared deviations from the mean, plus 1 (the prior observation).
      count: float32 [], rows seen, plus 1 (the prior observation).
    """

    mean: Float[Array, " n"]
    m2: Float[Array, " n"]
    count: Float[Array, ""]

    @staticmethod
    def initial(n: int) -> Normalizer:
        """Return a normaliser that has seen nothing: the identity but for clipping."""
        return Normalizer(np.zeros(n, np.float32), np.ones(n, np.float32), np.ones((), np.float32))

    def scale(self) -> Float[Array, " n"]:
        """Return the standard deviation, sqrt(m2 / count)."""
        return jnp.sqrt(self.m2 / self.count)

    def __call__(self, x: Float[Array, "rows n"]) -> Float[Array, "rows n"]:
        """Return (x - mean) / std, clipped to [-5, 5]."""
        return jnp.clip((x - self.mean) / self.scale(), -CLIP, CLIP)

    def updated(self, x: Float[Array, "rows n"], valid: Bool[Array, " rows"]) -> Normalizer:
        """Return the normaliser that has also seen the valid rows of x (Welford's update for a batch).

        m2 grows by sum (x - new mean)(x - old mean) (Chan et al. 1983, eq. 2.1). With numpy arrays everywhere the
        result is one, too, and nothing is compiled.
        """
        xp = jnp if isinstance(x, jax.Array) else np
        rows = valid[:, None]
        count = xp.asarray(self.count + xp.sum(valid), xp.float32)
        old = xp.where(rows, x - self.mean, xp.float32(0.0))
        mean = self.mean + xp.sum(old, axis=0) / count
        new = xp.where(rows, x - mean, xp.float32(0.0))
        return Normalizer(mean, self.m2 + xp.sum(old * new, axis=0), count)
