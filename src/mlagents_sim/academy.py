"""The clock: in which order agents decide, act, end and begin anew.

One physics step is 0.02 s, in this order:

1. every `decision_period` steps, counted for the whole world: agents report and decide, usually all of them;
2. every agent's own step counter goes up;
3. every agent acts, repeating its last action between decisions (zero since its episode began);
4. who has reached the step limit is interrupted;
5. physics, then its callbacks (contacts).

An episode that ends in 3, 4 or 5 is reported with what the agent observes at that moment, and the next one
begins at once. What came to an end is reported before the next physics step; the agent decides again at the
next common decision, so an end and the next decision of one agent may come in one report.

Not all agents need to decide at once: `AgentBatch.deciding` says who asks in 1, and the others go on with their last
actions. Agents that are objects (`authoring`) may ask on any step, each for itself; when one of them ends its episode,
the report and the next beginning come at that very moment.

Agents whose batch has a `controller` decide at the same moments, but by it: nobody else sees their reports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod
from mlagents_sim.agent import AgentBatch
from mlagents_sim.controllers import Controller
from mlagents_sim.parameters import EnvironmentParameters

if TYPE_CHECKING:
    from mlagents_sim.physics.scene import Scene
    from mlagents_sim.rendering import Spectator
    from mlagents_sim.view import View
    from mlagents_sim.visual_geoms import Poses, VisualGeoms

Report = tuple[DecisionSteps, TerminalSteps]

PATIENCE: Final = 100_000
"""So many decisions may be due in a row without any agent asking for one."""


class World:
    """What is simulated: batches of agents, and the physics between their actions.

    This class has no physics; a subclass overrides `integrate`. It may also override `advance` with one
    compiled call that does the same as the loop here.

    Args:
      agents: one batch per behavior.
      decision_period: physics steps from one decision to the next.
      parameters: what trainers may change.

    Attributes:
      step_seconds: how long a physics step takes for spectators.
      turn_based: whether time stands still until a person who plays has decided.
      view: from where they look at bodies in space; None for the usual place.
    """

    step_seconds: float = 0.02
    turn_based: bool = False
    view: View | None = None
    _spectator: Spectator | None = None

    def __init__(self, agents: Sequence[AgentBatch], decision_period: int, parameters: EnvironmentParameters) -> None:
        self.agents = tuple(agents)
        self.decision_period = decision_period
        self.parameters = parameters
        self.stats: list[tuple[str, float, StatsAggregationMethod]] = []
        first_id = 0
        for batch in self.agents:
            batch.agent_id += np.int32(first_id)
            first_id += len(batch)

    def on_reset(self) -> None:
        """Prepare for all episodes to begin anew; called before the agents' own resets."""

    def integrate(self) -> None:
        """Run 0.02 s of physics and its callbacks, which may reward agents and end episodes."""

    def advance(self, steps: int) -> tuple[int, bool]:
        """Run physics steps, phases 2 to 5, until an episode ends.

        Args:
          steps: at most so many, until the next decision.

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

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return what a spectator sees now: the world's `bodies`. A world that is no place in space overrides this.

        Args:
          width: of the picture, pixels.
          height: likewise.

        Returns: uint8 [height, width, 3], first row at the top.

        Raises:
          RenderingError: there is nothing to be seen, or there is no OpenGL on this machine.
        """
        from mlagents_sim.rendering import RenderingError, Spectator

        bodies = self.bodies()
        if bodies is None:
            raise RenderingError(
                f"{type(self).__name__} cannot be seen; give it an attribute `scene`, or a method `bodies()` or"
                " `picture(width, height)`."
            )
        if self._spectator is None or self._spectator.size != (width, height):
            self._spectator = Spectator(bodies, self.view, width, height)
        return self._spectator.picture(bodies)

    def agent_poses(self) -> Sequence[Poses | None]:
        """Return where agents are seen among the `bodies`, for every batch of `agents`; None: nowhere in particular.

        With it a camera can follow an agent, and what its rays see is drawn.
        """
        return [None] * len(self.agents)

    def bodies(self) -> VisualGeoms | Scene | None:
        """Return what spectators see now: the attribute `scene` if there is one; a subclass may know better."""
        scene: Scene | None = getattr(self, "scene", None)
        return scene


