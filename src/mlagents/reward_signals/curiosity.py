"""Curiosity: reward for transitions that a learned model predicts badly.

The intrinsic curiosity module of Pathak et al. 2017 (arXiv:1705.05363). Features phi of observations are learned by an
inverse model, which tells the action from the observations before and after it, so they hold what agents can
influence. A forward model predicts the features of the next observation; where it fails, there is something to learn.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray

from mlagents.arrays import Array
from mlagents.data.segments import FlatSegments
from mlagents.learning.compiling import Compiled
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.learning.sequences import take
from mlagents.learning.streams import stream
from mlagents.learning.trained import Trained, TrainedState
from mlagents.nn.body import Body
from mlagents.nn.build import make_body
from mlagents.nn.layers import Dense, Mlp, glorot_dense
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs, Observations
from mlagents.reward_signals.transitions import (
    Transitions,
    acted,
    branches_of,
    descended,
    judged,
    minibatch_order,
    normalizer_after,
    transitions_of,
)
from mlagents.settings import CuriositySettings
from mlagents_envs.base_env import BehaviorSpec

MODEL_UNITS = 256
"""Width of the hidden layer of both models."""

FORWARD_SHARE = 0.2
"""Share of the forward model in the loss, beta in Pathak et al. eq. 7; the rest is the inverse model's."""

LOSS_SCALE = 10.0
"""Factor on the loss."""

MOST_REWARD = 1.0
"""Most reward for a transition, strength applied."""


class Models(NamedTuple):
    """What gradients train.

    Attributes:
      body: observations to features phi.
      forward: features and action to the features that follow.
      inverse: features before and after to the action: continuous values, then the logits of every branch.
    """

    body: Body
    forward: tuple[Mlp, Dense]
    inverse: tuple[Mlp, Dense]


class Recipe(NamedTuple):
    """What the calls are compiled for: from the parameter vector to the models, and the action's branches."""

    models_of: Callable[[Float[Array, " p"]], Models]
    branches: tuple[int, ...]


def make_models(rng: np.random.Generator, spec: BehaviorSpec, settings: CuriositySettings) -> Models:
    """Return models with initial weights; memory is ignored."""
    network = settings.network_settings.model_copy(update={"memory": None})
    action, features = spec.action_spec, network.hidden_units
    acted = action.continuous_size + sum(action.discrete_branches)
    return Models(
        make_body(rng, spec.observation_specs, network),
        (Mlp(rng, features + acted, MODEL_UNITS, 1), glorot_dense(rng, MODEL_UNITS, features)),
        (Mlp(rng, 2 * features, MODEL_UNITS, 1), glorot_dense(rng, MODEL_UNITS, acted)),
    )


def forward_errors(
    models: Models,
    phi: Float[Array, "rows features"],
    action: Float[Array, "rows acted"],
    following: Float[Array, "rows features"],
) -> Float[Array, " rows"]:
    """Return 1/2 ||predicted phi' - phi'||^2 for each transition (Pathak et al. eq. 5 and 6)."""
    hidden, last = models.forward
    predicted = last(hidden(jnp.concatenate([phi, action], axis=1)))
    return 0.5 * jnp.sum((predicted - following) ** 2, axis=1)


def inverse_errors(
    models: Models,
    phi: Float[Array, "rows features"],
    action: Float[Array, "rows acted"],
    following: Float[Array, "rows features"],
    branches: tuple[int, ...],
) -> Float[Array, " rows"]:
    """Return how badly the action is told from the features around it (Pathak et al. eq. 3).

    That is the squared error of continuous actions, summed, plus the cross-entropy of every branch.
    """
    hidden, last = models.inverse
    told = last(hidden(jnp.concatenate([phi, following], axis=1)))
    start = told.shape[1] - sum(branches)
    errors = jnp.sum((told[:, :start] - action[:, :start]) ** 2, axis=1)
    for size in branches:
        branch = slice(start, start + size)
        errors -= jnp.sum(jax.nn.log_softmax(told[:, branch]) * action[:, branch], axis=1)
        start += size
    return errors


def loss(
    parameters: Float[Array, " p"], recipe: Recipe, inputs: Inputs, action: Float[Array, "rows acted"]
) -> tuple[Float[Array, ""], Float[Array, " 2"]]:
    """Return the loss of a minibatch, and its parts: the means of forward and inverse errors.

    `inputs` are the observations before all the actions, then those after them. Gradients of both parts go into the
    features.
    """
    models = recipe.models_of(parameters)
    phi, following = jnp.split(models.body(inputs)[0], 2)
    forward = jnp.mean(forward_errors(models, phi, action, following))
    inverse = jnp.mean(inverse_errors(models, phi, action, following, recipe.branches))
    total = LOSS_SCALE * (FORWARD_SHARE * forward + (1.0 - FORWARD_SHARE) * inverse)
    return total, jnp.stack([forward, inverse])


