"""The SAC learner: experience into the replay buffer, better policy out."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from mlagents.algorithms.cloning import LOSS_TAG, PREFIX, Cloning, with_or_without
from mlagents.algorithms.sac.demonstrated import DemonstrationReplay
from mlagents.algorithms.sac.networks import Structure, Target, make_networks, target_of
from mlagents.algorithms.sac.update import LearnerState, Recipe, Transitions, UpdateStatistics, update
from mlagents.data.demonstrations import load_demonstrations
from mlagents.data.replay import Replay
from mlagents.data.segments import FlatSegments, Segment
from mlagents.learning.compiling import Compiled
from mlagents.learning.protocols import NonFiniteUpdate, Signals
from mlagents.learning.schedules import scheduled
from mlagents.learning.streams import stream
from mlagents.learning.trained import Trained
from mlagents.nn.build import make_policy
from mlagents.nn.flat import flattened
from mlagents.nn.policy import Policy
from mlagents.nn.tensors import named_tensors, with_tensors
from mlagents.settings import BehaviorSettings, SACSettings
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

UPDATES_PER_CALL = 32
"""Most updates in one compiled call; more are due when long segments arrive."""

SAMPLE_BYTES = 2**25
"""Most memory for the samples of one compiled call; images make them large, and the calls smaller."""

_REPLAY = "replay."


class SACLearner:
    """Stores segments in a replay buffer, and updates all networks in compiled calls of many updates each.

    Attributes:
      steps: agent decisions stored so far; schedules, `max_steps` and the number of updates follow these.
      version: number of `update` calls so far; a policy of the same version has the same weights.
      updates: number of minibatch updates so far, plus 1, as the rule of `steps_per_update` counts them; those that
        steps before the first minibatch were worth count as done.
      signal_updates: likewise for the models behind reward signals, by `reward_signal_steps_per_update`.
    """

    def __init__(self, behavior: str, spec: BehaviorSpec, settings: BehaviorSettings, signals: Signals, seed: int):
        if not isinstance(settings.hyperparameters, SACSettings):
            raise TypeError(f"SAC needs SACSettings, got {type(settings.hyperparameters).__name__}")
        self.behavior = behavior
        self.steps = 0
        self.version = 0
        self.updates = self.signal_updates = 1
        self._settings = settings
        self._hyperparameters = settings.hyperparameters
        self._signals = signals
        self._rng = stream(seed, behavior, "sac")
        hp, network = self._hyperparameters, settings.network_settings
        policy = make_policy(self._rng, spec, network, squashed=True)
        self._normalizer = policy.normalizer
        self._layout = policy.body.layout
        networks = make_networks(self._rng, spec, network, policy, len(signals.names), math.log(hp.init_entcoef))
        self._trained = Trained(networks)
        self._target, target_networks_of = flattened(target_of(networks))
        self._structure = Structure(self._trained.networks_of, target_networks_of)
        memory = network.memory
        steps, burn_in = (1, 0.0) if memory is None else (memory.sequence_length, memory.burn_in_ratio)
        self._sequences = max(hp.batch_size // steps, 1)
        self._replay = Replay(spec, hp.buffer_size, steps, policy.memory_size)
        rows = self._sequences * (steps + 1)
        observed = rows * sum(math.prod(o.shape) for o in spec.observation_specs)
        self._most_updates = min(max(SAMPLE_BYTES // max(observed, 1), 1), UPDATES_PER_CALL)
        self._sample = FlatSegments(spec, -(-self._most_updates * rows // 2), policy.memory_size, squashed=True)
        self._noise_shape = self._most_updates, self._sequences * steps, spec.action_spec.continuous_size
        self._cloning = self._demonstrated = None
        if settings.behavioral_cloning is not None:
            pair = policy.body, policy.head
            self._cloning = Cloning(behavior, spec, settings, pair, networks.value, self._most_updates)
        if hp.demo_replay_ratio:
            path, pairing = settings.demonstrations()
            shown = load_demonstrations(path, spec, behavior, pairing)
            self._demonstrated = DemonstrationReplay(
                shown, spec, hp.demo_replay_ratio, self._sequences, steps, policy.memory_size
            )
        cloning = None if self._cloning is None else self._cloning.recipe
        recipe = Recipe(self._structure, self._sequences, steps, burn_in, hp.tau, cloning)
        self._update = Compiled(functools.partial(update, recipe=recipe))

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._update.seconds + self._signals.compile_seconds

    def snapshot(self) -> Policy:
        """Return the policy with a copy of its current weights, as numpy arrays."""
        networks = self._trained.networks()
        return Policy(self._normalizer, networks.body, networks.head)

    @property
    def progress(self) -> float:
        """Share of `max_steps` done, in [0, 1]."""
        return min(self.steps / self._settings.max_steps, 1.0)

    def reserve(self, lanes: int) -> None:
        """Nothing to prepare: the replay buffer has its size from the start."""

    def extend(self, segments: Iterable[Segment]) -> None:
        """Store copies of experience; the observation normaliser sees every decision once."""
        for segment in segments:
            lacking = self._hyperparameters.batch_size - len(self._replay)
            self._replay.extend(segment)
            self.steps += len(segment)
            if lacking > 0:
                self._forgo(self.steps - max(len(segment) - lacking, 0))
            if self._normalizer is not None:
                seen = self._layout.vector(tuple(o[:-1] for o in segment.columns.observations))
                self._normalizer = self._normalizer.updated(seen, np.ones(len(seen), np.bool_))

    def ready(self) -> bool:
        """Return whether a minibatch is stored, `buffer_init_steps` are over, and `steps_per_update` asks for one."""
        hp = self._hyperparameters
        return len(self._replay) >= hp.batch_size and self.steps >= hp.buffer_init_steps and self._due() > 0

    def _due(self) -> int:
        """Return how many updates are missing from one per `steps_per_update` steps since `buffer_init_steps`."""
        return self._wanted(self._hyperparameters.steps_per_update, self.steps) - self.updates

    def _signals_due(self) -> int:
        """Likewise for the models behind reward signals."""
        return self._wanted(self._hyperparameters.reward_signal_steps_per_update, self.steps) - self.signal_updates

    def _wanted(self, steps_per_update: float, steps: int) -> int:
        """Return the number of updates that so many steps are worth."""
        return math.ceil((steps - self._hyperparameters.buffer_init_steps) / steps_per_update)

    def _forgo(self, steps: int) -> None:
        """Let no update be due for steps until a minibatch was stored.

        To catch up on them would be `batch_size` updates or more on the same few decisions.
        """
        hp = self._hyperparameters
        self.updates = max(self.updates, self._wanted(hp.steps_per_update, steps))
        self.signal_updates = max(self.signal_updates, self._wanted(hp.reward_signal_steps_per_update, steps))

    def _pace(self) -> list[float]:
        hp = self._hyperparameters
        return [float(hp.buffer_init_steps), hp.steps_per_update, hp.reward_signal_steps_per_update]

    def update(self) -> dict[str, float]:
        """Do all updates that are due, and return statistics by TensorBoard tag, averaged over them.

        Raises:
          NonFiniteUpdate: a loss or weight became NaN or infinite; the weights are those before the compiled call.
        """
        rate = np.float32(self._learning_rate())
        counts, found = [], []
        while (due := self._due()) > 0:
            count = min(due, self._most_updates)
            state = LearnerState(self._trained.state, self._target)
            state, statistics = self._update(state, *self._arguments(count, rate))
            self._trained.state, self._target = state.trained, state.target
            if self._cloning is not None:
                self._cloning.take(statistics.cloned.adam)
            self.updates += count
            counts.append(count)
            found.append(jax.device_get(statistics))
            if not found[-1].finite:
                raise NonFiniteUpdate(
                    f"behavior {self.behavior}: a SAC update at step {self.steps} gave a loss that is not finite; the"
                    " weights before it are kept. Look for huge rewards or observations, or lower learning_rate"
                    f" (now {rate:.3g})."
                )
        learned = self._update_signals() if self._signals.learn_by_themselves else {}
        self.version += 1
        return self._statistics(np.array(counts, np.float32), found) | {"Policy/Learning Rate": float(rate)} | learned

    def _update_signals(self) -> dict[str, float]:
        """Let the models behind reward signals learn from samples of their own, as often as is due."""
        statistics: dict[str, float] = {}
        while (due := self._signals_due()) > 0:
            count = min(due, self._most_updates)
            self._replay.sample(self._rng, count * self._sequences, self._sample)
            rewards = self._signals.rewards(self._sample)
            statistics |= self._signals.learn(self._sample, rewards, self._rng, 1, self._hyperparameters.batch_size)
            self.signal_updates += count
        return statistics

    def _learning_rate(self) -> float:
        hp = self._hyperparameters
        return scheduled(hp.learning_rate_schedule, hp.learning_rate, 1e-10, self.progress)

    def _arguments(self, count: int, rate: np.float32) -> tuple[Any, ...]:
        """Return what the compiled call takes: always the same shapes, of which `count` minibatches are used."""
        rows = self._sample
        drawn = self._replay.sample(self._rng, count * self._sequences, rows)
        if self._demonstrated is not None:
            drawn = self._demonstrated.mix(self._rng, count, rows, drawn)
        lengths = np.ones(len(rows.closing), np.int32)
        lengths[: rows.used] = np.repeat(drawn, rows.used // len(drawn))
        noise = np.zeros(self._noise_shape, np.float32)
        self._rng.standard_normal(out=noise[:count], dtype=np.float32)
        rewards, terminated = self._signals.rewards(rows), self._signals.terminated(rows)
        transitions = Transitions(rows.columns, rewards, terminated, lengths)
        course = None if self._cloning is None else self._cloning.course(self.steps, self._rng, count)
        return self._normalizer, transitions, noise, np.int32(count), rate, self._signals.gamma, course

    def _statistics(self, counts: NDArray[np.float32], found: list[UpdateStatistics]) -> dict[str, float]:
        def mean(values: list[Any]) -> Any:
            return np.average(values, axis=0, weights=counts)

        statistics = {
            "Losses/Policy Loss": float(mean([f.policy_loss for f in found])),
            "Losses/Value Loss": float(mean([f.value_loss for f in found])),
            "Losses/Q1 Loss": float(mean([f.q1_loss for f in found])),
            "Losses/Q2 Loss": float(mean([f.q2_loss for f in found])),
            "Policy/Entropy": float(mean([f.entropy for f in found])),
        }
        for name, value in zip(self._signals.names, mean([f.value for f in found]), strict=True):
            statistics[f"Policy/{name.capitalize()} Value"] = float(value)
        if self._cloning is not None:
            statistics[LOSS_TAG] = float(mean([f.cloned.loss for f in found if f.cloned is not None]))
        alpha = found[-1].alpha
        continuous = int(self._noise_shape[2] > 0)
        if continuous:
            statistics["Policy/Continuous Entropy Coeff"] = float(alpha[0])
        if alpha[continuous:].size:
            statistics["Policy/Discrete Entropy Coeff"] = float(alpha[continuous:].mean())
        return statistics

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        """Return what a checkpoint keeps: `tensors` by name and plain values.

        Tensors are weights, temperatures, target network, Adam's moments, normaliser, and with `save_replay_buffer`
        the replay buffer.

        Args:
          experience: include the replay buffer, if the tensors do not have it.
        """
        saves_replay = self._hyperparameters.save_replay_buffer
        tensors = named_tensors(self._trees())
        if saves_replay:
            tensors |= {_REPLAY + name: column for name, column in self._replay.state_dict().items()}
        state = {
            "tensors": tensors,
            "steps": self.steps,
            "version": self.version,
            "updates": self.updates,
            "signal_updates": self.signal_updates,
            "pace": self._pace(),
            "rng": self._rng.bit_generator.state,
        }
        return state | ({"experience": self._replay.state_dict()} if experience and not saves_replay else {})

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned; at another `steps_per_update`, the new one holds from here.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
          ValueError: the saved replay buffer is of another behavior.
        """
        saved = {k: v for k, v in state["tensors"].items() if not k.startswith(_REPLAY)}
        replay = {k.removeprefix(_REPLAY): v for k, v in state["tensors"].items() if k.startswith(_REPLAY)}
        own = self._trees()
        trees = with_tensors(own, with_or_without(saved, named_tensors(own)), f"behavior {self.behavior}")
        if self._cloning is not None:
            self._cloning.load_state_dict(trees["cloning"])
        self._trained.load_state_dict(trees | {"normalizer": None})
        self._target, _ = flattened(Target(trees["target"], trees["target_encoders"]))
        self._normalizer = trees["normalizer"]
        self._signals.load_state_dict(trees["signals"])
        self.steps = state["steps"]
        self.version = state["version"]
        if state.get("pace") == self._pace():
            self.updates, self.signal_updates = state["updates"], state["signal_updates"]
        else:
            self.updates = max(self.updates + self._due(), 1)
            self.signal_updates = max(self.signal_updates + self._signals_due(), 1)
        self._rng.bit_generator.state = state["rng"]
        self._replay.clear()
        if self._hyperparameters.save_replay_buffer:
            self._load_replay(replay)
        elif "experience" in state:
            self._replay.load_state_dict(state["experience"])

    def _load_replay(self, replay: dict[str, NDArray[Any]]) -> None:
        if replay:
            self._replay.load_state_dict(replay)
        else:
            _log.warning("%s: the checkpoint has no replay buffer; it starts empty.", self.behavior)

    def initialize_from(self, state: Mapping[str, Any]) -> None:
        """Take over the weights, temperatures and normaliser of another run; steps, schedules and Adam start anew.

        Raises:
          TensorMismatch: names or shapes differ; all differences are listed.
        """
        own = self.state_dict()
        kept = {k: v for k, v in own["tensors"].items() if k.startswith(("adam.", _REPLAY))}
        others = {k: v for k, v in state["tensors"].items() if not k.startswith(("adam.", PREFIX, _REPLAY))}
        self.load_state_dict(own | {"tensors": others | kept})

    def _trees(self) -> dict[str, Any]:
        cloning = {} if self._cloning is None else {"cloning": self._cloning.state_dict()}
        target = self._structure.target(np.array(self._target))
        return (
            self._trained.state_dict()
            | cloning
            | {
                "target": target.value,
                "target_encoders": target.encoders,
                "normalizer": self._normalizer,
                "signals": self._signals.state_dict(),
            }
        )
