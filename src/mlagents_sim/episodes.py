"""The academy's order of events for compiled code: `academy` phases 2 and 4."""

from __future__ import annotations

from mlagents_sim.agent import INTERRUPTED, PLAYING, AgentArrays
from mlagents_sim.physics.compiled import compiled


@compiled
def count_step(agents: AgentArrays) -> None:
    """Count one more step of every agent: phase 2."""
    for i in range(len(agents.step_count)):
        agents.step_count[i] += 1


@compiled
def interrupt(agents: AgentArrays, max_step: int) -> bool:
    """Interrupt who has reached `max_step`, phase 4; return whether any episode is over."""
    any_over = False
    for i in range(len(agents.end)):
        if agents.end[i] == PLAYING and agents.step_count[i] >= max_step:
            agents.end[i] = INTERRUPTED
        any_over |= agents.end[i] != PLAYING
    return any_over
