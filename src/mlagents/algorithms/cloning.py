"""Behavioral cloning: the policy learns, supervised, to do what demonstrations did.

An auxiliary update inside the one compiled call of PPO, POCA and SAC, with an Adam of its own over the policy's
weights, and a rate that falls to 0 over the first `steps`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Bool, Float, Int, UInt32
from numpy.typing import NDArray

from mlagents.arrays import Array
from mlagents.data.demonstrations import DemonstratedRows, load_demonstrations
from mlagents.learning.sequences import Sequences, Valid, mean_over, rows_of, take
from mlagents.learning.trained import ADAM, TrainedState, at_rest, finite_or_before
from mlagents.nn import distributions
from mlagents.nn.body import Body
from mlagents.nn.flat import flattened
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Observations
from mlagents.nn.policy import ActionDistribution, ActionHead
from mlagents.settings import BehavioralCloningSettings, BehaviorSettings
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

State = TypeVar("State")

DEFAULT_EPOCHS = 3
"""Passes over the demonstrations in one update, where `num_epoch` is left open."""

MANY_STEPS = 16
"""Gradient steps of cloning for one of SAC, from which on it is said."""

LOSS_TAG = "Losses/Pretraining Loss"

POLICY = ("weights.body.", "weights.head.", "normalizer.")
"""How names of the policy's tensors begin: all that a run of pure cloning has."""

PREFIX = "cloning."
"""Of the names of its tensors in a learner's checkpoint."""


class Lessons(NamedTuple):
    """Demonstrated decisions, episode after episode; without memory every sequence is a single one.

    Attributes:
      continuous: as the environment got them, in [-1, 1].
    """

    observations: Observations
    continuous: Float[Array, "rows c"]
    discrete: Int[Array, "rows d"]
    allowed: Bool[Array, "rows s"]
    sequences: Sequences


class Course(NamedTuple):
    """What an update's cloning needs.

    Attributes:
      adam: of cloning, moments of the policy's weights.
      lessons: all of them.
      order: numbers of the sequences in each minibatch; with SAC [updates, steps, sequences].
      steps: how many minibatches to use, 0 once the rate is.
      rate: of Adam.
      seed: of the noise in squashed actions and on observations.
    """

    adam: optax.ScaleByAdamState
    lessons: Lessons
    order: Int[Array, "*updates steps sequences"]
    steps: Int[Array, ""] | np.int32
    rate: Float[Array, ""] | np.float32
    seed: UInt32[Array, ""] | np.uint32


class Cloned(NamedTuple):
    """What came of it: moments, and the loss averaged over minibatches, 0 without any."""

    adam: optax.ScaleByAdamState
    loss: Float[Array, ""]


class Recipe(NamedTuple):
    """What cloning is compiled for.

    Attributes:
      policy_of: from the policy's weights to its networks.
      start: where these weights begin among the learner's parameters. size: how many there are.
      steps: in a sequence, 1 without memory.
      blur: standard deviation of the noise on vector observations.
      decay: factor on the sum of squared weights, which is added to the loss.
    """

    policy_of: Callable[[Float[Array, " w"]], tuple[Body, ActionHead]]
    start: int
    size: int
    steps: int
    blur: float = 0.0
    decay: float = 0.0


def cloning_loss(
    actions: ActionDistribution,
    squashed: bool,
    continuous: Float[Array, "rows c"],
    discrete: Int[Array, "rows d"],
    noise: Float[Array, "rows c"],
    valid: Valid = None,
) -> Float[Array, ""]:
    """Return the squared error of continuous actions plus the cross-entropy of discrete ones.

    Continuous: what the environment would get of a sampled action against what it got of the expert, averaged over
    dimensions. For a plain Gaussian the expectation is known: (mean / 3 - a)^2 + (std / 3)^2, but for clipping.
    Discrete: -log p of what the expert chose among the allowed, averaged over branches, each with probabilities of its
    own.

    Args:
      actions: what the policy would do.
      squashed: the environment gets tanh of samples; otherwise a third of them, clipped.
      continuous: of the expert, in [-1, 1].
      discrete: of the expert.
      noise: standard normal; only squashed actions are sampled.
      valid: rows that count.
    """
    total: Array = jnp.zeros(())
    if continuous.shape[1]:
        std: Array = jnp.exp(actions.log_std)
        error: Array
        if squashed:
            error = (jnp.tanh(actions.mean + std * noise) - continuous) ** 2
        else:
            error = (actions.mean / distributions.CLIP - continuous) ** 2 + (std / distributions.CLIP) ** 2
        total += mean_over(error, valid)
    for branch, log_probs in enumerate(actions.log_probs):
        chosen = distributions.categorical_log_prob(log_probs, discrete[:, branch])
        total -= mean_over(chosen, valid) / len(actions.log_probs)
    return total


