"""Pure cloning: a policy from demonstrations alone, without rewards, and without an environment."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from mlagents.algorithms.cloning import LOSS_TAG, POLICY, Course, Recipe, clone, lessons_of, load
from mlagents.arrays import Array
from mlagents.data.segments import Segment
from mlagents.learning.compiling import Compiled
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.learning.schedules import scheduled
from mlagents.learning.streams import stream
from mlagents.learning.trained import Trained, TrainedState, finite_or_before
from mlagents.nn.body import Body
from mlagents.nn.build import make_policy
from mlagents.nn.policy import ActionHead, Policy
from mlagents.nn.tensors import named_tensors, with_tensors
from mlagents.settings import BehaviorSettings
from mlagents_envs.base_env import BehaviorSpec

STEPS_PER_CALL = 32
"""Gradient steps in one compiled call."""


class Networks(NamedTuple):
    """What gradients train: the policy, under the names that it has in a run of PPO."""

    body: Body
    head: ActionHead


def update(
    state: TrainedState, course: Course, *, recipe: Recipe
) -> tuple[TrainedState, Float[Array, ""], Bool[Array, ""]]:
    """Return the state after a gradient step for each minibatch, the mean loss, and whether all is finite.

    If not, the state is the one before.
    """
    after, cloned = clone(state, state.adam, state.normalizer, course, course.order, recipe)
    after = TrainedState(after.parameters, cloned.adam, state.normalizer)
    kept, finite = finite_or_before(state, after, after.parameters, cloned.loss)
    return kept, cloned.loss, finite


class BCLearner:
    """Goes over the demonstrations again and again, in a new random order each time.

    Experience is welcome and changes nothing: an environment only shows how the policy does.

    Attributes:
      steps: demonstrated decisions learned from so far, each time they are; schedules and `max_steps` count these.
      version: number of updates so far; a policy of the same version has the same weights.

    Raises:
      FileNotFoundError, DemonstrationError: there are no demonstrations, or not such of the behavior.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int):
        if settings.behavioral_cloning is None:
            raise TypeError("pure cloning needs the section behavioral_cloning")
        self.behavior = behavior
        self.steps = 0
        self.version = 0
        self._settings = settings
        self._strength = settings.behavioral_cloning.strength
        self._rng = stream(seed, behavior, "bc")
        memory = settings.network_settings.memory
        sequence = 1 if memory is None else memory.sequence_length
        rows = load(settings.behavioral_cloning, spec, behavior)
        self._lessons = lessons_of(rows, sequence)
        self._lengths = np.array(self._lessons.sequences.length)
        policy = make_policy(self._rng, spec, settings.network_settings)
        normalizer, layout = policy.normalizer, policy.body.layout
        if normalizer is not None:
            seen = layout.vector(rows.observations)
            normalizer = normalizer.updated(seen, np.ones(len(seen), np.bool_))
        self._trained = Trained(Networks(policy.body, policy.head), normalizer)
        batch_size = settings.behavioral_cloning.batch_size or settings.hyperparameters.batch_size
        self._batch = max(min(batch_size, len(rows)) // sequence, 1)
        self._order = np.zeros(0, np.int32)
        size, cloning = len(self._trained.state.parameters), settings.behavioral_cloning
        blur, decay = cloning.observation_noise, cloning.weight_decay
        recipe = Recipe(self._trained.networks_of, 0, size, sequence, blur, decay)
        self._update = Compiled(functools.partial(update, recipe=recipe))

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._update.seconds

    def snapshot(self) -> Policy:
        """Return the policy with a copy of its newest weights."""
        networks = self._trained.networks()
        return Policy(self._trained.normalizer(), networks.body, networks.head)

    def reserve(self, lanes: int) -> None:
        """Nothing to prepare."""

    def extend(self, segments: Iterable[Segment]) -> None:
        """Nothing is learned from experience."""

    def ready(self) -> bool:
        """Return that there is always something to learn."""
        return True

    def update(self) -> dict[str, float]:
        """Learn from the next minibatches, and return statistics by tag.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights stay as they were.
        """
        hp, progress = self._settings.hyperparameters, self.steps / self._settings.max_steps
        rate = np.float32(self._strength * scheduled(hp.learning_rate_schedule, hp.learning_rate, 1e-10, progress))
        order = self._next_sequences(STEPS_PER_CALL * self._batch).reshape(STEPS_PER_CALL, self._batch)
        count, seed = np.int32(STEPS_PER_CALL), self._rng.integers(0, 2**32, dtype=np.uint32)
        course = Course(self._trained.state.adam, self._lessons, order, count, rate, seed)
        self._trained.state, loss, finite = self._update(self._trained.state, course)
        self.steps += int(self._lengths[order].sum())
        if not finite:
            raise NonFiniteUpdate(
                f"behavior {self.behavior}: cloning gave a loss that is not finite at step {self.steps}; the weights"
                f" before it are kept. Look for huge observations, or lower learning_rate (now {rate:.3g})."
            )
        self.version += 1
        return {LOSS_TAG: float(loss), "Policy/Learning Rate": float(rate)}

    def _next_sequences(self, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
        """Return numbers of sequences: all of them once, in random order, before any comes again."""
        while len(self._order) < count:
            another = self._rng.permutation(len(self._lengths)).astype(np.int32)
            self._order = np.concatenate([self._order, another])
        found, self._order = self._order[:count], self._order[count:]
        return found

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        """Return what a checkpoint keeps; runs of PPO can start from it (`policy_only`)."""
        return {
            "tensors": named_tensors(self._trained.state_dict()),
            "steps": self.steps,
            "version": self.version,
            "rng": self._rng.bit_generator.state,
            "order": self._order.tolist(),
            "policy_only": True,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        self._trained.load_state_dict(self._with(state["tensors"]))
        self.steps = state["steps"]
        self.version = state["version"]
        self._rng.bit_generator.state = state["rng"]
        self._order = np.array(state["order"], np.int32)

    def initialize_from(self, state: Mapping[str, Any]) -> None:
        """Take over the policy of another run, of PPO as well.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        own = named_tensors(self._trained.state_dict())
        policy = {name: tensor for name, tensor in state["tensors"].items() if name.startswith(POLICY)}
        adam = {name: tensor for name, tensor in own.items() if name.startswith("adam.")}
        self._trained.load_state_dict(self._with(policy | adam))

    def _with(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        return with_tensors(self._trained.state_dict(), dict(tensors), f"behavior {self.behavior}")
