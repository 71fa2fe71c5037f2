"""One agent, as an object; and a group of them, which wins and loses together."""

from __future__ import annotations

import math
from collections.abc import Sequence

from mlagents_envs.exception import UnityEnvironmentException, UnityPolicyException
from mlagents_sim.authoring.actions import ActionBuffers, ActionMask
from mlagents_sim.authoring.behavior import BehaviorParameters, DecisionRequester
from mlagents_sim.authoring.observations import ObservationWriter
from mlagents_sim.authoring.place import Place
from mlagents_sim.authoring.sensors import AgentSensor
from mlagents_sim.keys import Keys, write_actions


class Agent:
    """One agent. A subclass says what it perceives, does and earns; see `mlagents_sim.authoring`.

    Every 0.02 s, in the order that `mlagents_sim.academy` tells: who wants a decision calls
    `collect_observations` and `write_discrete_action_mask`, and is given one; who wants to act, after a decision
    or between two, gets `on_action_received`; who has reached `max_step` is interrupted; then comes the physics.

    Args:
      behavior: what the agent observes and does, and who decides.
      max_step: physics steps after which an episode is interrupted; 0 for no limit.
      decision_requester: asks for decisions at a steady pace; without it the agent does, by `request_decision`.
      sensors: of this agent alone.

    Attributes:
      behavior: as given.
      max_step: as given; may be changed.
      decision_requester: as given.
      sensors: as given.
      group: the group that the agent is registered with, or None.
      cumulative_reward: earned in this episode.
      completed_episodes: how many have ended.
      keys: what the keys of people mean who play; a subclass says so, the same for all agents of a behavior.
    """

    keys: Sequence[Keys] = ()

    def __init__(
        self,
        behavior: BehaviorParameters,
        *,
        max_step: int = 0,
        decision_requester: DecisionRequester | None = None,
        sensors: Sequence[AgentSensor] = (),
    ) -> None:
        self.behavior = behavior
        self.max_step = max_step
        self.decision_requester = decision_requester
        self.sensors = tuple(sensors)
        self.group: AgentGroup | None = None
        self.cumulative_reward = 0.0
        self.completed_episodes = 0
        self._place: Place | None = None
        self.wants_decision = False
        self.wants_action = False
        self.is_enabled = True

    # What a subclass defines

    def on_episode_begin(self) -> None:
        """Put the agent, and what belongs to it, where an episode begins."""

    def collect_observations(self, sensor: ObservationWriter) -> None:
        """Add `vector_observation_size` numbers to `sensor`."""

    def write_discrete_action_mask(self, mask: ActionMask) -> None:
        """Forbid choices that make no sense now."""

    def on_action_received(self, actions: ActionBuffers) -> None:
        """Do what was decided, and say what it was worth. `actions` cannot be written to."""

    def heuristic(self, actions_out: ActionBuffers) -> None:
        """Decide by a rule of your own: write into `actions_out`, which is zero. Here the player's keys decide.

        Raises:
          UnityPolicyException: the subclass has neither a rule nor keys.
        """
        if not self.keys:
            raise UnityPolicyException(
                f"{self.described}: no heuristic; define {type(self).__name__}.heuristic() or its keys."
            )
        write_actions(self.keys, self.held_keys, actions_out.continuous, actions_out.discrete)

    # What a subclass says back

    def add_reward(self, value: float) -> None:
        """Add to what the agent earns in this decision window."""
        place = self._earns(value)
        place.batch.add_reward(value, place.rows)
        self.cumulative_reward += value

    def set_reward(self, value: float) -> None:
        """Overwrite what the agent has earned in this decision window."""
        place = self._earns(value)
        self.cumulative_reward += value - float(place.batch.arrays.reward[place.row])
        place.batch.set_reward(value, place.rows)

    def _earns(self, value: float) -> Place:
        """Return where the agent is in its world.

        Raises:
          UnityEnvironmentException: `value` is no finite number.
        """
        if not math.isfinite(value):
            raise UnityEnvironmentException(
                f"{self.described}: a reward of {value}; expected a finite number. Look for a division by zero."
            )
        return self.located()

    def end_episode(self) -> None:
        """End the episode. What the agent sees now is its last observation; the next episode begins at once."""
        batch, row = self.located()
        batch.end(row, interrupted=False)

    def episode_interrupted(self) -> None:
        """Cut the episode short, else as `end_episode`: it is not finished, and its last state still has a value."""
        batch, row = self.located()
        batch.end(row, interrupted=True)

    def request_decision(self) -> None:
        """Ask for a decision at the beginning of the next physics step, and act on it."""
        self.wants_decision = self.wants_action = True

    def request_action(self) -> None:
        """Act on the last decision when agents act next, without a new one."""
        self.wants_action = True

    def disable(self) -> None:
        """Take no part until `enable`; the episode ends, unfinished but for good, and the agent leaves its group."""
        batch, row = self.located()
        batch.disable(row)

    def enable(self) -> None:
        """Take part again: with a new id, and a new episode."""
        batch, row = self.located()
        batch.enable(row)

    # What it may ask

    @property
    def step_count(self) -> int:
        """Physics steps since the episode began."""
        batch, row = self.located()
        return int(batch.arrays.step_count[row])

    @property
    def agent_id(self) -> int:
        """Its id in the environment's reports."""
        batch, row = self.located()
        return int(batch.agent_id[row])

    @property
    def actions(self) -> ActionBuffers:
        """What was decided last; zeros since the episode began."""
        batch, row = self.located()
        return batch.actions_of(row)

    @property
    def held_keys(self) -> Sequence[str]:
        """Names of the keys that the player holds now, the newest last."""
        return self.located().batch.held_keys

    @property
    def described(self) -> str:
        """Behavior and agent, for errors."""
        number = f"agent {self.agent_id}" if self._place else "an agent in no world yet"
        return f"Behavior {self.behavior.qualified_name!r}, {number} ({type(self).__name__})"

    def located(self) -> Place:
        """Return where the agent's numbers are kept.

        Raises:
          UnityEnvironmentException: the agent is in no world yet.
        """
        if self._place is None:
            raise UnityEnvironmentException(
                f"{self.described}: this needs a world. Give the agent to an AgentWorld first."
            )
        return self._place


