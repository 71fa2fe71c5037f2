"""RND: reward for observations that a network was not yet taught to know.

Random network distillation, Burda et al. 2018 (arXiv:1810.12894). A target network with random weights, which never
change, makes features of an observation; a predictor of the same shape learns to give the same. Where it was taught
often it errs little, so its error tells what is new. A decision is rewarded for the observation that follows it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
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
from mlagents.nn.flat import flattened
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs, Observations
from mlagents.reward_signals.transitions import (
    Transitions,
    descended,
    judged,
    minibatch_order,
    normalizer_after,
    transitions_of,
)
from mlagents.settings import RNDSettings
from mlagents_envs.base_env import BehaviorSpec

BodyOf = Callable[[Float[Array, " p"]], Body]


class Recipe(NamedTuple):
    """What the calls are compiled for: from a vector of weights to predictor or target, which have the same shape."""

    body_of: BodyOf


def errors(predictor: Body, target: Body, inputs: Inputs) -> Float[Array, " rows"]:
    """Return ||f(x) - f_target(x)||^2 of every observation (arXiv:1810.12894 sec. 2.2)."""
    difference = predictor(inputs)[0] - lax.stop_gradient(target(inputs)[0])
    return jnp.sum(difference**2, axis=1)


def _inputs(body: Body, normalizer: Normalizer | None, observations: Observations) -> Inputs:
    inputs = body.layout.sorted(observations)
    return inputs if normalizer is None else inputs._replace(vector=normalizer(inputs.vector))


def judge(
    state: TrainedState,
    target: Float[Array, " p"],
    transitions: Transitions,
    used: Int[Array, ""] | np.int32,
    *,
    recipe: Recipe,
) -> Float[Array, " rows"]:
    """Return the error for what follows every decision in the rows in use, 0 elsewhere; strength not applied."""
    predictor, known = recipe.body_of(state.parameters), recipe.body_of(target)

    def judge_part(part: Transitions) -> Float[Array, " chunk"]:
        following = [observation[1:] for observation in part.observations]
        return errors(predictor, known, _inputs(predictor, state.normalizer, following))

    return judged(transitions, used, judge_part)


def learn(
    state: TrainedState,
    target: Float[Array, " p"],
    transitions: Transitions,
    order: Int[Array, "most rows"],
    minibatches: Int[Array, ""] | np.int32,
    learning_rate: Float[Array, ""] | np.float32,
    *,
    recipe: Recipe,
) -> tuple[TrainedState, Float[Array, ""], Bool[Array, ""]]:
    """Return the state after a gradient step for each minibatch, the mean loss, and whether all is finite.

    Args:
      state: before.
      target: weights of the network that never learns.
      transitions: R rows.
      order: rows of the decisions in each minibatch; the first `minibatches` are used.
      minibatches: int32 [].
      learning_rate: of Adam.
      recipe: what does not change from call to call.
    """
    known = recipe.body_of(target)
    normalizer = normalizer_after(state.normalizer, known.layout, transitions)

    def loss(parameters: Float[Array, " p"], i: Int[Array, ""]) -> Float[Array, ""]:
        inputs = _inputs(known, normalizer, take(transitions.observations, order[i] + 1))
        return jnp.mean(errors(recipe.body_of(parameters), known, inputs))

    gradient = jax.value_and_grad(loss)
    return descended(state, normalizer, gradient, jnp.zeros(()), minibatches, learning_rate)


class RND:
    """Random network distillation for one behavior, with its two networks.

    Attributes:
      respects_ends: False, as with curiosity.
    """

    respects_ends = False

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: RNDSettings, seed: int):
        self._behavior = behavior
        self._settings = settings
        rng = stream(seed, behavior, "reward_signals.rnd")
        network = settings.network_settings.model_copy(update={"memory": None})
        predictor, target = (make_body(rng, spec.observation_specs, network) for _ in range(2))
        normalized = network.normalize and predictor.layout.vectors
        self._trained = Trained(predictor, Normalizer.initial(predictor.layout.width) if normalized else None)
        self._target, _ = flattened(target)
        recipe = Recipe(self._trained.networks_of)
        self._judge = Compiled(functools.partial(judge, recipe=recipe), donate=False)
        self._learn = Compiled(functools.partial(learn, recipe=recipe))

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._judge.seconds + self._learn.seconds

    def rewards(self, rows: FlatSegments) -> NDArray[np.float32]:
        """Return float32 [rows], strength applied."""
        found = self._judge(self._trained.state, self._target, transitions_of(rows), np.int32(rows.used))
        return np.float32(self._settings.strength) * np.asarray(found)

    def learn(self, rows: FlatSegments, rng: np.random.Generator, epochs: int, batch_size: int) -> dict[str, float]:
        """Let the predictor learn what followed all decisions; return statistics by tag.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights stay as they were.
        """
        order, minibatches = minibatch_order(rows, rng, epochs, batch_size)
        rate = np.float32(self._settings.learning_rate)
        self._trained.state, loss, finite = self._learn(
            self._trained.state, self._target, transitions_of(rows), order, minibatches, rate
        )
        if not finite:
            raise NonFiniteUpdate(
                f"behavior {self._behavior}: an RND update gave a loss that is not finite; the weights before it are"
                f" kept. Look for huge observations, or lower the learning_rate of reward_signals.rnd (now {rate:.3g})."
            )
        return {"Losses/RND Loss": float(loss)}

    def state_dict(self) -> dict[str, Any]:
        """Return weights of both networks, Adam's moments and normaliser as trees, for checkpoints."""
        return self._trained.state_dict() | {"target": self._trained.networks_of(self._target)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._trained.load_state_dict(state)
        self._target, _ = flattened(state["target"])
