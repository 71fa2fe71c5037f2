"""One behavior of a run: who learns, by which settings, and what is told about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from mlagents.curriculum.lessons import Progress
from mlagents.data.segments import Segment
from mlagents.data.trajectories import Episode
from mlagents.learning.protocols import Learner, NonFiniteUpdate, OnPolicy
from mlagents.rollout.collected import Sampling, Weights
from mlagents.rollout.guard import Tolerance
from mlagents.settings import BehaviorSettings
from mlagents.stats import Statistics
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

_NO_MEASURES: Mapping[str, float] = MappingProxyType({})


class _Returns:
    """Returns of episodes: of agents that saw the end of their group, or of all if none did."""

    def __init__(self) -> None:
        self._told: list[float] = []
        self._outlived: list[float] = []

    def add(self, episode: Episode) -> None:
        (self._outlived if episode.outlived else self._told).append(episode.total_reward)

    def take(self) -> list[float]:
        """Return what was added since the last call."""
        found = self._told or self._outlived
        self._told, self._outlived = [], []
        return found


class Behavior:
    """A learner and its settings.

    Args:
      name: of the behavior, without team.
      spec: its observations and actions.
      settings: of the behavior.
      learner: takes the experience.
      statistics: takes what is worth knowing.
      rng: for sampling actions.
      training: False to act without learning (`--inference`).

    Attributes:
      last_saved_step: step of the last checkpoint that was due.
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
        self.sampling = Sampling(settings.time_horizon, settings.network_settings.deterministic, rng)
        self._statistics = statistics
        self._training = training
        self._inference_steps = 0
        self.count_from_here()
        self._returns = _Returns()
        self._recent_returns = _Returns()
        self._tolerance = Tolerance()

    def count_from_here(self) -> None:
        """Let the next checkpoint and summary be due as the learner's steps are now."""
        self.last_saved_step = self.learner.steps
        self._summaries = self.learner.steps // self.settings.summary_freq

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

    @property
    def weights(self) -> Weights:
        """The newest weights."""
        wanted = self.learner.missing() if self.learns and isinstance(self.learner, OnPolicy) else None
        return Weights(self.learner.snapshot(), self.learner.version, wanted)

    def extend(self, segments: Sequence[Segment]) -> None:
        """Take in experience."""
        if self.learns:
            self.learner.extend(segments)
        else:
            self._inference_steps += sum(len(segment) for segment in segments)
        self._summarize_if_due()

    def record(self, episodes: Iterable[Episode]) -> None:
        """Take in the results of episodes; what a group earned is told by those of its agents that saw its end."""
        extrinsic = self.settings.reward_signals.get("extrinsic")
        for episode in episodes:
            self._statistics.add(self.name, "Environment/Cumulative Reward", episode.reward)
            self._statistics.add(self.name, "Environment/Episode Length", episode.length)
            self._returns.add(episode)
            self._recent_returns.add(episode)
            if episode.outlived:
                continue
            if episode.group_id or episode.group_reward:
                self._statistics.add(self.name, "Environment/Group Cumulative Reward", episode.group_reward)
            if extrinsic is not None:
                self._statistics.add(self.name, "Policy/Extrinsic Reward", episode.total_reward * extrinsic.strength)

    def update(self) -> bool:
        """Learn if there is enough experience; return whether there are new weights.

        Raises:
          TooManyFaults: updates have met numbers that are not finite once too often.
        """
        if not self.learns or not self.learner.ready():
            return False
        compiled, version = self.learner.compile_seconds, self.learner.version
        try:
            found = self.learner.update()
        except NonFiniteUpdate as error:
            self._tolerance.use(f"{error} The update is skipped")
            return False
        for tag, value in found.items():
            self._statistics.add(self.name, tag, value)
        self._summarize_if_due()
        if self.learner.compile_seconds != compiled:
            seconds = self.learner.compile_seconds - compiled
            _log.info("%s: compiled its update in %.1f s; kept for later runs.", self.name, seconds)
        return self.learner.version != version

    def take_progress(self, measures: Mapping[str, float] = _NO_MEASURES) -> Progress:
        """Return the share of training done, the returns of the episodes finished since the last call, and measures."""
        return Progress(self.learner.steps / self.settings.max_steps, self._recent_returns.take(), measures)

    def take_mean_return(self) -> float | None:
        """Return the mean return of the episodes finished since the last call, None without any."""
        returns = self._returns.take()
        return float(np.mean(returns)) if returns else None

    def checkpoint_due(self) -> bool:
        """Return whether another `checkpoint_interval` is full."""
        interval = self.settings.checkpoint_interval
        return self.learns and self.learner.steps // interval > self.last_saved_step // interval

    def _summarize_if_due(self) -> None:
        """Write a summary when another `summary_freq` steps are full, by experience or by what is cloned."""
        full = self.step // self.settings.summary_freq
        if full > self._summaries:
            self._summaries = full
            self._summarize(full * self.settings.summary_freq)

    def _summarize(self, step: int) -> None:
        self._statistics.set(self.name, "Is Training", float(self.learns))
        self._statistics.set(self.name, "Step", step)
        self._statistics.write(self.name, step)
