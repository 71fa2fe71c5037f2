"""Recording agents that act by themselves.

Those that a program or a model from outside plays are recorded by `mlagents_envs.demonstrations.RecordedEnv`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mlagents_envs.base_env import ActionTuple, DecisionSteps, TerminalSteps
from mlagents_envs.demonstrations import DemonstrationWriter, EpisodeRecorder
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.controllers import Controller


class RecordedController:
    """A controller whose decisions are recorded.

    Args:
      controller: decides.
      recorder: is told; closed by the caller.
    """

    def __init__(self, controller: Controller, recorder: EpisodeRecorder) -> None:
        self._controller = controller
        self._recorder = recorder

    def end(self, terminal_steps: TerminalSteps) -> None:
        """Record the ends."""
        self._recorder.record_ends(terminal_steps)
        self._controller.end(terminal_steps)

    def decide(self, decision_steps: DecisionSteps) -> ActionTuple:
        """Decide and record."""
        action = self._controller.decide(decision_steps)
        self._recorder.record_decisions(decision_steps, action)
        return action

    def reset(self, agent_ids: Iterable[int]) -> None:
        """Forget the open episodes: those that went on are not recorded."""
        self._recorder.forget()
        self._controller.reset(agent_ids)


@contextmanager
def record(world: World, path: Path | str, behavior: str | None = None) -> Iterator[None]:
    """Record agents that act by themselves (HEURISTIC_ONLY, INFERENCE_ONLY) as long as the block runs.

    ```python
    with record(world, "Player.demo"):
        for _ in range(1000):
            env.step()
    ```

    Args:
      world: what is played; its environment is made and stepped by the caller.
      path: of the file, ends in `.demo`; it is whole when the block has ended, after an error too.
      behavior: which, fully qualified, like `3DBall?team=0`; None for the only one.

    Raises:
      ValueError: no such behavior acts by itself, or several do and none was named.
    """
    batch = _batch(world, behavior)
    controller = batch.controller
    assert controller is not None
    recorder = EpisodeRecorder(DemonstrationWriter(path, batch.behavior, batch.spec))
    batch.controller = RecordedController(controller, recorder)
    try:
        yield
    finally:
        batch.controller = controller
        recorder.close()


def _batch(world: World, behavior: str | None) -> AgentBatch:
    alone = [batch for batch in world.agents if batch.controller is not None]
    chosen = [batch for batch in alone if behavior in (None, batch.behavior)]
    if len(chosen) != 1:
        there = ", ".join(batch.behavior for batch in alone) or "none"
        raise ValueError(f"Expected one behavior that acts by itself; asked for {behavior or 'any'}, there: {there}.")
    return chosen[0]
