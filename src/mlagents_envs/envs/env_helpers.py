"""Names of agents in PettingZoo: `3DBall?team=0?agent_id=4` is agent 4 of the behavior `3DBall?team=0`."""

from __future__ import annotations

from mlagents_envs.base_env import DecisionStep, DecisionSteps, TerminalStep, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId

_AGENT = "?agent_id="


def _behavior_to_agent_id(behavior_name: str, unique_id: int) -> str:
    """Return the name of an agent."""
    return f"{behavior_name}{_AGENT}{unique_id}"


def _agent_id_to_behavior(agent_id: str) -> str:
    """Return the behavior in the name of an agent."""
    return agent_id.partition(_AGENT)[0]


def _parse_behavior(full_behavior: str) -> tuple[str, int]:
    """Name and team of a behavior; without `?team=` the team is 0."""
    return BehaviorId.parse(_agent_id_to_behavior(full_behavior))


def _unwrap_batch_steps(
    batch_steps: tuple[DecisionSteps, TerminalSteps], behavior_name: str
) -> tuple[dict[str, DecisionStep], dict[str, TerminalStep]]:
    """Return what `get_steps` returns, by name of the agent."""
    decisions, terminals = batch_steps
    return (
        {_behavior_to_agent_id(behavior_name, int(agent)): step for agent, step in decisions.items()},
        {_behavior_to_agent_id(behavior_name, int(agent)): step for agent, step in terminals.items()},
    )
