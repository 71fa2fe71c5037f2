"""One POCA update (arXiv:2111.05992): every epoch and minibatch in a single compiled call.

The actor learns as in PPO. The critic sees a decision together with those of the agent's mates (`GroupCritic`).
Without memory, a minibatch holds mates side by side, so that everybody's observation is encoded once and gradients
reach it from all who see it. With memory, mates are seen as the critic's body saw them before the update.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Bool, Float, Int

from mlagents.algorithms import cloning
from mlagents.algorithms.descent import Descent, descend_epochs
from mlagents.algorithms.ppo import update as ppo
from mlagents.algorithms.ppo.estimates import Experience, all_values, normalized, row_values, with_seen
from mlagents.algorithms.ppo.losses import clipped_surrogate_loss, total_loss, value_loss
from mlagents.algorithms.ppo.networks import memories
from mlagents.algorithms.ppo.update import Coefficients
from mlagents.arrays import Array
from mlagents.data.columns import Columns
from mlagents.learning.sequences import Sequences, mean_over, take, with_memory
from mlagents.learning.trained import TrainedState
from mlagents.nn.body import Body, Memory
from mlagents.nn.group_critic import GroupCritic, Members
from mlagents.nn.observations import Inputs
from mlagents.nn.policy import ActionHead
from mlagents.returns import Scalar, gae, linked_gae, masked_mean

Tree = TypeVar("Tree")

BASELINE_WEIGHT = 0.5
"""Weight of the baseline's squared error beside the value's."""


class Networks(NamedTuple):
    """What gradients train.

    Attributes:
      body, head: of the policy. critic: of the group.
    """

    body: Body
    head: ActionHead
    critic: GroupCritic


NetworksOf = Callable[[Float[Array, " p"]], Networks]


class Recipe(NamedTuple):
    """What an update is compiled for.

    Attributes:
      base: as for PPO; its networks are `Networks`.
      extrinsic: number of the reward signal that a group shares; None without it.
    """

    base: ppo.Recipe
    extrinsic: int | None


class Links(NamedTuple):
    """How rows hang together (see `mlagents.algorithms.poca.groups.GroupLinks`).

    Attributes:
      mates: of each row, -1: none.
      follower: the row that a decision is followed by, as the group counts it.
      over: decisions after which nothing follows, as the group counts it.
      complete: decisions all of whose mates are here.
    """

    mates: Int[Array, "rows mates"]
    follower: Int[Array, " rows"]
    over: Bool[Array, " rows"]
    complete: Bool[Array, " rows"]


class Order(NamedTuple):
    """In which order decisions are learned from.

    Attributes:
      sequences: numbers of the sequences in a new random order for each epoch. Without memory mates stand side by
        side, and there are as many more at both ends as an agent may have mates.
      position: of each row there; of no use with memory.
    """

    sequences: Int[Array, "epochs sequences"]
    position: Int[Array, "epochs _"]


class UpdateStatistics(NamedTuple):
    """What an update reports.

    Attributes:
      policy_loss: |L_policy|, averaged over minibatches. value_loss: L_value, likewise.
      entropy: of the action distributions, likewise.
      baseline_loss: L_baseline, likewise.
      value: V_k averaged over decisions, [K]. deviation: the largest of advantages from now on.
      finite: False when a loss or weight was not finite: then the state is the one before the update.
      cloned: what cloning comes to; None without.
    """

    policy_loss: Float[Array, ""]
    value_loss: Float[Array, ""]
    entropy: Float[Array, ""]
    baseline_loss: Float[Array, ""]
    value: Float[Array, " signals"]
    deviation: Scalar
    finite: Bool[Array, ""]
    cloned: cloning.Cloned | None = None


class Batch(NamedTuple):
    """Rows ready for the loss; their observations are `inputs`, and no longer in the columns.

    Attributes:
      judged: values and baselines before the update; None where the loss does not ask for them.
    """

    inputs: Inputs
    columns: Columns
    action: Float[Array, "rows a"]
    mates: Int[Array, "rows mates"]
    advantage: Float[Array, " rows"]
    returns: Float[Array, "rows signals"]
    complete: Bool[Array, " rows"]
    judged: Float[Array, "rows two_signals"] | None = None


def minibatch_loss(
    parameters: Float[Array, " p"],
    networks_of: NetworksOf,
    batch: Batch,
    margin: int,
    members: Members | None,
    memory: Memory | None,
    valid: Bool[Array, " rows"],
    coefficients: Coefficients,
) -> tuple[Float[Array, ""], Float[Array, " parts"]]:
    """Return the total loss of a minibatch, and its parts [|L_policy|, L_value, entropy, L_baseline].

    Args:
      parameters: all weights.
      networks_of: from them to the networks.
      batch: rows of the minibatch, sequence after sequence, and `margin` more at both ends.
      margin: rows at both ends that are only seen as mates.
      members: where mates are found; None for the batch itself.
      memory: the policy's and the critic's before the first step of every sequence; None without memory.
      valid: rows that count, margins left out.
      coefficients: clip range, entropy bonus.
    """
    networks = networks_of(parameters)
    own, others = memories(memory, networks.body)
    features = networks.critic.features(batch.inputs, others)
    if members is None:
        members = Members(features, batch.action)
    batch, features = jax.tree.map(lambda column: column[margin : len(column) - margin], (batch, features))
    done = batch.columns
    actions = networks.head(networks.body(batch.inputs, own)[0], done.allowed)
    log_prob = actions.log_prob(done.continuous, done.discrete)
    policy = clipped_surrogate_loss(log_prob, done.log_prob, batch.advantage, coefficients.epsilon, valid)
    values, baselines = networks.critic(features, members, batch.mates)
    old_values, old_baselines = (None, None) if batch.judged is None else jnp.split(batch.judged, 2, axis=1)
    value = value_loss(values, batch.returns, valid, old_values, coefficients.epsilon)
    baseline = value_loss(baselines, batch.returns, valid, old_baselines, coefficients.epsilon)
    entropy = mean_over(actions.entropy(), valid)
    parts = jnp.stack([jnp.abs(policy), value, entropy, baseline])
    return total_loss(policy, value + BASELINE_WEIGHT * baseline, entropy, coefficients.beta), parts


def advantages(
    experience: Experience,
    links: Links,
    value: Float[Array, "rows signals"],
    gamma: Float[Array, " signals"],
    lam: float,
    extrinsic: int | None,
) -> Float[Array, "rows signals"]:
    """Return G - V for each signal, where G is the lambda return.

    What the group earns goes on for an agent that has left it. Other signals are the agent's own.
    """
    closing = experience.closing
    found = gae(experience.reward, value, experience.terminated, closing, gamma, lam)
    if extrinsic is None:
        return found
    k = extrinsic
    shared = linked_gae(experience.reward[:, k], value[:, k], links.follower, links.over, closing, gamma[k], lam)
    replaced: Array = jnp.asarray(found).at[:, k].set(shared)
    return replaced


def prepare(
    networks: Networks,
    inputs: Inputs,
    experience: Experience,
    links: Links,
    used: Int[Array, ""],
    sequences: Sequences,
    count: Int[Array, ""],
    gamma: Float[Array, " signals"],
    deviation: Scalar,
    recipe: Recipe,
) -> tuple[Batch, Members, Float[Array, " signals"], Scalar]:
    """Return the rows as a `Batch` and as members of groups, the mean values, and the largest deviation of advantages.

    Values and baselines come from the critic as it stands. The advantage is G - b, or, of who has no mates, G - V;
    averaged over signals and normalised over the complete decisions.
    """
    columns, critic, step = experience.columns, networks.critic, ~experience.closing
    width, memory = critic.own.weight.shape[1], columns.memory[:, networks.body.memory_size :]
    steps, estimation = recipe.base.steps, recipe.base.estimation
    features = all_values(critic.features, width, inputs, memory, experience, used, sequences, count, steps)
    members = Members(features, critic.action_vector(columns.continuous, columns.discrete))

    def judge(part: tuple[Array, Array], _: Any) -> Float[Array, "rows two_signals"]:
        return jnp.concatenate(critic(part[0], members, part[1]), axis=1)

    signals = critic.value.bias.size
    judged = row_values(judge, 2 * signals, (features, jnp.asarray(links.mates)), used)
    value, baseline = judged[:, :signals], judged[:, signals:]
    over_value = advantages(experience, links, value, gamma, estimation.lam, recipe.extrinsic)
    accompanied = jnp.any(links.mates >= 0, axis=1)[:, None]
    advantage = over_value + jnp.where(accompanied, value - baseline, 0.0)
    learned, deviation = estimation.normalized(advantage, links.complete, deviation)
    batch = Batch(
        inputs=inputs,
        columns=columns._replace(observations=[]),
        action=members.action,
        mates=links.mates,
        advantage=learned,
        returns=over_value + value,
        complete=links.complete,
        judged=judged if estimation.value_clip else None,
    )
    return batch, members, jax.vmap(masked_mean, (1, None))(value, step), deviation


def descend(
    descent: Descent,
    batch: Batch,
    members: Members,
    sequences: Sequences,
    order: Order,
    first: Int[Array, ""],
    coefficients: Coefficients,
    recipe: Recipe,
) -> Descent:
    """Return the descent after one gradient step on the minibatch that begins at `first` of one epoch's order."""
    base, stored, margin = recipe.base, batch.columns.memory, 0
    memory: Memory | None = None
    seen: Members | None = members
    if stored.shape[1]:
        chosen = lax.dynamic_slice_in_dim(order.sequences, first, base.sequences)
        rows, valid, memory = with_memory(sequences, chosen, stored, base.steps, base.burn_in)
        part = take(batch, rows)
        valid &= part.complete
    else:
        seen, margin = None, batch.mates.shape[1]
        chosen = lax.dynamic_slice_in_dim(order.sequences, first, base.sequences + 2 * margin)
        part = take(batch, sequences.start[chosen])
        here = jnp.where(part.mates >= 0, jnp.asarray(order.position)[part.mates] - first, -1)
        part = part._replace(mates=here)
        valid = part.complete[margin : len(chosen) - margin]
    gradient = jax.grad(minibatch_loss, has_aux=True)
    grads, parts = gradient(descent.state.parameters, base.networks_of, part, margin, seen, memory, valid, coefficients)
    return descent.stepped(grads, parts, coefficients.learning_rate)