def _inputs(models: Models, normalizer: Normalizer | None, observations: Observations) -> Inputs:
    inputs = models.body.layout.sorted(observations)
    return inputs if normalizer is None else inputs._replace(vector=normalizer(inputs.vector))


def judge(
    state: TrainedState, transitions: Transitions, used: Int[Array, ""] | np.int32, *, recipe: Recipe
) -> Float[Array, " rows"]:
    """Return the forward model's error of every decision in the rows in use, 0 elsewhere; strength not applied."""
    models = recipe.models_of(state.parameters)

    def errors(part: Transitions) -> Float[Array, " chunk"]:
        phi = models.body(_inputs(models, state.normalizer, part.observations))[0]
        return forward_errors(models, phi[:-1], acted(part, recipe.branches)[:-1], phi[1:])

    return judged(transitions, used, errors)


def learn(
    state: TrainedState,
    transitions: Transitions,
    order: Int[Array, "most rows"],
    minibatches: Int[Array, ""] | np.int32,
    learning_rate: Float[Array, ""] | np.float32,
    *,
    recipe: Recipe,
) -> tuple[TrainedState, Float[Array, " 2"], Bool[Array, ""]]:
    """Return the state after a gradient step for each minibatch, the loss's parts averaged, and whether all is finite.

    Args:
      state: before.
      transitions: R rows.
      order: rows of the decisions in each minibatch; the first `minibatches` are used.
      minibatches: int32 [].
      learning_rate: of Adam.
      recipe: what does not change from call to call.
    """
    models = recipe.models_of(state.parameters)
    normalizer = normalizer_after(state.normalizer, models.body.layout, transitions)

    def gradient(parameters: Float[Array, " p"], i: Int[Array, ""]) -> tuple[Float[Array, " 2"], Float[Array, " p"]]:
        rows = order[i]
        seen = take(transitions.observations, jnp.concatenate([rows, rows + 1]))
        part = take(transitions._replace(observations=()), rows)
        inputs = _inputs(models, normalizer, seen)
        grads, parts = jax.grad(loss, has_aux=True)(parameters, recipe, inputs, acted(part, recipe.branches))
        return parts, grads

    return descended(state, normalizer, gradient, jnp.zeros(2), minibatches, learning_rate)


class Curiosity:
    """The curiosity of one behavior, with its models.

    Attributes:
      respects_ends: False: what an agent may still discover does not end with its episode (arXiv:1810.12894 sec. 2.3).
    """

    respects_ends = False

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: CuriositySettings, seed: int):
        self._behavior = behavior
        self._settings = settings
        models = make_models(stream(seed, behavior, "reward_signals.curiosity"), spec, settings)
        normalized = settings.network_settings.normalize and models.body.layout.vectors
        self._trained = Trained(models, Normalizer.initial(models.body.layout.width) if normalized else None)
        self._recipe = Recipe(self._trained.networks_of, branches_of(spec.action_spec))
        self._judge = Compiled(functools.partial(judge, recipe=self._recipe), donate=False)
        self._learn = Compiled(functools.partial(learn, recipe=self._recipe))

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._judge.seconds + self._learn.seconds

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows], strength applied, at most 1; 0 before anything was learned."""
        if not self._trained.updates:
            return np.zeros(len(rows.closing), np.float32)
        errors = np.asarray(self._judge(self._trained.state, transitions_of(rows), np.int32(rows.used)))
        return np.clip(self._settings.strength * errors, 0.0, MOST_REWARD)

    def learn(self, rows: FlatSegments, rng: np.random.Generator, epochs: int, batch_size: int) -> dict[str, float]:
        """Learn from all decisions, in minibatches of a new random order per epoch; return statistics by tag.

        The last minibatch of an epoch is filled up with decisions of its beginning.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights stay as they were.
        """
        order, minibatches = minibatch_order(rows, rng, epochs, batch_size)
        rate = np.float32(self._settings.learning_rate)
        self._trained.state, parts, finite = self._learn(
            self._trained.state, transitions_of(rows), order, minibatches, rate
        )
        if not finite:
            raise NonFiniteUpdate(
                f"behavior {self._behavior}: a curiosity update gave a loss that is not finite; the weights before it"
                " are kept. Look for huge observations, or lower the learning_rate of reward_signals.curiosity"
                f" (now {rate:.3g})."
            )
        return {
            "Losses/Curiosity Forward Loss": float(parts[0]),
            "Losses/Curiosity Inverse Loss": float(parts[1]),
        }

    def state_dict(self) -> dict[str, Any]:
        """Return weights, Adam's moments and normaliser as trees, for checkpoints."""
        return self._trained.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._trained.load_state_dict(state)