def _loss(
    weights: Float[Array, " w"],
    lessons: Lessons,
    chosen: Int[Array, " sequences"],
    normalizer: Normalizer | None,
    key: Array,
    recipe: Recipe,
) -> Float[Array, ""]:
    """Return the loss of a minibatch; every sequence starts with an empty memory."""
    body, head = recipe.policy_of(weights)
    picked = take(lessons.sequences, chosen)
    memory = valid = None
    rows = picked.start
    if body.memory_size:
        rows, valid = rows_of(picked, recipe.steps)
        memory = jnp.zeros((len(chosen), body.memory_size))
    part: Lessons = take(lessons._replace(sequences=None), rows)  # type: ignore[arg-type]
    inputs = body.layout.sorted(part.observations)
    if normalizer is not None:
        inputs = inputs._replace(vector=normalizer(inputs.vector))
    for_blur, for_actions = jax.random.split(key)
    if recipe.blur:
        inputs = inputs._replace(vector=inputs.vector + recipe.blur * jax.random.normal(for_blur, inputs.vector.shape))
    actions = head(body(inputs, memory)[0], part.allowed)
    noise = jax.random.normal(for_actions, part.continuous.shape) if head.squashed else part.continuous
    return cloning_loss(actions, head.squashed, part.continuous, part.discrete, noise, valid)


def clone(
    state: TrainedState,
    adam: optax.ScaleByAdamState,
    normalizer: Normalizer | None,
    course: Course,
    order: Int[Array, "steps sequences"],
    recipe: Recipe,
) -> tuple[TrainedState, Cloned]:
    """Return the state after a gradient step of the policy's weights for each minibatch, and what came of it.

    Args:
      state: before.
      adam: of cloning.
      normalizer: of observations.
      course: what to learn, and how fast.
      order: numbers of the sequences in each minibatch; the first `course.steps` are used.
      recipe: what does not change from call to call.
    """
    key = jax.random.key(course.seed)
    gradient = jax.value_and_grad(_loss)

    def step(i: Int[Array, ""], carry: tuple[Array, Cloned]) -> tuple[Array, Cloned]:
        weights, cloned = carry
        noise = jax.random.fold_in(key, i)
        loss, grads = gradient(weights, course.lessons, order[i], normalizer, noise, recipe)
        direction, moments = ADAM.update(grads + 2.0 * recipe.decay * weights, cloned.adam)
        return weights - course.rate * direction, Cloned(moments, cloned.loss + loss)

    weights = lax.slice_in_dim(jnp.asarray(state.parameters), recipe.start, recipe.start + recipe.size)
    weights, cloned = lax.fori_loop(0, course.steps, step, (weights, Cloned(adam, jnp.zeros(()))))
    parameters = lax.dynamic_update_slice_in_dim(jnp.asarray(state.parameters), weights, recipe.start, 0)
    mean = cloned.loss / jnp.maximum(course.steps, 1)
    return TrainedState(parameters, state.adam, state.normalizer), Cloned(cloned.adam, mean)


def kept_if_finite(
    before: State, adam: optax.ScaleByAdamState | None, after: State, cloned: Cloned | None, *watched: Float[Array, ...]
) -> tuple[State, Bool[Array, ""], Cloned | None]:
    """Return the state after an update that may have cloned, whether it is finite, and what cloning came to.

    Args:
      before: the state.
      adam: of cloning before; None without.
      after: the state.
      cloned: what cloning came to; None without.
      watched: numbers that must be finite, as must be the loss of cloning: else state and moments are those before.
    """
    if adam is None or cloned is None:
        return *finite_or_before(before, after, *watched), None
    (kept, moments), finite = finite_or_before((before, adam), (after, cloned.adam), *watched, cloned.loss)
    return kept, finite, Cloned(moments, cloned.loss)


def clone_and_check(
    before: TrainedState,
    after: TrainedState,
    parts: Float[Array, " parts"],
    course: Course | None,
    recipe: Recipe | None,
) -> tuple[TrainedState, Bool[Array, ""], Cloned | None]:
    """Return what `kept_if_finite` does of an update, after cloning once if there is a course.

    Args:
      before: the state before the update.
      after: the state after it.
      parts: of its losses.
      course: what is cloned; None without.
      recipe: likewise.
    """
    if course is None or recipe is None:
        return kept_if_finite(before, None, after, None, parts, after.parameters)
    after, cloned = clone(after, course.adam, after.normalizer, course, course.order, recipe)
    return kept_if_finite(before, course.adam, after, cloned, parts, after.parameters)


def lessons_of(rows: DemonstratedRows, steps: int) -> Lessons:
    """Return demonstrated rows as sequences of at most `steps`, on the device."""
    start, length = rows.sequences(steps)
    lessons = Lessons(
        rows.observations,
        np.clip(rows.continuous, -1.0, 1.0),
        rows.discrete,
        rows.allowed,
        Sequences(start, length),
    )
    found: Lessons = jax.tree.map(jnp.asarray, lessons)
    return found


def load(settings: BehavioralCloningSettings, spec: BehaviorSpec, behavior: str) -> DemonstratedRows:
    """Return what `demo_path` names, and say what is to be said of it.

    Raises:
      FileNotFoundError, DemonstrationError: there are no demonstrations, or not such of the behavior.
    """
    rows = load_demonstrations(settings.demo_path, spec, behavior, settings.demo_pairing)
    for note in rows.notes:
        _log.info("%s: %s", behavior, note)
    _log.info(
        "%s: cloning %d decisions of %d episodes, whose mean reward is %.3f.",
        behavior,
        len(rows),
        len(rows.starts),
        rows.mean_reward,
    )
    return rows