class _Desk:
    """What the academy has of one batch: what it reports if nothing happens, and the ends not yet reported."""

    __slots__ = ("batch", "ended", "nothing")

    def __init__(self, batch: AgentBatch) -> None:
        self.batch = batch
        self.nothing = DecisionSteps.empty(batch.spec), TerminalSteps.empty(batch.spec)
        self.ended: list[TerminalSteps] = []


class Academy:
    """Runs a world from report to report.

    Attributes:
      reports: behavior -> (DecisionSteps, TerminalSteps) of the last `reset()` or `step()`.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._step_count = 0
        self._desks = [_Desk(batch) for batch in world.agents]
        self._anybody_reports = any(batch.controller is None for batch in world.agents)
        self.reports: dict[str, Report] = {
            desk.batch.behavior: desk.nothing for desk in self._desks if desk.batch.controller is None
        }
        self._watcher: Callable[[], None] | None = None
        self._watched_steps = 0

    def watch(self, watcher: Callable[[], None], every: int) -> None:
        """Call `watcher` at every reset and after every so many physics steps, before new episodes begin there."""
        self._watcher, self._watched_steps = watcher, every

    def reset(self) -> None:
        """Begin a new episode for every agent, and advance until one waits for a decision: usually all do at once.

        Raises:
          UnityEnvironmentException: as `step`.
        """
        self._step_count = 0
        self._world.on_reset()
        for batch in self._world.agents:
            batch.begin_all_episodes()
        if self._watcher is not None:
            self._watcher()
        if not self._report(decisions=True):
            self.step()

    def step(self) -> None:
        """Advance until at least one agent reports; once if none of them ever does.

        Raises:
          UnityEnvironmentException: nobody has reported for too long.
        """
        for _ in range(PATIENCE):
            if self._report(decisions=self._advance()):
                return
        raise UnityEnvironmentException(
            f"No agent has asked for a decision, or ended its episode, in {PATIENCE} physics steps. Give the agents a "
            "DecisionRequester, or call request_decision()."
        )

    @property
    def step_count(self) -> int:
        """Physics steps since the last reset; with the last reports all that the academy itself remembers."""
        return self._step_count

    def go_on(self, step_count: int, reports: Mapping[str, Report]) -> None:
        """Continue as if these had been the last reports."""
        self._step_count = step_count
        self.reports = dict(reports)

    def _advance(self) -> bool:
        """Run physics until a decision is due or an episode ends; returns whether one is due."""
        world = self._world
        until_decision = world.decision_period - self._step_count % world.decision_period
        if self._watcher is None:
            steps, acted = world.advance(until_decision)
        else:
            until_picture = self._watched_steps - self._step_count % self._watched_steps
            steps, acted = world.advance(min(until_decision, until_picture))
            if steps + acted == until_picture:
                self._watcher()
        self._finish_episodes()
        if acted:
            world.integrate()
            self._finish_episodes()
        self._step_count += steps + acted
        return steps + acted == until_decision

    def _finish_episodes(self) -> None:
        for desk in self._desks:
            if desk.batch.has_ended() and (steps := desk.batch.finish_episodes()) is not None:
                desk.ended.append(steps)

    def _report(self, *, decisions: bool) -> bool:
        """Gather what there is to report; returns whether there is anything, or nobody who could."""
        reported = not self._anybody_reports
        for desk in self._desks:
            batch = desk.batch
            decision = batch.decision_steps() if decisions else desk.nothing[0]
            terminal = join_terminal_steps(desk.ended) if desk.ended else desk.nothing[1]
            desk.ended.clear()
            if batch.controller is None:
                self.reports[batch.behavior] = decision, terminal
                reported |= len(decision.agent_id) + len(terminal.agent_id) > 0
            else:
                _act_alone(batch, batch.controller, decision, terminal)
        return reported


def _act_alone(batch: AgentBatch, controller: Controller, decision: DecisionSteps, terminal: TerminalSteps) -> None:
    if len(terminal):
        controller.end(terminal)
    if len(decision):
        batch.decide(controller.decide(decision))


def join_terminal_steps(parts: Sequence[TerminalSteps]) -> TerminalSteps:
    """Return one batch of all parts, in order."""
    if len(parts) == 1:
        return parts[0]
    return TerminalSteps(
        [np.concatenate(columns) for columns in zip(*(part.obs for part in parts), strict=True)],
        np.concatenate([part.reward for part in parts]),
        np.concatenate([part.interrupted for part in parts]),
        np.concatenate([part.agent_id for part in parts]),
        np.concatenate([part.group_id for part in parts]),
        np.concatenate([part.group_reward for part in parts]),
    )
