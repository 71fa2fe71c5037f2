"""The policy: observations to action distributions.

The module that is trained is the one that acts and is exported.
"""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int

from mlagents.arrays import Array
from mlagents.nn import distributions
from mlagents.nn.body import Body, Memory
from mlagents.nn.layers import Dense, scaled_normal_dense
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs, Observations

HYBRID_LOG_STD = 0.7
"""Where the Gaussians beside discrete branches begin. The first discrete actions are drawn evenly, continuous ones with
a deviation of 1 reach a third of their range: they would settle on a side before they have seen the other one."""


class ActionDistribution(NamedTuple):
    """What the policy would do in each row.

    Attributes:
      mean: float32 [rows, continuous], Gaussian mean before clipping or squashing.
      log_std: float32 [continuous], shared by all rows, or [rows, continuous].
      log_probs: one float32 [rows, branch size] per discrete branch.
    """

    mean: Float[Array, "rows c"]
    log_std: Float[Array, "... c"]
    log_probs: tuple[Float[Array, "rows _"], ...]

    def log_prob(
        self, continuous: Float[Array, "rows c"], discrete: Int[Array, "rows d"]
    ) -> Float[Array, "rows c_plus_d"]:
        """Return log-probabilities of the given actions, one column per dimension, then one per branch.

        Continuous actions are those before clipping or squashing.
        """
        columns = [distributions.gaussian_log_prob(continuous, self.mean, self.log_std)]
        columns += [
            distributions.categorical_log_prob(log_probs, discrete[:, branch])[:, None]
            for branch, log_probs in enumerate(self.log_probs)
        ]
        return jnp.concatenate(columns, axis=1)

    def entropy(self) -> Float[Array, " rows"]:
        """Return the mean entropy over continuous dimensions plus the sum over branches."""
        total = jnp.zeros(self.mean.shape[0])
        if self.log_std.size:
            total += distributions.gaussian_entropy(self.log_std)
        for log_probs in self.log_probs:
            total += distributions.categorical_entropy(log_probs)
        return total


class ActionHead(eqx.Module):
    """From the body's activations to action distributions.

    Attributes:
      mean: dense layer to the Gaussian means.
      log_std: of the Gaussians: float32 [continuous], a free parameter, initially 0, or `HYBRID_LOG_STD` if there are
        branches, too; or, when squashed, a dense layer, whose output is kept in `LOG_STD_RANGE`.
      logits: one dense layer per discrete branch.
      squashed: the environment gets tanh of a continuous action (as SAC needs it); otherwise the clipped action.
    """

    mean: Dense
    log_std: Float[Array, " c"] | Dense
    logits: tuple[Dense, ...]
    squashed: bool = eqx.field(static=True)

    def __init__(
        self,
        rng: np.random.Generator,
        inputs: int,
        continuous_size: int,
        branches: tuple[int, ...],
        squashed: bool = False,
    ):
        self.mean = scaled_normal_dense(rng, inputs, continuous_size, scale=0.2)
        if squashed:
            self.log_std = scaled_normal_dense(rng, inputs, continuous_size, scale=0.2)
        else:
            self.log_std = np.full(continuous_size, HYBRID_LOG_STD if branches else 0.0, np.float32)
        self.logits = tuple(scaled_normal_dense(rng, inputs, size, scale=0.1) for size in branches)
        self.squashed = squashed

    def __call__(self, hidden: Float[Array, "rows h"], allowed: Bool[Array, "rows s"] | None) -> ActionDistribution:
        """Return the distribution; allowed is bool [rows, sum of branch sizes], True = may be chosen."""
        log_probs, start = [], 0
        for layer in self.logits:
            stop = start + layer.bias.size
            mask = None if allowed is None else allowed[:, start:stop]
            log_probs.append(distributions.masked_log_softmax(layer(hidden), mask))
            start = stop
        log_std = self.log_std
        if isinstance(log_std, Dense):
            log_std = jnp.clip(log_std(hidden), *distributions.LOG_STD_RANGE)
        return ActionDistribution(self.mean(hidden), log_std, tuple(log_probs))


class Policy(eqx.Module):
    """Normaliser, body and action head.

    Attributes:
      normalizer: statistics of the concatenated vector observations, or None; moved by data, not by gradients.
      body: encoders, hidden layers, memory.
      head: action distributions.
      critic_body: of a critic with a memory of its own, which has to see every observation when it comes; its memory
        is kept behind the policy's. None without, and never exported.
    """

    normalizer: Normalizer | None
    body: Body
    head: ActionHead
    critic_body: Body | None = None

    @property
    def memory_size(self) -> int:
        """Numbers of memory kept for each agent: the policy's, and the critic's behind it."""
        return self.body.memory_size + (0 if self.critic_body is None else self.critic_body.memory_size)

    def inputs(self, observations: Observations) -> Inputs:
        """Return what the networks get: observations by kind, vectors normalised."""
        inputs = self.body.layout.sorted(observations)
        return inputs if self.normalizer is None else inputs._replace(vector=self.normalizer(inputs.vector))

    def __call__(
        self,
        observations: Observations,
        allowed: Bool[Array, "rows s"] | None = None,
        memory: Memory | None = None,
    ) -> tuple[ActionDistribution, Memory | None]:
        """Return what the policy would do, and its memory afterwards (see `Body.__call__`)."""
        hidden, after = self.body(self.inputs(observations), memory)
        return self.head(hidden, allowed), after
