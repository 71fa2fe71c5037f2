"""A world of agents that are objects."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mlagents_envs.exception import UnityPolicyException
from mlagents_sim.academy import World
from mlagents_sim.authoring.agent import Agent
from mlagents_sim.authoring.batch import Numbers, ObjectBatch
from mlagents_sim.authoring.behavior import BehaviorParameters, BehaviorType
from mlagents_sim.controllers import Controller, HeuristicController, ModelController, load_model
from mlagents_sim.parameters import EnvironmentParameters


class AgentWorld(World):
    """Simulates agents; a subclass overrides `integrate` with the physics, and `on_reset`.

    Agents report in the order in which they are listed here, behavior by behavior.

    Args:
      agents: at least one; more cannot be added later, but agents may be disabled and enabled.
      parameters: what trainers may change.
      rng: source of the samples that models draw; without it one of a fixed seed.

    Raises:
      ValueError: no agents, one whose `__init__` forgot that of `Agent`, or two of one behavior that observe or do
        different things.
      UnityPolicyException: a model cannot be loaded.
    """

    def __init__(
        self,
        agents: Sequence[Agent],
        parameters: EnvironmentParameters | None = None,
        *,
        rng: np.random.Generator | None = None,
    ) -> None:
        if not agents:
            raise ValueError("A world needs at least one agent.")
        numbers = Numbers()
        batches = [ObjectBatch(members, numbers) for members in _by_behavior(agents)]
        super().__init__(batches, 1, parameters or EnvironmentParameters(type(self).__name__, {}))
        numbers.agents = itertools.count(len(agents))
        rng = np.random.default_rng(0) if rng is None else rng
        for batch, members in zip(batches, _by_behavior(agents), strict=True):
            batch.controller = _controller(batch, members[0].behavior, rng)
        for agent in agents:
            if agent.group is not None:
                agent.group.join(agent)


def _by_behavior(agents: Sequence[Agent]) -> list[list[Agent]]:
    """Return agents that one policy decides for, together."""
    together: dict[tuple[str, BehaviorType, object], list[Agent]] = {}
    for agent in agents:
        if "behavior" not in vars(agent):
            raise ValueError(
                f"{type(agent).__name__} is not initialised: its __init__ must call super().__init__(behavior, ...)."
            )
        behavior = agent.behavior
        model = behavior.model if isinstance(behavior.model, (str, Path)) else id(behavior.model)
        together.setdefault((behavior.qualified_name, behavior.behavior_type, model), []).append(agent)
    return list(together.values())


def _controller(batch: ObjectBatch, behavior: BehaviorParameters, rng: np.random.Generator) -> Controller | None:
    if behavior.behavior_type is BehaviorType.DEFAULT:
        return None
    if behavior.behavior_type is BehaviorType.HEURISTIC_ONLY:
        return HeuristicController(batch.heuristic)
    model = behavior.model
    assert model is not None
    if isinstance(model, (str, Path)):
        try:
            model = load_model(Path(model), batch.spec)
        except Exception as error:  # of whichever package the model's kind belongs to
            raise UnityPolicyException(f"Behavior {behavior.qualified_name!r}: {error}") from error
    return ModelController(model, deterministic=behavior.deterministic_inference, rng=rng)
