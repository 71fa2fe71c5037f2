"""One behavior: who trains it, with which networks and rewards, for how long."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from mlagents.settings.schema.base import (
    Count,
    Fraction,
    Name,
    Natural,
    NonNegative,
    Number,
    Pairing,
    Settings,
    Switch,
    Violation,
    Whole,
    broken_rules,
)
from mlagents.settings.schema.hyperparameters import HyperparameterSettings, PPOSettings
from mlagents.settings.schema.network import NetworkSettings
from mlagents.settings.schema.reward_signal_types import plugin_signal
from mlagents.settings.schema.reward_signals import (
    ExtrinsicSettings,
    GAILSettings,
    RewardSignalSettings,
    signals_by_name,
)
from mlagents.settings.schema.trainer_types import hyperparameters_of, trainer_type_names, unknown_trainer


class SelfPlaySettings(Settings):
    """Training against earlier versions of oneself."""

    save_steps: Count = 20000
    """Trainer steps between snapshots."""

    team_change: Count = Field(default=None, validate_default=True)
    """Trainer steps before the next team learns; 5 x save_steps if absent."""

    swap_steps: Count = 2000
    """Steps of the teams that do not learn between changes of opponent."""

    window: Count = 10
    """Snapshots kept to choose opponents from."""

    play_against_latest_model_ratio: Fraction = 0.5
    """Probability of facing the newest weights."""

    initial_elo: Number = 1200.0
    """Rating at the start."""

    opponent_sampling: Literal["uniform", "pfsp"] = "uniform"
    """How snapshots are drawn from the window: all alike, or (pfsp) the harder they are to beat, the more often."""

    baselines: tuple[Name, ...] = ()
    """Fixed opponents that are played at every snapshot without learning: random, heuristic, or a model file."""

    baseline_episodes: Count = 20
    """Games against each of them."""

    inherit_rating: Switch = False
    """With initialize_from: also start with the rating that the behavior had in that run."""

    @field_validator("team_change", mode="before")
    @classmethod
    def _five_snapshots(cls, value: Any, info: ValidationInfo) -> Any:
        return 5 * info.data.get("save_steps", 20000) if value is None else value


class BehavioralCloningSettings(Settings):
    """Supervised imitation of demonstrations beside the reward."""

    demo_path: Name
    """A `.demo` file or a folder of them."""

    demo_pairing: Pairing = "auto"
    """Which action answers an observation: that of the same pair or of the next one; auto finds out for each file."""

    steps: Natural = 0
    """Trainer steps over which the cloning rate falls to 0; 0: it stays."""

    strength: NonNegative = 1.0
    """Cloning learning rate as a factor of the trainer's learning_rate."""

    samples_per_update: Natural = 0
    """Most demonstration samples used in one update; 0: all."""

    num_epoch: Count | None = None
    """Passes over the samples in one update; null: 3."""

    batch_size: Count | None = None
    """Samples in one gradient step; null: the trainer's batch_size."""

    observation_noise: NonNegative = 0.0
    """Standard deviation of noise on (normalised) vector observations while they are cloned; against rote learning."""

    weight_decay: NonNegative = 0.0
    """Factor on the sum of the policy's squared weights in the cloning loss; against rote learning."""