class Cloning:
    """The cloning of one behavior: lessons, Adam's moments, and how the rate falls.

    Args:
      behavior: name.
      spec: its observations and actions.
      settings: with `behavioral_cloning`.
      policy: body and head. before: what stands before them among the learner's networks.
      updates: with SAC, most updates in a compiled call; None if a call clones once.

    Raises:
      FileNotFoundError, DemonstrationError: there are no demonstrations, or not such of the behavior.
    """

    def __init__(
        self,
        behavior: str,
        spec: BehaviorSpec,
        settings: BehaviorSettings,
        policy: tuple[Body, ActionHead],
        before: object = (),
        updates: int | None = None,
    ):
        cloning, hp, memory = settings.behavioral_cloning, settings.hyperparameters, settings.network_settings.memory
        if cloning is None:
            raise TypeError("cloning needs the section behavioral_cloning")
        self._settings = cloning
        self._learning_rate = hp.learning_rate
        steps = 1 if memory is None else memory.sequence_length
        rows = load(cloning, spec, behavior)
        self._lessons = lessons_of(rows, steps)
        weights, policy_of = flattened(policy)
        start = sum(np.size(leaf) for leaf in jax.tree.leaves(before))
        blur, decay = cloning.observation_noise, cloning.weight_decay
        self.recipe = Recipe(policy_of, start, len(weights), steps, blur, decay)
        self._adam = at_rest(weights)
        total = len(self._lessons.sequences.start)
        self._batch = max(min(cloning.batch_size or hp.batch_size, len(rows)) // steps, 1)
        self._per_epoch = max(total // self._batch, 1)
        if cloning.samples_per_update:
            self._per_epoch = min(self._per_epoch, max(cloning.samples_per_update // (self._batch * steps), 1))
        self._total = total
        self._epochs = cloning.num_epoch or DEFAULT_EPOCHS
        self._updates = updates
        if updates is not None and self._steps > MANY_STEPS:
            _log.warning(
                "%s: behavioral_cloning takes %d gradient steps after each one of SAC. Set samples_per_update: %d and"
                " num_epoch: 1 for as many as SAC takes.",
                behavior,
                self._steps,
                self._batch * steps,
            )

    @property
    def _steps(self) -> int:
        return self._epochs * self._per_epoch

    def rate(self, steps: int) -> float:
        """Return the step size of Adam at a trainer step: strength x learning_rate, linear to 0 over `steps`."""
        left = 1.0 if self._settings.steps == 0 else max(0.0, 1.0 - steps / self._settings.steps)
        return self._settings.strength * self._learning_rate * left

    def course(self, steps: int, rng: np.random.Generator, updates: int = 1) -> Course:
        """Return what the next call takes, always of the same shapes.

        Args:
          steps: trainer steps so far.
          rng: orders the sequences; it is not used once the rate is 0.
          updates: with SAC, how many updates the call does.
        """
        rate = np.float32(self.rate(steps))
        order = np.zeros((self._updates or 1, self._steps, self._batch), np.int32)
        seed = np.uint32(0)
        if rate > 0.0:
            seed = rng.integers(0, 2**32, dtype=np.uint32)
            for part in order[:updates].reshape(-1, self._per_epoch, self._batch):
                part[:] = np.resize(rng.permutation(self._total)[: part.size], part.shape)
        count = np.int32(self._steps if rate > 0.0 else 0)
        return Course(self._adam, self._lessons, order[0] if self._updates is None else order, count, rate, seed)

    def take(self, adam: optax.ScaleByAdamState) -> None:
        """Keep the moments that an update returned."""
        self._adam = adam

    def state_dict(self) -> dict[str, Any]:
        """Return Adam's moments as trees like the policy, for checkpoints."""
        adam = jax.tree.map(np.array, self._adam)
        return {"count": adam.count, "mu": self._named(adam.mu), "nu": self._named(adam.nu)}

    def _named(self, weights: Float[np.ndarray, " w"]) -> dict[str, Any]:
        return dict(zip(("body", "head"), self.recipe.policy_of(weights), strict=True))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        mu, nu = (flattened((state[name]["body"], state[name]["head"]))[0] for name in ("mu", "nu"))
        self._adam = optax.ScaleByAdamState(state["count"], mu, nu)


def with_or_without(tensors: Mapping[str, NDArray[Any]], own: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return a checkpoint's tensors with the moments of cloning as the learner has them, or has not.

    A checkpoint of before cloning was configured, or of a version without these moments, lets them start anew; ones
    that nobody needs any more are left out.

    Args:
      tensors: of the checkpoint.
      own: of the learner, by the same names.
    """
    fresh = {name: np.zeros_like(tensor) for name, tensor in own.items() if name.startswith(PREFIX)}
    others = {name: tensor for name, tensor in tensors.items() if not name.startswith(PREFIX)}
    return others | {name: tensors.get(name, tensor) for name, tensor in fresh.items()}
