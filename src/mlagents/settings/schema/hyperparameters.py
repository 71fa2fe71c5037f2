"""Hyperparameters of the trainers, and the table `trainer_type` -> class that plug-ins extend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator

from mlagents.settings.schema.base import (
    Count,
    Fraction,
    Natural,
    NonNegative,
    Positive,
    PositiveFraction,
    Schedule,
    Settings,
    Switch,
    Violation,
)


class HyperparameterSettings(Settings):
    """What every trainer has. Classes of plug-in trainers derive from this."""

    batch_size: Count = 1024
    """Experiences in one gradient step."""

    buffer_size: Count = 10240
    """PPO, POCA: experiences gathered before an update. SAC: capacity of the replay buffer."""

    learning_rate: Positive = 3e-4
    """Step size of Adam at the start."""

    learning_rate_schedule: Schedule = "linear"
    """How the learning rate moves until max_steps: linear (down to 1e-10) or constant."""

    def violations(self) -> Iterator[Violation]:
        """Yield the fault of a buffer that does not hold a minibatch: no gradient step is ever taken."""
        if self.batch_size > self.buffer_size:
            yield Violation(
                (("batch_size",), ("buffer_size",)),
                f"batch_size is {self.batch_size}, but buffer_size is {self.buffer_size} "
                "(expected batch_size <= buffer_size)",
            )


class _ClippedPolicySettings(HyperparameterSettings):
    """What PPO and POCA share: the clipped surrogate objective, entropy bonus and GAE."""

    beta: NonNegative = 5e-3
    """Weight of the entropy bonus."""

    beta_schedule: Schedule = Field(default=None, validate_default=True)
    """How beta moves until max_steps: linear (to 1e-5) or constant; if absent as learning_rate_schedule."""

    epsilon: Positive = 0.2
    """Clip range of the probability ratio."""

    epsilon_schedule: Schedule = Field(default=None, validate_default=True)
    """How epsilon moves until max_steps: linear (to 0.1) or constant; if absent as learning_rate_schedule."""

    lambd: Fraction = 0.95
    """Lambda of generalised advantage estimation."""

    num_epoch: Count = 3
    """Passes over the buffer in one update."""

    advantage_normalization: Literal["standardize", "scale"] = "standardize"
    """Of advantages: standardize (mean 0, deviation 1), or only scale, by a tenth of the largest deviation at least."""

    value_clip: Switch = False
    """Keep values within epsilon of those before the update: count the larger error of V and of V clipped so."""

    @field_validator("beta_schedule", "epsilon_schedule", mode="before")
    @classmethod
    def _as_learning_rate(cls, value: Any, info: ValidationInfo) -> Any:
        return info.data.get("learning_rate_schedule", "linear") if value is None else value


class PPOSettings(_ClippedPolicySettings):
    """Proximal policy optimisation."""

    shared_critic: Switch = False
    """Let actor and critic share their network body."""


class POCASettings(_ClippedPolicySettings):
    """Multi-agent posthumous credit assignment."""


class SACSettings(HyperparameterSettings):
    """Soft actor-critic."""

    batch_size: Count = 128
    """Experiences in one gradient step."""

    buffer_size: Count = 50000
    """Capacity of the replay buffer, in experiences."""

    learning_rate_schedule: Schedule = "constant"
    """How the learning rate moves until max_steps: linear (down to 1e-10) or constant."""

    buffer_init_steps: Natural = 0
    """Trainer steps before the first update."""

    tau: PositiveFraction = 0.005
    """Share of the new weights mixed into the target network at each update."""

    init_entcoef: Positive = 1.0
    """Entropy coefficient at the start."""

    steps_per_update: Positive = 1.0
    """Trainer steps per minibatch update, on average."""

    reward_signal_steps_per_update: Positive = Field(default=None, validate_default=True)
    """Trainer steps per update of the reward signals' own networks; as steps_per_update if absent."""

    save_replay_buffer: Switch = False
    """Store the replay buffer with each checkpoint."""

    demo_replay_ratio: Fraction = 0.0
    """Share of each minibatch that is drawn from demonstrations (demo_path of behavioral_cloning, else of gail)."""

    @field_validator("reward_signal_steps_per_update", mode="before")
    @classmethod
    def _as_policy(cls, value: Any, info: ValidationInfo) -> Any:
        return info.data.get("steps_per_update", 1.0) if value is None else value


class BCSettings(HyperparameterSettings):
    """Pure cloning of demonstrations, without rewards."""

    batch_size: Count = 256
    """Demonstrated decisions in one gradient step."""

    learning_rate: Positive = 1e-3
    """Step size of Adam at the start."""

    buffer_size: Count = 10240
    """Without effect: demonstrations are kept whole."""

    def violations(self) -> Iterator[Violation]:
        """No rules: there is no buffer."""
        yield from ()


TRAINER_TYPES: dict[str, type[HyperparameterSettings]] = {
    "ppo": PPOSettings,
    "sac": SACSettings,
    "poca": POCASettings,
    "bc": BCSettings,
}


def register_trainer_type(name: str, settings: type[HyperparameterSettings]) -> None:
    """Let `trainer_type: name` choose these hyperparameters.

    Raises:
        ValueError: another class has this name.
    """
    if TRAINER_TYPES.setdefault(name, settings) is not settings:
        raise ValueError(
            f"trainer_type {name!r} already belongs to {TRAINER_TYPES[name].__qualname__}; "
            f"{settings.__qualname__} needs another name"
        )
