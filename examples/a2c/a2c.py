"""A2C, synchronous advantage actor-critic, as a plug-in of `mlagents-learn`. See docs/custom-trainers.md.

Mnih et al. 2016, "Asynchronous methods for deep reinforcement learning", arXiv:1602.01783, sec. 4, with one learner
instead of many: all agents fill one rollout, which is one gradient step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from pydantic import Field, field_validator

from mlagents.data.columns import Columns
from mlagents.data.segments import FlatSegments, Segment
from mlagents.learning.compiling import Compiled
from mlagents.learning.protocols import NonFiniteUpdate, Signals
from mlagents.learning.schedules import scheduled
from mlagents.learning.streams import stream
from mlagents.learning.trained import Trained, TrainedState, finite_or_before
from mlagents.nn.body import Body
from mlagents.nn.build import make_critic, make_policy
from mlagents.nn.critic import Critic
from mlagents.nn.observations import Inputs
from mlagents.nn.policy import ActionHead, Policy
from mlagents.nn.tensors import named_tensors, with_tensors
from mlagents.returns import gae, masked_mean
from mlagents.reward_signals.stack import RewardSignals
from mlagents.settings import BehaviorSettings, HyperparameterSettings, SettingsError, TrainerType
from mlagents.settings.schema.base import Count, Fraction, NonNegative, Positive, Violation
from mlagents_envs.base_env import BehaviorSpec


class A2CSettings(HyperparameterSettings):
    """Advantage actor-critic. With `lambd` 1, `time_horizon` is the n of the paper's n-step returns."""

    batch_size: Count = 120
    """Experiences in a rollout, which is one gradient step."""

    buffer_size: Count = Field(default=None, validate_default=True)
    """The same as batch_size, which it is if absent."""

    learning_rate: Positive = 1e-3
    """Step size of Adam at the start."""

    beta: NonNegative = 0.01
    """Weight of the entropy bonus."""

    lambd: Fraction = 1.0
    """Lambda of generalised advantage estimation; 1: n-step returns, as in the paper."""

    value_coefficient: NonNegative = 0.5
    """Weight of the critic's loss."""

    @field_validator("buffer_size", mode="before")
    @classmethod
    def _as_batch_size(cls, value, info):
        return info.data.get("batch_size", 120) if value is None else value

    def violations(self):
        """A rollout is one batch."""
        if self.batch_size != self.buffer_size:
            yield Violation(
                (("batch_size",), ("buffer_size",)),
                f"batch_size is {self.batch_size} and buffer_size {self.buffer_size}, but A2C takes one gradient step"
                " per rollout (expected the same number, or no buffer_size)",
            )


class Networks(NamedTuple):
    """What gradients train: body and head of the policy, and a critic of its own."""

    body: Body
    head: ActionHead
    critic: Critic


class Rollout(NamedTuple):
    """Segments behind one another, each followed by its closing row (see `mlagents.data.segments.FlatSegments`)."""

    columns: Columns
    reward: Float[Array, "rows signals"]
    terminated: Bool[Array, "rows signals"]
    closing: Bool[Array, " rows"]


def loss(parameters, networks_of, inputs: Inputs, rollout: Rollout, gamma, hp: A2CSettings):
    """Return the total loss and its parts [policy loss, value loss, entropy, V of each signal], sec. 4 of the paper.

    L = -mean(log pi(a|o) A) + c mean((R - V(o))^2) - beta mean(H), R = A + V; neither A nor R is differentiated. The
    probability of a decision is the product over its dimensions and branches, its advantage the mean over signals.
    """
    networks, columns, decision = networks_of(parameters), rollout.columns, ~rollout.closing
    hidden, _ = networks.body(inputs)
    actions = networks.head(hidden, columns.allowed)
    value, _ = networks.critic(inputs)
    fixed = jax.lax.stop_gradient(value)
    advantage = gae(rollout.reward, fixed, rollout.terminated, rollout.closing, gamma, hp.lambd)
    log_prob = actions.log_prob(columns.continuous, columns.discrete).sum(axis=1)
    policy_loss = -masked_mean(log_prob * advantage.mean(axis=1), decision)
    value_loss = masked_mean(((advantage + fixed - value) ** 2).mean(axis=1), decision)
    entropy = masked_mean(actions.entropy(), decision)
    values = jax.vmap(masked_mean, in_axes=(1, None))(fixed, decision)
    total = policy_loss + hp.value_coefficient * value_loss - hp.beta * entropy
    return total, jnp.array([policy_loss, value_loss, entropy, *values])


def update(state: TrainedState, rollout: Rollout, gamma, learning_rate, *, networks_of, hp: A2CSettings):
    """Return the state after one step of Adam, and the parts of the loss; if they are not finite, the state before."""
    layout, normalizer = networks_of(state.parameters).body.layout, state.normalizer
    inputs = layout.sorted(rollout.columns.observations)
    if normalizer is not None:
        normalizer = normalizer.updated(inputs.vector, ~rollout.closing)
        inputs = inputs._replace(vector=normalizer(inputs.vector))
    gradient, parts = jax.grad(loss, has_aux=True)(state.parameters, networks_of, inputs, rollout, gamma, hp)
    after = TrainedState(state.parameters, state.adam, normalizer).descended(gradient, learning_rate)
    kept, finite = finite_or_before(state, after, parts, after.parameters)
    return kept, parts, finite


