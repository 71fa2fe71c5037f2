"""A play that people look at: who decides for whom, what agents earn, and what the one does that is looked at."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from mlagents.inference import Model
from mlagents.viewing.explanation import Explanation, explain
from mlagents.viewing.hands import Hands
from mlagents.viewing.teaching import Teacher
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps

KEPT_EPISODES: Final = 10
_ABSENT_AFTER_REPORTS: Final = 100


class AgentName(NamedTuple):
    """One agent: its behavior's full name and its id."""

    behavior: str
    agent_id: int


class Cast(Protocol):
    """Who plays which behavior."""

    def player(self, behavior: str) -> Model:
        """Return who plays it now."""


@dataclass
class Score:
    """What an agent has earned since its episode began.

    Attributes:
      own: sum of its own rewards.
      group: sum of its group's.
      decisions: that it has taken.
      in_group: whether it belongs to a group.
    """

    own: float = 0.0
    group: float = 0.0
    decisions: int = 0
    in_group: bool = False

    def add(self, own: float, group: float, group_id: int) -> None:
        """Add what a report says."""
        self.own, self.group, self.in_group = self.own + own, self.group + group, group_id > 0


class Moment(NamedTuple):
    """One decision of the agent that is looked at.

    Attributes:
      number: of the decision in its episode, from 1.
      obs: what it observed, one array per observation.
      action: what it does, a row.
      explanation: why, or what its player would have done instead of a person; None where that cannot be told.
      score: earned until now.
      by_person: whether a person acts.
    """

    number: int
    obs: Sequence[NDArray[np.float32]]
    action: ActionTuple
    explanation: Explanation | None
    score: Score
    by_person: bool = False


@dataclass
class _Play:
    """The agents of one behavior."""

    scores: dict[int, Score] = field(default_factory=dict)
    last_seen: dict[int, int] = field(default_factory=dict)
    ended: deque[Score] = field(default_factory=lambda: deque(maxlen=KEPT_EPISODES))


