"""The discriminator of GAIL: does a decision look like one of the demonstrations? Networks and losses.

Generative adversarial imitation, Ho & Ermon 2016 (arXiv:1606.03476); its variational bottleneck, Peng et al. 2018
(arXiv:1810.00821); the gradient penalty, Gulrajani et al. 2017 (arXiv:1704.00028), one-sided as in Petzka et al. 2018
(arXiv:1709.08894).
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from mlagents.arrays import Array
from mlagents.nn.body import Body
from mlagents.nn.build import make_body
from mlagents.nn.layers import Dense, glorot_dense, scaled_normal_dense
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs
from mlagents.reward_signals.transitions import Transitions, acted
from mlagents.settings import GAILSettings
from mlagents_envs.base_env import BehaviorSpec

LATENT = 128
"""Numbers that pass the bottleneck of VAIL."""

INFORMATION = 0.5
"""What may pass it on average, in nats: I_c in Peng et al. eq. 8, for an expert's and a policy's decision together."""

SLOPE_EPSILON = 1e-7
"""Keeps the square root in the gradient penalty differentiable."""


class Bottleneck(NamedTuple):
    """A noisy channel between body and score.

    Attributes:
      mean: dense layer to the mean of the latent.
      log_std: float32 [LATENT], logarithm of its standard deviation.
    """

    mean: Dense
    log_std: Float[Array, " z"]


class Discriminator(NamedTuple):
    """What gradients train.

    Attributes:
      body: observations, and what was done if that is judged, too, to activations.
      bottleneck: None but for VAIL.
      score: dense layer to one number, log D - log(1 - D).
    """

    body: Body
    bottleneck: Bottleneck | None
    score: Dense


class Judged(NamedTuple):
    """What is judged of every decision; no row depends on another.

    Attributes:
      inputs: float32, images too.
      action: what was done, and 1 if it ended the episode; None if only observations count.
    """

    inputs: Inputs
    action: Float[Array, "rows a"] | None


class Parts(NamedTuple):
    """What the loss is made of, all float32 [].

    Attributes:
      adversarial: -mean log D(expert) - mean log(1 - D(policy)).
      penalty: of gradients, weighted. information: what passes the bottleneck, 0 without.
      policy, expert: mean D of either. policy_score: mean log D - log(1 - D) of the policy.
    """

    adversarial: Float[Array, ""]
    penalty: Float[Array, ""]
    information: Float[Array, ""]
    policy: Float[Array, ""]
    expert: Float[Array, ""]
    policy_score: Float[Array, ""]


PENALTY = 10.0
"""Weight of the gradient penalty, lambda in Gulrajani et al. eq. 3."""


def make_discriminator(rng: np.random.Generator, spec: BehaviorSpec, settings: GAILSettings) -> Discriminator:
    """Return a discriminator with initial weights; memory is ignored."""
    network = settings.network_settings.model_copy(update={"memory": None})
    action = spec.action_spec
    done = action.continuous_size + sum(action.discrete_branches) + 1 if settings.use_actions else 0
    body = make_body(rng, spec.observation_specs, network, done)
    width, bottleneck = network.hidden_units, None
    if settings.use_vail:
        latent = scaled_normal_dense(rng, width, LATENT, scale=0.1)
        bottleneck, width = Bottleneck(latent, np.zeros(LATENT, np.float32)), LATENT
    return Discriminator(body, bottleneck, glorot_dense(rng, width, 1))


def what_is_judged(
    discriminator: Discriminator,
    normalizer: Normalizer | None,
    transitions: Transitions,
    branches: tuple[int, ...],
    use_actions: bool,
) -> Judged:
    """Return what is judged of every row."""
    inputs = discriminator.body.layout.sorted(transitions.observations)
    vector = inputs.vector if normalizer is None else normalizer(inputs.vector)
    images = tuple(i / jnp.float32(255.0) if i.dtype == jnp.uint8 else i for i in inputs.images)
    action = None
    if use_actions:
        ends = jnp.asarray(transitions.terminated, jnp.float32)[:, None]
        action = jnp.concatenate([acted(transitions, branches), ends], axis=1)
    return Judged(Inputs(jnp.asarray(vector), images, inputs.entities), action)


def scores(
    discriminator: Discriminator, judged: Judged, noise: Float[Array, "rows z"] | None
) -> tuple[Float[Array, " rows"], Float[Array, "rows z"] | None]:
    """Return log D - log(1 - D) of every row, and the means of the latents, None without a bottleneck.

    Args:
      discriminator: its networks.
      judged: rows.
      noise: standard normal, of the bottleneck; None to let the means through.
    """
    hidden, _ = discriminator.body(judged.inputs, None, judged.action)
    bottleneck, mean = discriminator.bottleneck, None
    if bottleneck is not None:
        hidden = mean = bottleneck.mean(hidden)
        if noise is not None:
            hidden = mean + jnp.exp(bottleneck.log_std) * noise
    return discriminator.score(hidden)[:, 0], mean


def gradient_penalty(
    discriminator: Discriminator,
    expert: Judged,
    policy: Judged,
    share: Float[Array, " rows"],
    noise: Float[Array, "rows z"] | None,
) -> Float[Array, ""]:
    """Return the mean of max(0, ||g|| - 1)^2, arXiv:1709.08894 eq. 8.

    g is the gradient of the score with respect to all that is judged, at points between the decisions of expert and
    policy. It is the score's, log D - log(1 - D), because the score is the reward: D itself has a slope of 1 only
    where the score's is 4 or more. Slopes below 1 cost nothing, unlike in arXiv:1704.00028 eq. 3: a score that begins
    with the wrong sign has to pass 0 to turn round, which would cost more than it gains.

    Args:
      discriminator: its networks.
      expert: rows.
      policy: as many rows.
      share: where between them, 0 at the policy's and 1 at the expert's.
      noise: of the bottleneck.
    """

    def between(a: Float[Array, "rows ..."], b: Float[Array, "rows ..."]) -> Float[Array, "rows ..."]:
        weight = share.reshape(-1, *[1] * (a.ndim - 1))
        return weight * a + (1.0 - weight) * b

    def total(judged: Judged) -> Float[Array, ""]:
        return jnp.sum(scores(discriminator, judged, noise)[0])

    gradient = jax.grad(total)(jax.tree.map(between, expert, policy))
    squares = sum(jnp.sum(part.reshape(len(share), -1) ** 2, axis=1) for part in jax.tree.leaves(gradient))
    return jnp.mean(jnp.maximum(jnp.sqrt(squares + SLOPE_EPSILON) - 1.0, 0.0) ** 2)


def information(
    bottleneck: Bottleneck, expert: Float[Array, "rows z"], policy: Float[Array, "rows z"]
) -> Float[Array, ""]:
    """Return how far the latents are from standard normal ones, on average.

    That is KL(N(mean, std^2) || N(0, 1)), summed over an expert's and a policy's decision: arXiv:1810.00821 eq. 10.
    """
    log_variance = 2.0 * bottleneck.log_std
    per_latent = jnp.exp(log_variance) - log_variance - 1.0
    squares = 0.5 * jnp.mean(expert**2, axis=0) + 0.5 * jnp.mean(policy**2, axis=0)
    return jnp.sum(per_latent + squares)


def loss(
    discriminator: Discriminator,
    expert: Judged,
    policy: Judged,
    share: Float[Array, " points"],
    noise: Float[Array, "3 rows z"] | None,
    beta: Float[Array, ""] | np.float32,
) -> tuple[Float[Array, ""], Parts]:
    """Return the loss of a minibatch, and its parts.

    Args:
      discriminator: its networks.
      expert: rows.
      policy: as many rows.
      share: of the points for the gradient penalty, which lie between as many of the first rows.
      noise: of the bottleneck: for expert, policy, and the points between; None without.
      beta: price of information that passes the bottleneck.
    """
    of_expert, of_policy, of_points = (None, None, None) if noise is None else (noise[0], noise[1], noise[2])
    score_e, latent_e = scores(discriminator, expert, of_expert)
    score_p, latent_p = scores(discriminator, policy, of_policy)
    adversarial = jnp.mean(jax.nn.softplus(-score_e)) + jnp.mean(jax.nn.softplus(score_p))
    expert, policy, of_points = jax.tree.map(lambda rows: rows[: len(share)], (expert, policy, of_points))
    penalty = PENALTY * gradient_penalty(discriminator, expert, policy, share, of_points)
    passed: Array = jnp.zeros(())
    total: Array = adversarial + penalty
    if discriminator.bottleneck is not None and latent_e is not None and latent_p is not None:
        passed = information(discriminator.bottleneck, latent_e, latent_p)
        total += beta * (passed - INFORMATION)
    estimates = jnp.mean(jax.nn.sigmoid(score_p)), jnp.mean(jax.nn.sigmoid(score_e))
    return total, Parts(adversarial, penalty, passed, *estimates, jnp.mean(score_p))


BETA_RATE = 0.0005
"""Step size of the price of information, alpha_beta in Peng et al. alg. 1."""


def next_beta(beta: Float[Array, ""] | np.float32, passed: Float[Array, ""] | np.float32) -> Float[Array, ""]:
    """Return the price of information after a dual step: it rises while too much passes (arXiv:1810.00821 eq. 9)."""
    return jnp.maximum(0.0, beta + BETA_RATE * (passed - INFORMATION))
