"""One behavior of a run: who acts, what was experienced, who learns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import numpy as np

from mlagents.curriculum.lessons import Progress
from mlagents.data.segments import Segment
from mlagents.data.trajectories import Episode
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.nn.policy import Policy
from mlagents.rollout.actor import Actor
from mlagents.rollout.collector import Collector
from mlagents.settings import BehaviorSettings
from mlagents.stats import Statistics
from mlagents.training.guard import Guard
from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)


class Learner(Protocol):
    """What a training algorithm looks like from here."""

    steps: int

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""

    @property
    def policy(self) -> Policy:
        """The policy with its newest weights."""

    def reserve(self, lanes: int) -> None:
        """Prepare for this many agents at once."""

    def extend(self, segment: Segment) -> None:
        """Add experience, counting its decisions as steps."""

    def forget(self) -> None:
        """Drop experience not yet learned from."""

    def gathered(self) -> dict[str, Any]:
        """Return the experience that was not learned from yet, as arrays and plain values."""

    def load_gathered(self, state: dict[str, Any]) -> None:
        """Take over what `gathered` returned."""

    def ready(self) -> bool:
        """Return whether `update` has enough experience."""

    def update(self) -> dict[str, float]:
        """Learn, and return statistics by tag."""

    def state_dict(self) -> dict[str, Any]:
        """Return what must survive."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""

    def initialize_from(self, state: dict[str, Any]) -> None:
        """Take over the weights in what `state_dict` of another run returned, and nothing else."""


class Behavior:
    """Collectors of every team of a behavior, the learner they feed, and the actor that plays for them.

    Args:
      name: of the behavior, without team.
      spec: its observations and actions.
      settings: of the behavior.
      learner: takes the experience.
      statistics: takes what is worth knowing.
      rng: for sampling actions.
      training: False to act without learning (`--inference`).
    """

    def __init__(
        self,
        name: str,
        spec: BehaviorSpec,
        settings: BehaviorSettings,
        learner: Learner,
        statistics: Statistics,
        rng: np.random.Generator,
        training: bool,
    ):
        self.name = name
        self.spec = spec
        self.settings = settings
        self.learner = learner
        self._statistics = statistics
        self._rng = rng
        self._training = training
        policy = learner.policy
        self._memory_size = policy.memory_size
        self._actor = Actor(policy, rng, settings.network_settings.deterministic)
        self._collectors: dict[str, Collector] = {}
        self._inference_steps = 0
        self._returns: list[float] = []
        self._recent_returns: list[float] = []
        self.last_saved_step = learner.steps
        self._guard = Guard(name, spec)

    @property
    def step(self) -> int:
        """Agent decisions so far: those learned from, or those made in inference."""
        return self.learner.steps + self._inference_steps

    @property
    def finished(self) -> bool:
        """Whether training has done its `max_steps`."""
        return self._training and self.learner.steps > self.settings.max_steps

    @property
    def learns(self) -> bool:
        """Whether experience still goes to the learner."""
        return self._training and not self.finished

    def observe(self, team: str, worker: int, decision: DecisionSteps, terminal: TerminalSteps) -> None:
        """Take in a worker's report for one team of the behavior."""
        for report in (decision, terminal):
            if len(report):
                self._guard.repair(worker, self.step, report)
        collector = self._collector(team)
        before = collector.lanes
        collector.observe(worker, decision, terminal)
        if collector.lanes != before:
            self.learner.reserve(sum(c.lanes for c in self._collectors.values()))

    def _collector(self, team: str) -> Collector:
        if team not in self._collectors:
            horizon, memory_size = self.settings.time_horizon, self._memory_size
            self._collectors[team] = Collector(self.spec, horizon, self._take_segment, self._take_episode, memory_size)
        return self._collectors[team]

    def decide(self) -> Iterator[tuple[int, str, ActionTuple]]:
        """Act for all agents that wait; yield worker, team and actions."""
        for team, collector in self._collectors.items():
            for worker, action in collector.decide(self._actor):
                yield worker, team, action

    def policy_changed(self) -> None:
        """Act with the weights the learner has now."""
        self._actor.load(self.learner.policy)

    def learn(self) -> bool:
        """Update if there is enough experience; return whether there was an update."""
        if not self.learns or not self.learner.ready():
            return False
        compiled = self.learner.compile_seconds
        try:
            found = self.learner.update()
        except NonFiniteUpdate as error:
            self._guard.skip(error)
            return False
        for tag, value in found.items():
            self._statistics.add(self.name, tag, value)
        if self.learner.compile_seconds != compiled:
            seconds = self.learner.compile_seconds - compiled
            _log.info("%s: compiled its update in %.1f s; kept for later runs.", self.name, seconds)
        self.policy_changed()
        return True

    def abandon(self, worker: int) -> None:
        """Drop a worker's open trajectories."""
        for collector in self._collectors.values():
            collector.abandon(worker)

    def abandon_all(self) -> None:
        """Drop all open trajectories; what the learner has already got stays."""
        for collector in self._collectors.values():
            collector.abandon_all()

    def begun(self) -> dict[str, Any]:
        """Return what was begun and is in no checkpoint, when nobody waits for actions: arrays and plain values."""
        return {
            "collectors": {team: collector.state_dict() for team, collector in self._collectors.items()},
            "gathered": self.learner.gathered(),
            "rng": self._rng.bit_generator.state,
        }

    def load_begun(self, state: dict[str, Any]) -> None:
        """Take over what `begun` returned."""
        for team, stored in state["collectors"].items():
            self._collector(team).load_state_dict(stored)
        self.learner.load_gathered(state["gathered"])
        self._rng.bit_generator.state = state["rng"]

    def take_progress(self) -> Progress:
        """Return the share of training done, and the returns of the episodes finished since the last call."""
        returns, self._recent_returns = self._recent_returns, []
        return Progress(self.learner.steps / self.settings.max_steps, returns)

    def take_mean_return(self) -> float | None:
        """Return the mean return of the episodes finished since the last call, None without any."""
        returns, self._returns = self._returns, []
        return float(np.mean(returns)) if returns else None

    def _take_segment(self, segment: Segment) -> None:
        frequency = self.settings.summary_freq
        due = (self.step + len(segment)) // frequency
        if due > self.step // frequency:
            self._summarize(due * frequency)
        if self.learns:
            self.learner.extend(segment)
        else:
            self._inference_steps += len(segment)

    def _take_episode(self, episode: Episode) -> None:
        self._returns.append(episode.total_reward)
        self._recent_returns.append(episode.total_reward)
        self._statistics.add(self.name, "Environment/Cumulative Reward", episode.total_reward)
        self._statistics.add(self.name, "Environment/Episode Length", episode.length)
        extrinsic = self.settings.reward_signals.get("extrinsic")
        if extrinsic is not None:
            self._statistics.add(self.name, "Policy/Extrinsic Reward", episode.total_reward * extrinsic.strength)

    def _summarize(self, step: int) -> None:
        self._statistics.set(self.name, "Is Training", float(self.learns))
        self._statistics.set(self.name, "Step", step)
        self._statistics.write(self.name, step)
