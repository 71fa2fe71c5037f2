"""Agents that win and lose together."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlagents_sim.authoring.agent import Agent


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
        if agent.place is not None:
            self.join(agent)

    def unregister_agent(self, agent: Agent) -> None:
        """Remove an agent. What its group earned since its last report is lost to it."""
        if agent.group is not self:
            return
        agent.group = None
        self._agents.remove(agent)
        if agent.place is not None:
            agent.place.batch.set_group(agent.place.row, 0)

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
