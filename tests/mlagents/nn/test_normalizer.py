"""The running normaliser against moments of everything seen."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from mlagents.nn.normalizer import Normalizer


def test_batches_give_the_moments_of_everything_seen():
    # The prior is one observation at 0 with squared deviation 1, so with data x the count is 1 + n, the mean is
    # sum(x) / (1 + n), and m2 = 1 + sum of squared deviations of {0, x...} from that mean.
    rng = np.random.default_rng(0)
    data = rng.normal(3.0, 2.0, size=(50, 2)).astype(np.float32)
    normalizer = Normalizer.initial(2)
    for part in np.split(data, [7, 20]):
        padded = np.concatenate([part, np.full((3, 2), 1e6, np.float32)])
        valid = np.arange(len(padded)) < len(part)
        normalizer = normalizer.updated(jnp.array(padded), jnp.array(valid))
    everything = np.concatenate([np.zeros((1, 2)), data])
    mean = everything.mean(axis=0)
    np.testing.assert_allclose(normalizer.mean, mean, rtol=1e-5)
    np.testing.assert_allclose(normalizer.m2, 1 + ((everything - mean) ** 2).sum(axis=0), rtol=1e-4)
    assert normalizer.count == 51


def test_numpy_and_jax_agree_and_numpy_stays():
    data = np.random.default_rng(1).normal(3.0, 2.0, size=(20, 2)).astype(np.float32)
    valid = np.arange(20) < 15
    compiled = Normalizer.initial(2).updated(jnp.array(data), jnp.array(valid))
    plain = Normalizer.initial(2).updated(data, valid)
    for name in ("mean", "m2", "count"):
        found = getattr(plain, name)
        assert isinstance(found, np.ndarray)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, getattr(compiled, name), rtol=1e-5)


def test_fresh_normaliser_only_clips():
    x = jnp.array([[-7.0, 0.5, 7.0]])
    np.testing.assert_array_equal(Normalizer.initial(3)(x), [[-5.0, 0.5, 5.0]])
