"""The clock: in which order agents decide, act, end and begin anew.

One physics step is 0.02 s, in this order:

1. every `decision_period` steps, counted for the whole world: all agents report and decide;
2. every agent's own step counter goes up;
3. every agent acts, repeating its last action between decisions (zero since its episode began);
4. who has reached the step limit is interrupted;
5. physics, then its callbacks (contacts).

An episode that ends in 3, 4 or 5 is reported with what the agent observes at that moment, and the next one
begins at once. What came to an end is reported before the next physics step; the agent decides again at the
next common decision, so an end and the next decision of one agent may come in one report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from mlagents_envs.base_env import DecisionSteps, TerminalSteps
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod
from mlagents_sim.agent import AgentBatch
from mlagents_sim.parameters import EnvironmentParameters

Report = tuple[DecisionSteps, TerminalSteps]


class World:
    """What is simulated: batches of agents, and the physics between their actions.

    This class has no physics; a subclass overrides `integrate`. It may also override `advance` with one
    compiled call that does the same as the loop here.

    Args:
      agents: One batch per behavior.
      decision_period: Physics steps from one decision to the next.
      parameters: What trainers may change.
    """

    def __init__(self, agents: Sequence[AgentBatch], decision_period: int, parameters: EnvironmentParameters) -> None:
        self.agents = tuple(agents)
        self.decision_period = decision_period
        self.parameters = parameters
        self.stats: list[tuple[str, float, StatsAggregationMethod]] = []
        first_id = 0
        for batch in self.agents:
            batch.agent_id += np.int32(first_id)
            first_id += len(batch)

    def integrate(self) -> None:
        """Run 0.02 s of physics and its callbacks, which may reward agents and end episodes."""

    def advance(self, steps: int) -> tuple[int, bool]:
        """Run physics steps, phases 2 to 5, until an episode ends.

        Args:
          steps: At most so many, until the next decision.

        Returns: how many whole steps were run, and whether an episode ended in phase 3 or 4 of a further
          one, whose physics is then still to run.
        """
        for step in range(steps):
            if any([batch.take_step() for batch in self.agents]):  # a list: everybody acts
                return step, True
            self.integrate()
            if any(batch.has_ended() for batch in self.agents):
                return step + 1, False
        return steps, False

    def record_stat(
        self, key: str, value: float, aggregation: StatsAggregationMethod = StatsAggregationMethod.AVERAGE
    ) -> None:
        """Send one value of a statistic to the trainer."""
        self.stats.append((key, value, aggregation))


class Academy:
    """Runs a world from report to report.

    Attributes:
      reports: behavior -> (DecisionSteps, TerminalSteps) of the last `reset()` or `step()`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._step_count = 0
        self._nothing = {
            batch.behavior: (DecisionSteps.empty(batch.spec), TerminalSteps.empty(batch.spec)) for batch in world.agents
        }
        self._terminal: dict[str, list[TerminalSteps]] = {}
        self.reports: dict[str, Report] = dict(self._nothing)

    def reset(self) -> None:
        """Begin a new episode for every agent; all of them then wait for a decision."""
        self._step_count = 0
        for batch in self._world.agents:
            batch.begin_all_episodes()
        self._report(decisions=True)

    def step(self) -> None:
        """Advance until at least one agent reports."""
        world = self._world
        due = False
        while not due and not self._terminal:
            until_decision = world.decision_period - self._step_count % world.decision_period
            steps, acted = world.advance(until_decision)
            self._finish_episodes()
            if acted:
                world.integrate()
                self._finish_episodes()
            self._step_count += steps + acted
            due = steps + acted == until_decision
        self._report(decisions=due)

    @property
    def step_count(self) -> int:
        """Physics steps since the last reset; with the last reports all that the academy itself remembers."""
        return self._step_count

    def go_on(self, step_count: int, reports: Mapping[str, Report]) -> None:
        """Continue as if these had been the last reports."""
        self._step_count = step_count
        self.reports = dict(reports)

    def _finish_episodes(self) -> None:
        for batch in self._world.agents:
            if batch.has_ended() and (steps := batch.finish_episodes()) is not None:
                self._terminal.setdefault(batch.behavior, []).append(steps)

    def _report(self, *, decisions: bool) -> None:
        for batch in self._world.agents:
            no_decisions, no_terminals = self._nothing[batch.behavior]
            ended = self._terminal.get(batch.behavior)
            self.reports[batch.behavior] = (
                batch.decision_steps() if decisions else no_decisions,
                _join(ended) if ended else no_terminals,
            )
        self._terminal.clear()


def _join(parts: list[TerminalSteps]) -> TerminalSteps:
    """One batch of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    return TerminalSteps(
        [np.concatenate(columns) for columns in zip(*(part.obs for part in parts), strict=True)],
        np.concatenate([part.reward for part in parts]),
        np.concatenate([part.interrupted for part in parts]),
        np.concatenate([part.agent_id for part in parts]),
    )