def update(
    state: TrainedState,
    experience: Experience,
    links: Links,
    used: Int[Array, ""],
    sequences: Sequences,
    count: Int[Array, ""],
    order: Order,
    coefficients: Coefficients,
    gamma: Float[Array, " signals"],
    course: cloning.Course | None = None,
    *,
    recipe: Recipe,
) -> tuple[TrainedState, UpdateStatistics]:
    """Return the state after all epochs over the experience, and cloning, and what happened.

    Args:
      state: before the update.
      experience: R rows, of which the first `used` are in use; rewards are the group's.
      links: between the rows.
      used: int32 [].
      sequences: of decisions; the first `count` of them are in use. Without memory, single decisions.
      count: int32 [].
      order: of the sequences. What does not fill a whole minibatch is not used in that epoch.
      coefficients: learning rate, clip range, entropy bonus.
      gamma: discount of each reward signal.
      course: what is cloned after that; None without.
      recipe: what does not change from update to update.
    """
    base = recipe.base
    networks = base.networks_of(state.parameters)
    normalizer = with_seen(state.normalizer, networks.body, experience)
    inputs = normalized(experience.columns.observations, networks.body, normalizer)
    largest: Scalar = coefficients.deviation
    batch, members, value, largest = prepare(
        networks, inputs, experience, links, used, sequences, count, gamma, largest, recipe
    )

    def step(here: Order, i: Int[Array, ""], descent: Descent) -> Descent:
        return descend(descent, batch, members, sequences, here, i * base.sequences, coefficients, recipe)

    before = TrainedState(state.parameters, state.adam, normalizer)
    end = descend_epochs(before, 4, order, count // base.sequences, step)
    kept, finite, cloned = cloning.clone_and_check(state, end.state, end.parts, course, base.cloning)
    policy, critic, entropy, baseline = end.parts
    return kept, UpdateStatistics(policy, critic, entropy, baseline, value, largest, finite, cloned)
