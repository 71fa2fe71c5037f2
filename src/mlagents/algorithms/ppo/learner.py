"""The PPO learner: experience in, better policy out."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from mlagents.algorithms.cloning import LOSS_TAG, POLICY, PREFIX, Cloning, Course, with_or_without
from mlagents.algorithms.ppo.estimates import Estimation, Experience
from mlagents.algorithms.ppo.networks import Networks
from mlagents.algorithms.ppo.update import Coefficients, Recipe, update
from mlagents.data.segments import FlatSegments, Segment
from mlagents.learning.compiling import Compiled
from mlagents.learning.protocols import NonFiniteUpdate, Signals
from mlagents.learning.schedules import scheduled
from mlagents.learning.sequences import Sequences
from mlagents.learning.streams import stream
from mlagents.learning.trained import Trained
from mlagents.nn.build import features, make_body, make_policy
from mlagents.nn.layers import glorot_dense
from mlagents.nn.policy import Policy
from mlagents.nn.tensors import named_tensors, with_tensors
from mlagents.settings import BehaviorSettings, PPOSettings
from mlagents_envs.base_env import BehaviorSpec


class PPOLearner:
    """Gathers segments until the buffer is full, then updates policy and critic in one compiled call.

    Attributes:
      steps: agent decisions learned from so far; schedules and `max_steps` count these.
      version: number of updates so far; a policy of the same version has the same weights.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, signals: Signals, seed: int):
        self._check(settings)
        self.behavior = behavior
        self.steps = 0
        self.version = 0
        self._deviation = 0.0
        self._settings = settings
        self._hyperparameters: Any = settings.hyperparameters
        self._signals = signals
        self._rng = stream(seed, behavior, settings.trainer_type)
        self._trained = self._make_networks(spec)
        self._rows = FlatSegments(spec, self._hyperparameters.buffer_size, self.snapshot().memory_size)
        self._cloning = self._make_cloning(spec)
        self._recipe = self._make_recipe()
        self._update = self._make_update()

    def _check(self, settings: BehaviorSettings) -> None:
        if not isinstance(settings.hyperparameters, PPOSettings):
            raise TypeError(f"PPO needs PPOSettings, got {type(settings.hyperparameters).__name__}")

    def _make_networks(self, spec: BehaviorSpec) -> Trained[Any]:
        network = self._settings.network_settings
        policy = make_policy(self._rng, spec, network)
        shared = self._hyperparameters.shared_critic
        critic_body = None if shared else make_body(self._rng, spec.observation_specs, network)
        value = glorot_dense(self._rng, features(network), len(self._signals.names))
        return Trained(Networks(policy.body, policy.head, critic_body, value), policy.normalizer)

    def _make_cloning(self, spec: BehaviorSpec) -> Cloning | None:
        if self._settings.behavioral_cloning is None:
            return None
        networks = self._trained.networks()
        return Cloning(self.behavior, spec, self._settings, (networks.body, networks.head))

    def _make_update(self) -> Compiled:
        return Compiled(functools.partial(update, recipe=self._recipe))

    def _make_recipe(self) -> Recipe:
        hp, memory = self._hyperparameters, self._settings.network_settings.memory
        steps, burn_in = (1, 0.0) if memory is None else (memory.sequence_length, memory.burn_in_ratio)
        cloning = None if self._cloning is None else self._cloning.recipe
        estimation = Estimation(hp.lambd, hp.advantage_normalization == "scale", hp.value_clip)
        sequences = max(hp.batch_size // steps, 1)
        return Recipe(self._trained.networks_of, sequences, steps, burn_in, estimation, cloning)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._update.seconds + self._signals.compile_seconds

    def snapshot(self) -> Policy:
        """Return the policy with a copy of its current weights, as numpy arrays."""
        networks = self._trained.networks()
        critic_body = networks.critic_body
        return Policy(
            self._trained.normalizer(),
            networks.body,
            networks.head,
            critic_body if critic_body is not None and critic_body.memory_size else None,
        )

    @property
    def progress(self) -> float:
        """Share of `max_steps` done, in [0, 1]."""
        return min(self.steps / self._settings.max_steps, 1.0)

    def reserve(self, lanes: int) -> None:
        """Allocate for this many lanes, so that the update seldom changes its shape, however full the buffer is.

        At most, every lane hands on a whole horizon at once when the buffer is all but full.
        """
        size = self._hyperparameters.buffer_size
        most = size + lanes * self._settings.time_horizon
        self._rows.reserve(min(2 * size, most))
        self._rows.expect(most)

    def extend(self, segments: Iterable[Segment]) -> None:
        """Add copies of experience."""
        for segment in segments:
            self._rows.extend(segment)
            self.steps += len(segment)

    def ready(self) -> bool:
        """Return whether there is enough experience for an update: more than `buffer_size` decisions."""
        return self._rows.steps > int(self._hyperparameters.buffer_size)

    def missing(self) -> int:
        """Return how many decisions an update still waits for."""
        return max(int(self._hyperparameters.buffer_size) + 1 - self._rows.steps, 0)

    def update(self) -> dict[str, float]:
        """Learn from the gathered experience, forget it, and return statistics by TensorBoard tag.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights stay as they were.
        """
        try:
            return self._learn()
        finally:
            self._rows.clear()

    def _learn(self) -> dict[str, float]:
        hp, coefficients = self._hyperparameters, self._coefficients()
        rewards = self._signals.rewards(self._rows)
        self._trained.state, found = self._update(self._trained.state, *self._arguments(rewards, coefficients))
        if self._cloning is not None:
            self._cloning.take(found.cloned.adam)
        learned = self._signals.learn(self._rows, rewards, self._rng, hp.num_epoch, hp.batch_size)
        losses = jax.device_get(found)
        if not losses.finite:
            trainer = self._settings.trainer_type.upper()
            raise NonFiniteUpdate(
                f"behavior {self.behavior}: the {trainer} update at step {self.steps} gave a loss that is not finite;"
                " the weights before it are kept. Look for huge rewards or observations, or lower learning_rate"
                f" (now {coefficients.learning_rate:.3g})."
            )
        self.version += 1
        self._deviation = float(losses.deviation)
        return self._told(losses, coefficients) | learned

    def _told(self, losses: Any, coefficients: Coefficients) -> dict[str, float]:
        """Return what an update reports as statistics by tag."""
        statistics = {
            "Losses/Policy Loss": float(losses.policy_loss),
            "Losses/Value Loss": float(losses.value_loss),
            "Policy/Entropy": float(losses.entropy),
            "Policy/Learning Rate": float(coefficients.learning_rate),
            "Policy/Epsilon": float(coefficients.epsilon),
            "Policy/Beta": float(coefficients.beta),
        }
        for name, value in zip(self._signals.names, losses.value, strict=True):
            statistics[f"Policy/{name.capitalize()} Value Estimate"] = float(value)
        if self._cloning is not None:
            statistics[LOSS_TAG] = float(losses.cloned.loss)
        return statistics

    def _coefficients(self) -> Coefficients:
        hp, progress = self._hyperparameters, self.progress
        return Coefficients(
            np.float32(scheduled(hp.learning_rate_schedule, hp.learning_rate, 1e-10, progress)),
            np.float32(scheduled(hp.epsilon_schedule, hp.epsilon, 0.1, progress)),
            np.float32(scheduled(hp.beta_schedule, hp.beta, 1e-5, progress)),
            np.float32(self._deviation),
        )

    def _arguments(self, rewards: NDArray[np.float32], coefficients: Coefficients) -> tuple[Any, ...]:
        rows = self._rows
        sequences, count = self._sequences()
        order = self._shuffled(count)
        experience = Experience(rows.columns, rewards, self._signals.terminated(rows), rows.closing)
        used, gamma = np.int32(rows.used), self._signals.gamma
        return experience, used, sequences, np.int32(count), order, coefficients, gamma, self._course()

    def _sequences(self) -> tuple[Sequences, int]:
        """Return the sequences, with room for as many as there are rows, and how many they are."""
        capacity = self._rows.capacity
        start, length = self._rows.sequences(self._recipe.steps)
        sequences = Sequences(np.zeros(capacity, np.int32), np.ones(capacity, np.int32))
        sequences.start[: len(start)], sequences.length[: len(start)] = start, length
        return sequences, len(start)

    def _shuffled(self, count: int) -> NDArray[np.int32]:
        """Return int32 [epochs, capacity]: the numbers below `count` in a new random order for each epoch."""
        order = np.zeros((self._hyperparameters.num_epoch, self._rows.capacity), np.int32)
        for epoch in order:
            epoch[:count] = self._rng.permutation(count)
        return order

    def _course(self) -> Course | None:
        """Return what is cloned in the next update; None without."""
        return None if self._cloning is None else self._cloning.course(self.steps, self._rng)

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        """Return what a checkpoint keeps: `tensors` by name (weights, Adam's moments, normaliser) and plain values.

        Args:
          experience: include what was gathered since the last update.
        """
        state = {
            "tensors": named_tensors(self._trees()),
            "steps": self.steps,
            "version": self.version,
            "deviation": self._deviation,
            "rng": self._rng.bit_generator.state,
        }
        return state | ({"experience": self._rows.state_dict()} if experience else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        own = self._trees()
        trees = with_tensors(own, with_or_without(state["tensors"], named_tensors(own)), f"behavior {self.behavior}")
        self._signals.load_state_dict(trees.pop("signals"))
        if self._cloning is not None:
            self._cloning.load_state_dict(trees.pop("cloning"))
        self._trained.load_state_dict(trees)
        self.steps = state["steps"]
        self.version = state["version"]
        self._deviation = state.get("deviation", 0.0)
        self._rng.bit_generator.state = state["rng"]
        self._rows.clear()
        if "experience" in state:
            self._rows.load_state_dict(state["experience"])

    def initialize_from(self, state: Mapping[str, Any]) -> None:
        """Take over the weights and normaliser of another run; steps, schedules and Adam start anew.

        A run of pure cloning has a policy only: critic and reward signals keep their initial weights.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        own = self.state_dict()
        anew = {k: v for k, v in own["tensors"].items() if k.startswith("adam.")}
        if state.get("policy_only"):
            anew |= {k: v for k, v in own["tensors"].items() if not k.startswith(POLICY)}
        tensors = {k: v for k, v in state["tensors"].items() if not k.startswith(("adam.", PREFIX))}
        self.load_state_dict(own | {"tensors": tensors | anew})

    def _trees(self) -> dict[str, Any]:
        cloning = {} if self._cloning is None else {"cloning": self._cloning.state_dict()}
        return self._trained.state_dict() | {"signals": self._signals.state_dict()} | cloning