class A2CLearner:
    """A `mlagents.learning.protocols.Learner`: experience in, better policy out."""

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, signals: Signals, seed: int):
        self.steps = self.version = 0
        self._behavior, self._settings, self._signals = behavior, settings, signals
        self._hyperparameters = hp = settings.hyperparameters
        self._rng = rng = stream(seed, behavior, "a2c")
        policy = make_policy(rng, spec, settings.network_settings)
        critic = make_critic(rng, spec, settings.network_settings, len(signals.names))
        self._trained = Trained(Networks(policy.body, policy.head, critic), policy.normalizer)
        self._rows = FlatSegments(spec, hp.batch_size)
        self._update = Compiled(partial(update, networks_of=self._trained.networks_of, hp=hp))

    @property
    def compile_seconds(self) -> float:
        return self._update.seconds + self._signals.compile_seconds

    def snapshot(self) -> Policy:
        networks = self._trained.networks()
        return Policy(self._trained.normalizer(), networks.body, networks.head)

    # Experience

    def reserve(self, lanes: int) -> None:
        """Room for the most that can arrive at once: the update then keeps its shape, and is compiled only once."""
        self._rows.reserve(self._hyperparameters.batch_size + lanes * self._settings.time_horizon)

    def extend(self, segments: Iterable[Segment]) -> None:
        for segment in segments:
            self._rows.extend(segment)
            self.steps += len(segment)

    # Learning

    def ready(self) -> bool:
        return self._rows.steps >= self._hyperparameters.batch_size

    def missing(self) -> int:
        """Return how many decisions an update still waits for."""
        return max(self._hyperparameters.batch_size - self._rows.steps, 0)

    def update(self) -> dict[str, float]:
        hp, rows, signals = self._hyperparameters, self._rows, self._signals
        rewards, progress = signals.rewards(rows), self.steps / self._settings.max_steps
        rollout = Rollout(rows.columns, rewards, signals.terminated(rows), rows.closing)
        learning_rate = np.float32(scheduled(hp.learning_rate_schedule, hp.learning_rate, 1e-10, progress))
        self._trained.state, parts, finite = self._update(self._trained.state, rollout, signals.gamma, learning_rate)
        policy_loss, value_loss, entropy, *values = np.asarray(parts).tolist()
        learned = signals.learn(rows, rewards, self._rng, 1, hp.batch_size)
        rows.clear()
        if not finite:
            raise NonFiniteUpdate(
                f"behavior {self._behavior}: the A2C update at step {self.steps} is not finite; the weights before it"
                " are kept."
            )
        self.version += 1
        return {
            "Losses/Policy Loss": policy_loss,
            "Losses/Value Loss": value_loss,
            "Policy/Entropy": entropy,
            "Policy/Learning Rate": float(learning_rate),
            **{
                f"Policy/{name.capitalize()} Value Estimate": value
                for name, value in zip(signals.names, values, strict=True)
            },
            **learned,
        }

    # What a checkpoint keeps

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        state = {
            "tensors": named_tensors(self._trees()),
            "steps": self.steps,
            "version": self.version,
            "rng": self._rng.bit_generator.state,
        }
        return state | ({"experience": self._rows.state_dict()} if experience else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        trees = with_tensors(self._trees(), state["tensors"], f"behavior {self._behavior}")
        self._signals.load_state_dict(trees.pop("signals"))
        self._trained.load_state_dict(trees)
        self._rng.bit_generator.state = state["rng"]
        self.steps, self.version = state["steps"], state["version"]
        self._rows.clear()
        if "experience" in state:
            self._rows.load_state_dict(state["experience"])

    def initialize_from(self, state: Mapping[str, Any]) -> None:
        """Weights and normaliser of another run; Adam and steps stay as they are in a new learner."""
        own = named_tensors({"adam": self._trained.state_dict()["adam"]})
        others = {name: tensor for name, tensor in state["tensors"].items() if not name.startswith("adam.")}
        self.load_state_dict(self.state_dict() | {"tensors": others | own})

    def _trees(self) -> dict[str, Any]:
        return self._trained.state_dict() | {"signals": self._signals.state_dict()}


def make_learner(behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, seed: int) -> A2CLearner:
    if settings.network_settings.memory is not None:
        raise SettingsError(f"behaviors.{behavior}.network_settings.memory: A2C has none; leave it out, or use ppo")
    return A2CLearner(behavior, spec, settings, RewardSignals(behavior, spec, settings.reward_signals, seed), seed)


TRAINER = TrainerType(A2CSettings, make_learner)
"""What the entry point `a2c` of the group `mlagents.trainer_type` names (see pyproject.toml)."""