class AgentGroup:
    """A group of agents: what one of them achieves may be worth something to all, also to those gone before.

    Agents of different behaviors may be in one group; an agent is in one group at most. Batches have
    `AgentBatch.assign_groups` instead.
    """

    def __init__(self) -> None:
        self._agents: list[Agent] = []
        self._id: int | None = None

    @property
    def registered_agents(self) -> tuple[Agent, ...]:
        """In the order in which they were registered."""
        return tuple(self._agents)

    def register_agent(self, agent: Agent) -> None:
        """Add an agent; one that is disabled leaves by itself.

        Raises:
          ValueError: it is in another group.
        """
        if agent.group is self:
            return
        if agent.group is not None:
            raise ValueError(f"{agent.described}: the agent is in another group; unregister it there first.")
        agent.group = self
        self._agents.append(agent)
        if agent._place is not None:
            self.join(agent)

    def unregister_agent(self, agent: Agent) -> None:
        """Remove an agent. What its group earned since its last report is lost to it."""
        if agent.group is not self:
            return
        agent.group = None
        self._agents.remove(agent)
        if agent._place is not None:
            agent._place.batch.set_group(agent._place.row, 0)

    def add_group_reward(self, value: float) -> None:
        """Add to what every agent in the group earns with it in its decision window."""
        for agent in self._agents:
            place = agent.located()
            place.batch.add_group_reward(value, place.rows)

    def set_group_reward(self, value: float) -> None:
        """Overwrite what every agent in the group has earned with it in its decision window."""
        for agent in self._agents:
            place = agent.located()
            place.batch.set_group_reward(value, place.rows)

    def end_group_episode(self) -> None:
        """End the episode of every agent in the group; all stay in it."""
        for agent in self.registered_agents:
            agent.end_episode()

    def group_episode_interrupted(self) -> None:
        """Cut the episode of every agent in the group; all stay in it."""
        for agent in self.registered_agents:
            agent.episode_interrupted()

    def join(self, agent: Agent) -> None:
        """Tell the agent's world of the group; called once the agent has one."""
        batch, row = agent.located()
        if self._id is None:
            self._id = batch.next_group_id()
        batch.set_group(row, self._id)
