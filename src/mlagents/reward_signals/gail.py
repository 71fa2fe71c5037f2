"""GAIL: reward for decisions that a learned discriminator cannot tell from those of demonstrations.

The reward is the discriminator's score, log D - log(1 - D), less what the policy's own latest decisions score on
average. -log(1 - D), as it is widely used, is always positive, so every further step pays, and agents learn not to
finish; the bare score is negative while the policy is still easily told, so agents learn to end everything early
(Kostrikov et al. 2019, arXiv:1809.02925, sec. 4.1). Less its average, a step is worth nothing as such: what counts is
whether it looks more like the expert than usual.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Bool, Float, Int, UInt32
from numpy.typing import NDArray

from mlagents.arrays import Array
from mlagents.data.demonstrations import DemonstratedRows, load_demonstrations
from mlagents.data.segments import FlatSegments
from mlagents.learning.compiling import Compiled
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.learning.sequences import take
from mlagents.learning.streams import stream
from mlagents.learning.trained import Trained, TrainedState, finite_or_before
from mlagents.nn.normalizer import Normalizer
from mlagents.reward_signals.discriminator import (
    LATENT,
    Discriminator,
    Parts,
    loss,
    make_discriminator,
    next_beta,
    scores,
    what_is_judged,
)
from mlagents.reward_signals.transitions import (
    Transitions,
    branches_of,
    judged,
    minibatch_order,
    normalizer_after,
    transitions_of,
)
from mlagents.settings import GAILSettings
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

POINTS_EVERY = 4
"""Rows of a minibatch for one point at which the gradient penalty is taken, which costs more than all the rest."""


class GAILState(eqx.Module):
    """What learning changes.

    Attributes:
      trained: the discriminator.
      beta: price of information that passes VAIL's bottleneck.
      average: score of the policy's decisions at the last learning, which a reward is counted from.
    """

    trained: TrainedState
    beta: Float[Array, ""]
    average: Float[Array, ""]


class Recipe(NamedTuple):
    """What the calls are compiled for.

    Attributes:
      discriminator_of: from the parameter vector to the networks.
      branches: sizes of the discrete branches.
      use_actions: judge actions and ends, too.
    """

    discriminator_of: Callable[[Float[Array, " p"]], Discriminator]
    branches: tuple[int, ...]
    use_actions: bool


def judge(
    state: GAILState, transitions: Transitions, used: Int[Array, ""] | np.int32, *, recipe: Recipe
) -> Float[Array, " rows"]:
    """Return the score of every decision in the rows in use, less the average, 0 elsewhere; strength not applied."""
    discriminator = recipe.discriminator_of(state.trained.parameters)

    def judge_part(part: Transitions) -> Float[Array, " chunk"]:
        decisions: Transitions = jax.tree.map(lambda x: x[:-1], part)
        seen = what_is_judged(discriminator, state.trained.normalizer, decisions, recipe.branches, recipe.use_actions)
        return scores(discriminator, seen, None)[0] - state.average

    return judged(transitions, used, judge_part)


def learn(
    state: GAILState,
    experts: Transitions,
    transitions: Transitions,
    order: Int[Array, "most rows"],
    chosen: Int[Array, "most rows"],
    minibatches: Int[Array, ""] | np.int32,
    learning_rate: Float[Array, ""] | np.float32,
    seed: UInt32[Array, ""] | np.uint32,
    *,
    recipe: Recipe,
) -> tuple[GAILState, Parts, Bool[Array, ""]]:
    """Return the state after a gradient step for each minibatch, the loss's parts averaged, and whether all is finite.

    Args:
      state: before.
      experts: demonstrated decisions.
      transitions: R rows of the policy.
      order: rows of the policy's decisions in each minibatch; the first `minibatches` are used.
      chosen: rows of the experts' decisions, likewise.
      minibatches: int32 [].
      learning_rate: of Adam.
      seed: of the points of the gradient penalty, and of the bottleneck's noise.
      recipe: what does not change from call to call.
    """
    networks = recipe.discriminator_of(state.trained.parameters)
    normalizer = normalizer_after(state.trained.normalizer, networks.body.layout, transitions)
    has_bottleneck = networks.bottleneck is not None
    key = jax.random.key(seed)

    def minibatch_loss(
        parameters: Float[Array, " p"], i: Int[Array, ""], beta: Float[Array, ""]
    ) -> tuple[Array, Parts]:
        discriminator = recipe.discriminator_of(parameters)
        expert, policy = (
            what_is_judged(discriminator, normalizer, part, recipe.branches, recipe.use_actions)
            for part in (take(experts, chosen[i]), take(transitions, order[i]))
        )
        for_share, for_noise = jax.random.split(jax.random.fold_in(key, i))
        rows = order.shape[1]
        share = jax.random.uniform(for_share, (-(-rows // POINTS_EVERY),))
        noise = jax.random.normal(for_noise, (3, rows, LATENT)) if has_bottleneck else None
        return loss(discriminator, expert, policy, share, noise, beta)

    gradient = jax.grad(minibatch_loss, has_aux=True)

    def step(i: Int[Array, ""], carry: tuple[GAILState, Parts]) -> tuple[GAILState, Parts]:
        now, sums = carry
        grads, parts = gradient(now.trained.parameters, i, now.beta)
        beta = next_beta(now.beta, parts.information) if has_bottleneck else now.beta
        after = GAILState(now.trained.descended(grads, learning_rate), beta, now.average)
        return after, jax.tree.map(jnp.add, sums, parts)

    trained = TrainedState(state.trained.parameters, state.trained.adam, normalizer)
    zeros = Parts(*(jnp.zeros(()) for _ in Parts._fields))
    after, sums = lax.fori_loop(0, minibatches, step, (GAILState(trained, state.beta, state.average), zeros))
    means: Parts = jax.tree.map(lambda total: total / jnp.maximum(minibatches, 1), sums)
    after = GAILState(after.trained, after.beta, means.policy_score)
    kept, finite = finite_or_before(state, after, after.trained.parameters, jnp.stack(means), after.beta)
    return kept, means, finite


class GAIL:
    """Imitation of demonstrations as a reward for one behavior, with its discriminator.

    Attributes:
      respects_ends: True: nothing follows the end of an episode, and an expert's way to end is part of what it does.

    Raises:
      FileNotFoundError, DemonstrationError: there are no demonstrations, or not such of the behavior.
    """

    respects_ends = True

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: GAILSettings, seed: int):
        self._behavior = behavior
        self._settings = settings
        rows = load_demonstrations(settings.demo_path, spec, behavior, settings.demo_pairing)
        for note in rows.notes:
            _log.info("%s: %s", behavior, note)
        self._experts: Transitions = jax.tree.map(jax.numpy.asarray, _experts(rows))
        self._rows = len(rows)
        networks = make_discriminator(stream(seed, behavior, "reward_signals.gail"), spec, settings)
        self._trained = Trained(networks, _normalizer(networks, rows) if settings.network_settings.normalize else None)
        self._beta: Array = np.zeros((), np.float32)
        self._average: Array = np.zeros((), np.float32)
        recipe = Recipe(self._trained.networks_of, branches_of(spec.action_spec), settings.use_actions)
        self._judge = Compiled(functools.partial(judge, recipe=recipe), donate=False)
        self._learn = Compiled(functools.partial(learn, recipe=recipe))

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._judge.seconds + self._learn.seconds

    def _state(self) -> GAILState:
        return GAILState(self._trained.state, self._beta, self._average)

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows], strength applied; 0 before anything was learned."""
        if not self._trained.updates:
            return np.zeros(len(rows.closing), np.float32)
        found = self._judge(self._state(), transitions_of(rows), np.int32(rows.used))
        return np.float32(self._settings.strength) * np.asarray(found)

    def learn(self, rows: FlatSegments, rng: np.random.Generator, epochs: int, batch_size: int) -> dict[str, float]:
        """Learn to tell all decisions from as many of the experts', drawn anew; return statistics by tag.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights stay as they were.
        """
        order, minibatches = minibatch_order(rows, rng, epochs, batch_size)
        chosen = rng.integers(0, self._rows, order.shape, np.int32)
        rate, seed = np.float32(self._settings.learning_rate), rng.integers(0, 2**32, dtype=np.uint32)
        state, parts, finite = self._learn(
            self._state(), self._experts, transitions_of(rows), order, chosen, minibatches, rate, seed
        )
        self._trained.state, self._beta, self._average = state.trained, np.array(state.beta), np.array(state.average)
        if not finite:
            raise NonFiniteUpdate(
                f"behavior {self._behavior}: a GAIL update gave a loss that is not finite; the weights before it are"
                " kept. Look for huge observations, or lower the learning_rate of reward_signals.gail"
                f" (now {rate:.3g})."
            )
        return self._statistics(jax.device_get(parts))

    def _statistics(self, parts: Parts) -> dict[str, float]:
        found = {
            "Losses/GAIL Loss": float(parts.adversarial),
            "Policy/GAIL Policy Estimate": float(parts.policy),
            "Policy/GAIL Expert Estimate": float(parts.expert),
            "Policy/GAIL Grad Mag Loss": float(parts.penalty),
        }
        if self._settings.use_vail:
            found |= {"Losses/GAIL KL Loss": float(parts.information), "Policy/GAIL Beta": float(self._beta)}
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return weights, Adam's moments, normaliser, beta and average as trees, for checkpoints."""
        return self._trained.state_dict() | {"beta": self._beta, "average": self._average}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._trained.load_state_dict(state)
        self._beta, self._average = np.array(state["beta"]), np.array(state["average"])


def _experts(rows: DemonstratedRows) -> Transitions:
    continuous = np.clip(rows.continuous, -1.0, 1.0)
    blank = np.zeros(len(rows), np.bool_)
    return Transitions(rows.observations, continuous, rows.discrete, rows.terminated, blank)


def _normalizer(networks: Discriminator, rows: DemonstratedRows) -> Normalizer | None:
    """Return statistics that have seen the experts; the policy's rows follow as they come."""
    layout = networks.body.layout
    if not layout.vectors:
        return None
    seen = layout.vector(rows.observations)
    return Normalizer.initial(layout.width).updated(seen, np.ones(len(seen), np.bool_))
