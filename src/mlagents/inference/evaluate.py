"""How good is a model? Play episodes and average them fairly."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlagents.inference.errors import ModelError
from mlagents.inference.model import Model
from mlagents_envs.base_env import BaseEnv, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityEnvironmentException


@dataclass(frozen=True)
class BehaviorResult:
    """Undiscounted episode returns of one behavior.

    Agents that leave while others of their group play on do not count if any see its end: what the group comes to is
    told by those.

    Attributes:
      mean: of the returns, own and group rewards together; NaN without an episode.
      std: standard deviation over episodes (n in the denominator); NaN without an episode.
      episodes: number of episodes.
      mean_length: in decisions; NaN without an episode.
      group_mean: part of the mean that the agents' groups earned; NaN without an episode.
    """

    mean: float
    std: float
    episodes: int
    mean_length: float
    group_mean: float = 0.0


EvaluationResult = Mapping[str, BehaviorResult]


class Evaluation:
    """Plays episodes of every behavior and averages them.

    Which episodes count is settled by their beginning, not by their end: of each behavior the first N that
    begin, and the play goes on until the last of them has ended. Taking the first N that *end* would be
    unfair: with many agents side by side it prefers short episodes, such as failures.

    Args:
      env: is reset at the start of `run`; the caller closes it.
      models: one per behavior of the environment.
      episodes: N, for each behavior.
      deterministic: take the most likely actions instead of sampling.
      seed: of the sampled actions.
    """

    def __init__(
        self,
        env: BaseEnv,
        models: Mapping[str, Model],
        episodes: int,
        *,
        deterministic: bool = False,
        seed: int = 0,
    ) -> None:
        self._env = env
        self._models = models
        self._episodes = episodes
        self._deterministic = deterministic
        self._rng = np.random.default_rng(seed)
        self._tallies: dict[str, _Tally] = {}

    def run(self, stop: Callable[[], bool] = lambda: False) -> bool:
        """Play until N episodes of every behavior that has agents have ended.

        Args:
          stop: asked after every step; true ends the play.

        Returns: whether all episodes have ended.

        Raises:
          ModelError: a behavior has agents, but no model.
          UnityEnvironmentException: a reward is NaN or infinite.
        """
        return all(not stop() for _ in self.steps())

    def steps(self) -> Iterator[None]:
        """Play as `run` does, and stop for a moment before every step of the environment.

        Raises:
          ModelError, UnityEnvironmentException: see `run`.
        """
        self._env.reset()
        while True:
            behaviors = list(self._env.behavior_specs)
            for behavior in behaviors:
                self._count(behavior)
            if self._tallies and all(tally.complete for tally in self._tallies.values()):
                return  # before anybody decides: a person is not asked in vain
            for behavior in behaviors:
                self._decide(behavior)
            yield
            self._env.step()

    def result(self, unfinished: bool = False) -> EvaluationResult:
        """Return the averages so far.

        After a `run` that was stopped, short episodes are over-represented, unless the unfinished ones count too, with
        what they have earned so far.
        """
        return joint_result([self], unfinished)

    def counted(self, unfinished: bool) -> dict[str, list[_Episode]]:
        """Return the episodes of each behavior that count."""
        return {behavior: tally.counted(unfinished) for behavior, tally in self._tallies.items()}

    def _count(self, behavior: str) -> None:
        decision_steps, terminal_steps = self._env.get_steps(behavior)
        if len(decision_steps) == 0 and len(terminal_steps) == 0:
            return
        if behavior not in self._models:
            raise ModelError(f"no model for behavior {behavior!r}; there are models for {', '.join(self._models)}")
        for steps in (decision_steps, terminal_steps):
            _check_finite(behavior, steps)
        tally = self._tallies.setdefault(behavior, _Tally(self._episodes))
        tally.add_terminals(terminal_steps)
        tally.add_decisions(decision_steps)
        self._models[behavior].forget(terminal_steps.agent_id)

    def _decide(self, behavior: str) -> None:
        decision_steps = self._env.get_steps(behavior)[0]
        if len(decision_steps):
            action = self._models[behavior].act(decision_steps, self._deterministic, self._rng)
            self._env.set_actions(behavior, action)


def evaluate(
    env: BaseEnv, models: Mapping[str, Model], episodes: int, *, deterministic: bool = False, seed: int = 0
) -> EvaluationResult:
    """Play N episodes of every behavior and return their averages; see `Evaluation`."""
    evaluation = Evaluation(env, models, episodes, deterministic=deterministic, seed=seed)
    evaluation.run()
    return evaluation.result()


def joint_result(evaluations: Sequence[Evaluation], unfinished: bool = False) -> EvaluationResult:
    """Return the averages of several evaluations of the same behaviors together; see `Evaluation.result`."""
    episodes: dict[str, list[_Episode]] = {}
    for evaluation in evaluations:
        for behavior, counted in evaluation.counted(unfinished).items():
            episodes.setdefault(behavior, []).extend(counted)
    return {behavior: _averages(counted) for behavior, counted in episodes.items()}


@dataclass
class _Episode:
    counts: bool
    group: int = 0
    reward: float = 0.0
    group_reward: float = 0.0
    decisions: int = 0
    outlived: bool = False


class _Tally:
    """The episodes of one behavior."""

    def __init__(self, episodes: int) -> None:
        self._episodes = episodes
        self._begun = 0
        self._running: dict[int, _Episode] = {}
        self._ended: list[_Episode] = []

    @property
    def complete(self) -> bool:
        return len(self._ended) == self._episodes

    def add_terminals(self, steps: TerminalSteps) -> None:
        over = []
        for agent, group, reward, group_reward in _rewards(steps):
            episode = self._running.pop(agent, None) or self._begin(group)
            episode.reward += reward
            episode.group_reward += group_reward
            over.append(episode)
        going = {episode.group for episode in self._running.values()} - {0} if over else set()
        for episode in over:
            if episode.counts:
                episode.outlived = episode.group in going
                self._ended.append(episode)

    def add_decisions(self, steps: DecisionSteps) -> None:
        for agent, group, reward, group_reward in _rewards(steps):
            episode = self._running.get(agent)
            if episode is None:
                episode = self._running[agent] = self._begin(group)
            episode.reward += reward
            episode.group_reward += group_reward
            episode.decisions += 1

    def counted(self, unfinished: bool) -> list[_Episode]:
        told = [e for e in self._ended if not e.outlived] or self._ended
        return told + [e for e in self._running.values() if e.counts and unfinished]

    def _begin(self, group: int) -> _Episode:
        self._begun += 1
        return _Episode(self._begun <= self._episodes, group)


def _averages(episodes: Sequence[_Episode]) -> BehaviorResult:
    if not episodes:
        return BehaviorResult(np.nan, np.nan, 0, np.nan, np.nan)
    own, group, decisions = np.array([(e.reward, e.group_reward, e.decisions) for e in episodes]).T
    returns = own + group
    mean, std, length = float(returns.mean()), float(returns.std()), float(decisions.mean())
    return BehaviorResult(mean, std, len(episodes), length, float(group.mean()))


def _check_finite(behavior: str, steps: DecisionSteps | TerminalSteps) -> None:
    for name, rewards in (("reward", steps.reward), ("group reward", steps.group_reward)):
        if not np.isfinite(rewards).all():
            (row, *_) = np.flatnonzero(~np.isfinite(rewards))
            raise UnityEnvironmentException(
                f"behavior {behavior}: the {name} of agent {steps.agent_id[row]} is {rewards[row]}, so no mean"
                " can be told. Look for divisions by zero in the environment's rewards."
            )


def _rewards(steps: DecisionSteps | TerminalSteps) -> Iterator[tuple[int, int, float, float]]:
    """Yield id, group, reward and group reward of every agent."""
    columns = steps.agent_id, steps.group_id, steps.reward, steps.group_reward
    return zip(*(column.tolist() for column in columns), strict=True)
