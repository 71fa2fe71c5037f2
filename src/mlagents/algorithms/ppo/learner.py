"""The PPO learner: experience in, better policy out."""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from mlagents.algorithms.ppo.update import Coefficients, Experience, LearnerState, Networks, Recipe, update
from mlagents.data.segments import FlatSegments, Segment
from mlagents.learning import adam
from mlagents.learning.compiling import Compiled
from mlagents.learning.protocols import NonFiniteUpdate, Signals
from mlagents.learning.schedules import scheduled
from mlagents.learning.sequences import Sequences
from mlagents.nn.build import features, make_body, make_policy
from mlagents.nn.flat import flattened
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
        if not isinstance(settings.hyperparameters, PPOSettings):
            raise TypeError(f"PPO needs PPOSettings, got {type(settings.hyperparameters).__name__}")
        self.behavior = behavior
        self.steps = 0
        self.version = 0
        self._settings = settings
        self._hyperparameters = settings.hyperparameters
        self._signals = signals
        self._rng = np.random.default_rng(seed)
        network = settings.network_settings
        policy = make_policy(self._rng, spec, network)
        shared = self._hyperparameters.shared_critic
        critic_body = None if shared else make_body(self._rng, spec.observation_specs, network)
        value = glorot_dense(self._rng, features(network), len(signals.names))
        parameters, self._networks = flattened(Networks(policy.body, policy.head, critic_body, value))
        self._state = LearnerState(parameters, adam.at_rest(parameters), policy.normalizer)
        self._rows = FlatSegments(spec, self._hyperparameters.buffer_size, self.policy.memory_size)
        self._recipe = self._make_recipe()
        self._update = Compiled(functools.partial(update, recipe=self._recipe))

    def _make_recipe(self) -> Recipe:
        hp, memory = self._hyperparameters, self._settings.network_settings.memory
        steps, burn_in = (1, 0.0) if memory is None else (memory.sequence_length, memory.burn_in_ratio)
        return Recipe(self._networks, max(hp.batch_size // steps, 1), steps, burn_in, hp.lambd)

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._update.seconds + self._signals.compile_seconds

    @property
    def policy(self) -> Policy:
        """The policy with a copy of its current weights, as numpy arrays."""
        networks = self._networks(np.array(self._state.parameters))
        critic_body = networks.critic_body
        return Policy(
            jax.tree.map(np.array, self._state.normalizer),
            networks.body,
            networks.head,
            critic_body if critic_body is not None and critic_body.memory_size else None,
        )

    @property
    def progress(self) -> float:
        """Share of `max_steps` done, in [0, 1]."""
        return min(self.steps / self._settings.max_steps, 1.0)

    def reserve(self, lanes: int) -> None:
        """Allocate for this many lanes, so that the update keeps its shape however full the buffer is.

        At most, every lane hands on a whole horizon at once when the buffer is all but full.
        """
        self._rows.reserve(self._hyperparameters.buffer_size + lanes * self._settings.time_horizon)

    def extend(self, segment: Segment) -> None:
        """Add experience."""
        self._rows.extend(segment)
        self.steps += len(segment)

    def forget(self) -> None:
        """Drop the experience gathered since the last update."""
        self._rows.clear()

    def gathered(self) -> dict[str, Any]:
        """Return the experience that was not learned from yet, as arrays and plain values."""
        return self._rows.state_dict()

    def load_gathered(self, state: dict[str, Any]) -> None:
        """Take over what `gathered` returned."""
        self._rows.load_state_dict(state)

    def ready(self) -> bool:
        """Return whether there is enough experience for an update: more than `buffer_size` decisions."""
        return self._rows.steps > self._hyperparameters.buffer_size

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
        self._state, found = self._update(self._state, *self._arguments(rewards, coefficients))
        learned = self._signals.learn(self._rows, rewards, self._rng, hp.num_epoch, hp.batch_size)
        losses = jax.device_get(found)
        if not losses.finite:
            raise NonFiniteUpdate(
                f"behavior {self.behavior}: the PPO update at step {self.steps} gave a loss that is not finite; the"
                " weights before it are kept. Look for huge rewards or observations, or lower learning_rate"
                f" (now {coefficients.learning_rate:.3g})."
            )
        self.version += 1
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
        return statistics | learned

    def _coefficients(self) -> Coefficients:
        hp, progress = self._hyperparameters, self.progress
        return Coefficients(
            np.float32(scheduled(hp.learning_rate_schedule, hp.learning_rate, 1e-10, progress)),
            np.float32(scheduled(hp.epsilon_schedule, hp.epsilon, 0.1, progress)),
            np.float32(scheduled(hp.beta_schedule, hp.beta, 1e-5, progress)),
        )

    def _arguments(self, rewards: NDArray[np.float32], coefficients: Coefficients) -> tuple[Any, ...]:
        hp, rows, capacity = self._hyperparameters, self._rows, self._rows.capacity
        start, length = rows.sequences(self._recipe.steps)
        count = len(start)
        sequences = Sequences(np.zeros(capacity, np.int32), np.ones(capacity, np.int32))
        sequences.start[:count], sequences.length[:count] = start, length
        order = np.zeros((hp.num_epoch, capacity), np.int32)
        for epoch in order:
            epoch[:count] = self._rng.permutation(count)
        columns = rows.columns
        experience = Experience(
            tuple(columns.observations),
            columns.memory,
            columns.continuous,
            columns.discrete,
            columns.log_prob,
            columns.allowed,
            rewards,
            self._signals.ended(rows),
            rows.closing,
        )
        used = np.int32(rows.used)
        return experience, used, sequences, np.int32(count), order, coefficients, self._signals.gamma

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps: `tensors` by name (weights, Adam's moments, normaliser) and plain values."""
        return {
            "tensors": named_tensors(self._named()),
            "steps": self.steps,
            "version": self.version,
            "rng": self._rng.bit_generator.state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        named = with_tensors(self._named(), state["tensors"], f"behavior {self.behavior}")
        self._state = LearnerState(flattened(named["weights"])[0], adam.restored(named["adam"]), named["normalizer"])
        self._signals.restore(named["signals"])
        self.steps = state["steps"]
        self.version = state["version"]
        self._rng.bit_generator.state = state["rng"]
        self.forget()

    def initialize_from(self, state: dict[str, Any]) -> None:
        """Take over the weights and normaliser of another run; steps, schedules and Adam start anew.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        fresh = named_tensors({"adam": self._named()["adam"]})
        tensors = {k: v for k, v in state["tensors"].items() if not k.startswith("adam.")}
        self.load_state_dict(self.state_dict() | {"tensors": tensors | fresh})

    def _named(self) -> dict[str, Any]:
        state = jax.tree.map(np.array, self._state)
        return {
            "weights": self._networks(state.parameters),
            "adam": adam.named(state.adam, self._networks),
            "normalizer": state.normalizer,
            "signals": self._signals.named(),
        }
