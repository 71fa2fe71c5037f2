"""Many SAC updates, each on a minibatch of its own, in a single compiled call."""

from __future__ import annotations

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int
from numpy.typing import ArrayLike

from mlagents.algorithms import cloning
from mlagents.algorithms.sac import losses
from mlagents.algorithms.sac.networks import QNetwork, Structure, Target
from mlagents.arrays import Array
from mlagents.data.columns import Columns
from mlagents.learning.sequences import Valid, mean_over, past_burn_in
from mlagents.learning.trained import TrainedState
from mlagents.nn.body import Memory, encoded
from mlagents.nn.critic import Critic
from mlagents.nn.distributions import squashed_gaussian_sample
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs, ObservationLayout
from mlagents.nn.policy import ActionDistribution


class LearnerState(eqx.Module):
    """What an update changes.

    Attributes:
      trained: all weights of `Networks` and Adam's moments; the normaliser is moved as experience arrives.
      target: float32 [V], weights of `Target`, as they stand first in the parameters.
    """

    trained: TrainedState
    target: Float[Array, " v"]


class Transitions(NamedTuple):
    """Sampled sequences: each has the rows of its decisions and one more row (see `mlagents.data.replay.Replay`).

    Attributes:
      columns: [rows, ...].
      reward: of every signal. terminated: after which decisions nothing follows, as each signal counts it.
      length: int32 [rows], how many decisions the sequence of the row has.
    """

    columns: Columns
    reward: Float[Array, "rows signals"]
    terminated: Bool[Array, "rows signals"]
    length: Int[Array, " rows"]


class UpdateStatistics(NamedTuple):
    """What a call reports, averaged over its updates.

    Attributes:
      policy_loss, value_loss, q1_loss, q2_loss: as the losses are.
      entropy: of the policy, estimated on the minibatches, summed over temperatures.
      value: V_k averaged over decisions, [K].
      alpha: temperatures after the last update, [t].
      finite: False when a loss or weight was not finite: then the state is the one before the call.
      cloned: what cloning comes to; None without.
    """

    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    q1_loss: Float[Array, ""]
    q2_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    value: Float[Array, " signals"]
    alpha: Float[Array, " t"]
    finite: Bool[Array, ""]
    cloned: cloning.Cloned | None = None


class Batch(NamedTuple):
    """Decisions ready for the loss, sequence after sequence.

    Attributes:
      inputs: at the decisions, images not encoded.
      later: what V of the following observations needs: without memory these observations; with memory the decisions'
        and, as one more step of each sequence, the last following one.
      memory: of the policy before the first decision of every sequence; None without memory.
      valid: decisions that count; None for all of them.
      action: in [-1, 1]. noise: standard normal.
    """

    inputs: Inputs
    later: Inputs
    memory: Memory | None
    valid: Valid
    action: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    allowed: Bool[Array, "rows s"]
    reward: Float[Array, "rows signals"]
    terminated: Bool[Array, "rows signals"]
    noise: Float[Array, "rows c"]


class Recipe(NamedTuple):
    """What updates are compiled for.

    Attributes:
      structure: of the networks.
      sequences: in a minibatch. steps: in a sequence, 1 without memory.
      burn_in: share of a sequence that only warms the memory up (see `past_burn_in`).
      tau: share of the value network and encoders that goes into their target at each update.
      cloning: None without.
    """

    structure: Structure
    sequences: int
    steps: int
    burn_in: float
    tau: float
    cloning: cloning.Recipe | None = None


def next_values(target: Target, batch: Batch, steps: int) -> Float[Array, "rows signals"]:
    """Return the target network's V_k of the observations after the decisions."""
    later = encoded(target.encoders, batch.later)
    if batch.memory is None:
        return target.value(later)[0]
    value, _ = target.value(later, _nothing(target.value, batch.memory))
    per_step: Array = value.reshape(-1, steps + 1, value.shape[1])[:, 1:]
    return per_step.reshape(-1, value.shape[1])


def _nothing(critic: Critic | QNetwork, memory: Memory | None) -> Memory | None:
    """Return the memory that critics start a sequence with: zeros."""
    return None if memory is None else jnp.zeros((len(memory), critic.body.memory_size))


def minibatch_loss(
    parameters: Float[Array, " p"],
    target: Float[Array, " v"],
    recipe: Recipe,
    batch: Batch,
    gamma: Float[Array, " signals"],
) -> tuple[Float[Array, ""], Float[Array, " reported"]]:
    """Return the sum of all losses, and what is reported: losses of policy, V, Q1, Q2, then entropy, then mean V_k.

    Every loss has gradients for its own networks only, so that one gradient of the sum serves all of them; encoders
    learn by the losses of V, Q1 and Q2.
    """
    structure, valid = recipe.structure, batch.valid
    networks = structure.networks(parameters)
    branches = tuple(layer.bias.size for layer in networks.head.logits)
    inputs = encoded(networks.body.encoders, batch.inputs)
    given: Inputs = lax.stop_gradient(inputs)
    hidden, _ = networks.body.without_encoders()(given, batch.memory)
    actions: ActionDistribution = networks.head(hidden, batch.allowed)
    blank = _nothing(networks.value, batch.memory)
    sample, log_prob = squashed_gaussian_sample(actions.mean, actions.log_std, batch.noise)
    negentropy = losses.negentropy(log_prob, actions.log_probs)
    alpha = lax.stop_gradient(jnp.exp(networks.log_alpha))
    cost = losses.entropy_cost(alpha, negentropy, len(branches))

    frozen_q1, frozen_q2 = lax.stop_gradient((networks.q1, networks.q2))
    best_q1 = losses.expected_q(frozen_q1(given, sample, blank), actions)
    best_q2 = losses.expected_q(frozen_q2(given, sample, blank), actions)
    policy = losses.policy_loss(cost, best_q1, valid)

    v_target = lax.stop_gradient(losses.value_target(best_q1, best_q2, cost))
    v, _ = networks.value(inputs, blank)
    value = losses.half_squared_error(v, v_target, valid)

    next_value = lax.stop_gradient(next_values(structure.target(target), batch, recipe.steps))
    target_q = losses.q_target(batch.reward, batch.terminated, next_value, gamma)
    q1, q2 = (
        losses.half_squared_error(losses.chosen_q(found, batch.discrete, branches), target_q, valid)
        for found in (q(inputs, batch.action, blank) for q in (networks.q1, networks.q2))
    )

    goal = losses.target_entropy(batch.action.shape[1], branches)
    temperature = losses.temperature_loss(networks.log_alpha, lax.stop_gradient(negentropy), goal, valid)
    entropy = -mean_over(jnp.sum(negentropy, axis=1), valid)
    mean_v = [mean_over(v[:, k], valid) for k in range(v.shape[1])]
    reported = jnp.stack([policy, value, q1, q2, entropy, *mean_v])
    return policy + value + q1 + q2 + temperature, reported