class BehaviorSettings(Settings):
    """How one behavior is trained."""

    trainer_type: str = "ppo"
    """The algorithm: ppo, sac, poca, bc (pure cloning) or the name of a plug-in."""

    hyperparameters: SerializeAsAny[HyperparameterSettings] = Field(default=None, validate_default=True)
    """Hyperparameters of that algorithm; they need an explicit trainer_type."""

    max_steps: Count = 500000
    """Trainer steps (experiences of all agents of the behavior) until training ends."""

    keep_checkpoints: Whole = 5
    """Checkpoints that stay on disk, the oldest goes first; 0 or less: all."""

    even_checkpoints: Switch = False
    """Spread keep_checkpoints evenly over max_steps, whatever checkpoint_interval says."""

    checkpoint_interval: Count = Field(default=500000, validate_default=True)
    """Trainer steps between checkpoints."""

    network_settings: NetworkSettings = NetworkSettings()
    """Networks of the policy and the critic."""

    reward_signals: dict[str, SerializeAsAny[RewardSignalSettings]] = Field(
        default={"extrinsic": ExtrinsicSettings()}, min_length=1
    )
    """What is rewarded: extrinsic, curiosity, gail, rnd, each with its defaults if nothing stands under its name; but
    nothing under a signal of default_settings takes it back."""

    init_path: Name | None = None
    """Checkpoint (file or folder) to take the first weights from; null: random weights."""

    time_horizon: Count = 64
    """Longest piece of an episode handed to the trainer, in experiences."""

    summary_freq: Count = 50000
    """Trainer steps between two lines of statistics."""

    threaded: Switch = False
    """Collect experiences while an update runs, with the policy from before it: faster where a core is idle."""

    self_play: SelfPlaySettings | None = None
    """Self-play between teams; null: none."""

    behavioral_cloning: BehavioralCloningSettings | None = None
    """Imitation of demonstrations; null: none."""

    @model_validator(mode="before")
    @classmethod
    def _hyperparameters_of_a_trainer(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and data.get("hyperparameters") and "trainer_type" not in data:
            problem = (
                "hyperparameters without trainer_type "
                f"(expected trainer_type beside them: one of {', '.join(trainer_type_names())})"
            )
            raise broken_rules(Violation((("hyperparameters",), ("trainer_type",)), problem))
        return data

    @field_validator("trainer_type")
    @classmethod
    def _known_trainer(cls, value: str) -> str:
        if hyperparameters_of(value) is None:
            raise unknown_trainer(value)
        return value

    @field_validator("hyperparameters", mode="before")
    @classmethod
    def _of_the_trainer(cls, value: Any, info: ValidationInfo) -> Any:
        if "trainer_type" not in info.data:  # it is at fault itself: nothing to judge these by
            return PPOSettings()
        chosen = hyperparameters_of(info.data["trainer_type"])
        assert chosen is not None  # or the trainer_type would be at fault
        return chosen() if value is None else chosen.model_validate(value)

    @field_validator("checkpoint_interval")
    @classmethod
    def _even(cls, value: int, info: ValidationInfo) -> int:
        kept = info.data.get("keep_checkpoints", 0)
        if info.data.get("even_checkpoints") and kept > 0:
            return max(1, int(info.data.get("max_steps", 500000)) // int(kept))
        return value

    @field_validator("reward_signals", mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        for name in value:
            plugin_signal(name)
        return signals_by_name(value)

    def violations(self) -> Iterator[Violation]:
        """Rules between hyperparameters, network and checkpoints."""
        memory, batch_size = self.network_settings.memory, self.hyperparameters.batch_size
        if memory is not None and memory.sequence_length > batch_size:
            yield Violation(
                (("network_settings", "memory", "sequence_length"), ("hyperparameters", "batch_size")),
                f"sequence_length is {memory.sequence_length}, but batch_size is {batch_size} "
                "(expected sequence_length <= batch_size)",
            )
        if self.trainer_type == "bc" and self.behavioral_cloning is None:
            yield Violation(
                (("trainer_type",), ("behavioral_cloning",)),
                "trainer_type bc without behavioral_cloning (expected its demo_path, which says what to clone)",
            )
        if getattr(self.hyperparameters, "demo_replay_ratio", 0.0) and self._demonstrations() is None:
            yield Violation(
                (("hyperparameters", "demo_replay_ratio"), ("behavioral_cloning",)),
                "demo_replay_ratio without demonstrations (expected a demo_path in behavioral_cloning or gail)",
            )
        if self.even_checkpoints and self.keep_checkpoints < 1:
            yield Violation(
                (("even_checkpoints",), ("keep_checkpoints",)),
                f"even_checkpoints with keep_checkpoints {self.keep_checkpoints} "
                "(expected keep_checkpoints >= 1, which says how many to spread)",
            )

    def demonstrations(self) -> tuple[str, Pairing]:
        """Return the `demo_path` of `behavioral_cloning`, or else of `gail`, and its `demo_pairing`.

        Raises:
            ValueError: there is neither.
        """
        found = self._demonstrations()
        if found is None:
            raise ValueError("no demo_path: expected one in behavioral_cloning or reward_signals.gail")
        return found.demo_path, found.demo_pairing

    def _demonstrations(self) -> BehavioralCloningSettings | GAILSettings | None:
        gail = self.reward_signals.get("gail")
        return self.behavioral_cloning or (gail if isinstance(gail, GAILSettings) else None)