class Session:
    """Plays an environment decision by decision. All methods are called by one thread.

    Args:
      env: to be played; the caller closes it.
      cast: who plays.
      hands: the keys of a person who takes over an agent.
      teacher: records that.
      deterministic: take the most likely actions.
      seed: of sampled actions.

    Attributes:
      chosen: the agent that is looked at; None before there is one.
      taken: the agent that a person plays; None if nobody does.
      moment: the last decision of the chosen agent.
      last_end: what the chosen agent had earned when its last episode ended; None before that.
      explains: whether to ask players why; it costs time.
    """

    def __init__(
        self, env: BaseEnv, cast: Cast, hands: Hands, teacher: Teacher, *, deterministic: bool = False, seed: int = 0
    ) -> None:
        self._env: Any = env
        self._cast = cast
        self.hands = hands
        self.teacher = teacher
        self.deterministic = deterministic
        self._rng = np.random.default_rng(seed)
        self._other_rng = np.random.default_rng(seed + 1)  # of samples for explanations
        self._plays: dict[str, _Play] = {}
        self._reports = self._resets = 0
        self.chosen: AgentName | None = None
        self.taken: AgentName | None = None
        self.moment: Moment | None = None
        self.last_end: Score | None = None
        self.explains = True

    def reset(self) -> None:
        """Begin all episodes anew."""
        self._env.reset()
        self._plays = {behavior: _Play() for behavior in self._env.behavior_specs}
        self.teacher.forget()
        self.moment = None
        self._resets += 1
        self._listen()

    def step(self) -> None:
        """Let everybody who waits decide, and go on until somebody waits again."""
        for behavior in self._env.behavior_specs:
            self._decide(behavior)
        self._env.step()
        self._listen()

    @property
    def specs(self) -> Mapping[str, BehaviorSpec]:
        """What the behaviors observe and do."""
        specs: Mapping[str, BehaviorSpec] = self._env.behavior_specs
        return specs

    @property
    def agents(self) -> list[AgentName]:
        """The agents that take part now, by behavior and id."""
        return [
            AgentName(name, agent)
            for name, play in self._plays.items()
            for agent, last in sorted(play.last_seen.items())
            if self._reports - last < _ABSENT_AFTER_REPORTS
        ]

    @property
    def playable(self) -> frozenset[str]:
        """Behaviors that a person can play: those in which keys mean something."""
        return frozenset(getattr(self._env, "keys", {}))

    @property
    def waits_for_person(self) -> bool:
        """Whether time stands still until a person has pressed a key."""
        if self.taken is None or not getattr(self._env, "turn_based", False) or self.hands.has_pressed:
            return False
        return self.taken.agent_id in self._env.get_steps(self.taken.behavior)[0]

    @property
    def has_played(self) -> bool:
        """Whether a decision was taken, of whomever."""
        return self._reports > self._resets

    @property
    def moment_of_episode(self) -> Moment | None:
        """`moment` if it belongs to the episode that goes on; an agent that begins anew has observed nothing yet."""
        score = None if self.chosen is None else self.score(self.chosen)
        moment = self.moment
        return moment if moment is not None and score is not None and score.decisions == moment.number else None

    def choose(self, agent: AgentName) -> None:
        """Look at an agent."""
        if agent != self.chosen:
            self.chosen, self.moment, self.last_end = agent, None, None

    def take_over(self, agent: AgentName) -> None:
        """Let a person play an agent, which is then the one that is looked at.

        Raises:
          ValueError: keys mean nothing to it.
        """
        if agent.behavior not in self.playable:
            raise ValueError(f"no keys are known for {agent.behavior}")
        self.release()
        self.hands.release()
        self.taken = agent
        self.choose(agent)

    def release(self) -> None:
        """Give the agent back to its player, and finish what was recorded of it."""
        self.teacher.stop()
        self.taken = None

    def record(self) -> None:
        """Record the agent that a person plays from its next decision on.

        Raises:
          ValueError: nobody plays an agent. OSError: the file cannot be written.
        """
        if self.taken is None:
            raise ValueError("take over an agent first")
        self.teacher.start(self.taken.behavior, self.specs[self.taken.behavior])

    def score(self, agent: AgentName) -> Score | None:
        """Return what an agent has earned in its episode."""
        play = self._plays.get(agent.behavior)
        return None if play is None else play.scores.get(agent.agent_id)

    def ended(self, behavior: str) -> list[Score]:
        """Return the last episodes of a behavior that have ended, the newest last."""
        return list(self._plays[behavior].ended) if behavior in self._plays else []

    def _listen(self) -> None:
        """Take in what the agents report."""
        self._reports += 1
        for behavior in self._env.behavior_specs:
            decisions, ends = self._env.get_steps(behavior)
            play = self._plays.setdefault(behavior, _Play())
            for agent, own, group, group_id in _rewards(ends):
                score = play.scores.pop(agent, None) or Score()
                score.add(own, group, group_id)
                play.ended.append(score)
                self._end(AgentName(behavior, agent), score, ends)
            for agent, own, group, group_id in _rewards(decisions):
                play.scores.setdefault(agent, Score()).add(own, group, group_id)
                play.last_seen[agent] = self._reports
            self._cast.player(behavior).forget(ends.agent_id)
        agents = self.agents
        if self.chosen is None and agents:
            self.chosen = agents[0]

    def _end(self, agent: AgentName, score: Score, ends: TerminalSteps) -> None:
        if agent == self.chosen:
            self.last_end = score
        if agent == self.taken:
            row = ends.agent_id == agent.agent_id
            columns = ends.reward[row], ends.interrupted[row], ends.agent_id[row]
            groups = ends.group_id[row], ends.group_reward[row]
            self.teacher.end_episode(TerminalSteps([column[row] for column in ends.obs], *columns, *groups))

    def _decide(self, behavior: str) -> None:
        steps = self._env.get_steps(behavior)[0]
        if not len(steps):
            return
        player = self._cast.player(behavior)
        why = self._explain(behavior, steps, player)
        action = player.act(steps, self.deterministic, self._rng)
        if self.taken is not None and self.taken.behavior == behavior and self.taken.agent_id in steps:
            action = self._by_hand(self.taken, steps, action)
        self._env.set_actions(behavior, action)
        scores = self._plays[behavior].scores
        for agent in steps.agent_id.tolist():
            scores[agent].decisions += 1
        if self.chosen is not None and self.chosen.behavior == behavior and self.chosen.agent_id in steps:
            score = scores[self.chosen.agent_id]
            row = steps.agent_id_to_index[self.chosen.agent_id]
            taken = ActionTuple(action.continuous[row : row + 1], action.discrete[row : row + 1])
            obs = [column[row].copy() for column in steps.obs]
            self.moment = Moment(score.decisions, obs, taken, why, replace(score), self.chosen == self.taken)

    def _explain(self, behavior: str, steps: DecisionSteps, player: Model) -> Explanation | None:
        chosen = self.chosen
        if not self.explains or chosen is None or chosen.behavior != behavior or chosen.agent_id not in steps:
            return None
        return explain(player, row_of(steps, chosen.agent_id), self.specs[behavior].action_spec, self._other_rng)

    def _by_hand(self, agent: AgentName, steps: DecisionSteps, action: ActionTuple) -> ActionTuple:
        """Return the actions with what the held keys mean in the agent's row, and record that."""
        keys = self.hands.take_one() if getattr(self._env, "turn_based", False) else self.hands.take()
        self._env.hold_keys(keys)
        by_keys: ActionTuple = self._env.heuristic(agent.behavior)
        row = steps.agent_id_to_index[agent.agent_id]
        continuous, discrete = action.continuous.copy(), action.discrete.copy()
        continuous[row], discrete[row] = by_keys.continuous[row], by_keys.discrete[row]
        own = ActionTuple(continuous[row : row + 1], discrete[row : row + 1])
        self.teacher.record(row_of(steps, agent.agent_id), own)
        return ActionTuple(continuous, discrete)


def row_of(steps: DecisionSteps, agent_id: int) -> DecisionSteps:
    """Return one agent's row of the steps."""
    row = steps.agent_id_to_index[agent_id]
    rows = slice(row, row + 1)
    masks = None if steps.action_mask is None else [mask[rows] for mask in steps.action_mask]
    return DecisionSteps(
        [column[rows] for column in steps.obs],
        steps.reward[rows],
        steps.agent_id[rows],
        masks,
        steps.group_id[rows],
        steps.group_reward[rows],
    )


def _rewards(steps: DecisionSteps | TerminalSteps) -> list[tuple[int, float, float, int]]:
    """Return id, reward, group reward and group of every agent."""
    columns = steps.agent_id, steps.reward, steps.group_reward, steps.group_id
    return list(zip(*(column.tolist() for column in columns), strict=True))