def minibatch(
    transitions: Transitions,
    noise: Float[Array, "updates rows c"],
    number: Int[Array, ""],
    normalizer: Normalizer | None,
    layout: ObservationLayout,
    recipe: Recipe,
) -> Batch:
    """Return the minibatch of one update."""
    sequences, steps = recipe.sequences, recipe.steps
    rows = sequences * (steps + 1)
    part: Transitions = jax.tree.map(lambda c: lax.dynamic_slice_in_dim(c, number * rows, rows), transitions)

    def decisions(x: ArrayLike) -> Array:
        """Leave out the row after each sequence."""
        rows = jnp.asarray(x)
        kept: Array = rows.reshape(sequences, steps + 1, *rows.shape[1:])[:, :-1]
        kept = kept.reshape(sequences * steps, *rows.shape[1:])
        return kept

    columns = part.columns
    every = layout.sorted(columns.observations)
    if normalizer is not None:
        every = every._replace(vector=normalizer(every.vector))
    inputs: Inputs = jax.tree.map(decisions, every)
    memory: Memory | None = None
    valid: Valid = None
    if columns.memory.shape[1]:
        memory = jnp.asarray(columns.memory)[:: steps + 1]
        valid = (jnp.arange(steps) < part.length[:: steps + 1, None]).ravel()
        valid = past_burn_in(valid, memory, steps, recipe.burn_in)
        later = every
    else:
        later = jax.tree.map(lambda x: x[1::2], every)
    return Batch(
        inputs=inputs,
        later=later,
        memory=memory,
        valid=valid,
        action=jnp.tanh(decisions(columns.continuous)),
        discrete=decisions(columns.discrete),
        allowed=decisions(columns.allowed),
        reward=decisions(part.reward),
        terminated=decisions(part.terminated),
        noise=noise[number],
    )


_Cloned = cloning.Cloned | None


def update(
    state: LearnerState,
    normalizer: Normalizer | None,
    transitions: Transitions,
    noise: Float[Array, "updates rows c"],
    updates: Int[Array, ""] | np.int32,
    learning_rate: Float[Array, ""] | np.float32,
    gamma: Float[Array, " signals"],
    course: cloning.Course | None = None,
    *,
    recipe: Recipe,
) -> tuple[LearnerState, UpdateStatistics]:
    """Return the state after the updates, and what happened.

    Args:
      state: before.
      normalizer: of the observations, or None.
      transitions: minibatches behind one another, for as many updates as there may be in a call.
      noise: standard normal numbers for the actions the policy would take.
      updates: how many minibatches to use, 1 or more; the others are not read.
      learning_rate: of all networks and temperatures.
      gamma: discount of each reward signal.
      course: what is cloned after every update; None without.
      recipe: what does not change from call to call.
    """
    gradient = jax.grad(minibatch_loss, has_aux=True)
    layout = recipe.structure.networks(state.trained.parameters).body.layout

    def step(number: Int[Array, ""], carry: tuple[LearnerState, Array, _Cloned]) -> tuple[LearnerState, Array, _Cloned]:
        now, sums, cloned = carry
        batch = minibatch(transitions, noise, number, normalizer, layout, recipe)
        grads, reported = gradient(now.trained.parameters, now.target, recipe, batch, gamma)
        trained = now.trained.descended(grads, learning_rate)
        target = now.target + recipe.tau * (trained.parameters[: now.target.size] - now.target)
        if cloned is not None and course is not None and recipe.cloning is not None:
            own = course._replace(seed=course.seed + jnp.uint32(number))
            trained, found = cloning.clone(trained, cloned.adam, normalizer, own, own.order[number], recipe.cloning)
            cloned = cloning.Cloned(found.adam, cloned.loss + found.loss)
        return LearnerState(trained, target), sums + reported, cloned

    zeros = jnp.zeros(5 + transitions.reward.shape[1])
    begun = None if course is None else cloning.Cloned(course.adam, jnp.zeros(()))
    after, sums, cloned = lax.fori_loop(0, updates, step, (state, zeros, begun))
    means = sums / updates
    cloned = None if cloned is None else cloning.Cloned(cloned.adam, cloned.loss / updates)
    adam = None if course is None else course.adam
    watched = means, after.trained.parameters
    kept, finite, cloned = cloning.kept_if_finite(state, adam, after, cloned, *watched)
    alpha = jnp.exp(recipe.structure.networks(kept.trained.parameters).log_alpha)
    return kept, UpdateStatistics(means[0], means[1], means[2], means[3], means[4], means[5:], alpha, finite, cloned)
