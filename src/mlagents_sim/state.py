"""The state of an environment: all that decides how it goes on, as arrays and plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_sim.academy import Academy, Report, World

Memory = Mapping[str, Mapping[str, NDArray[Any]] | None]
"""Behavior -> the arrays of its batch, by name."""


def collect(
    world: World,
    academy: Academy,
    memory: Memory,
    reports: Mapping[str, Report],
    pending: Mapping[str, ActionTuple],
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Return the state; copies."""
    return {
        "memory": {
            name: {key: np.array(array) for key, array in arrays.items()}
            for name, arrays in memory.items()
            if arrays is not None
        },
        "reports": {name: _pack(report) for name, report in reports.items()},
        "pending": {name: [np.array(a.continuous), np.array(a.discrete)] for name, a in pending.items()},
        "step_count": academy.step_count,
        "parameters": world.parameters.state_dict(),
        "rng": rng.bit_generator.state,
    }


def restore(
    state: Mapping[str, Any],
    world: World,
    academy: Academy,
    memory: Memory,
    specs: Mapping[str, BehaviorSpec],
    rng: np.random.Generator,
) -> dict[str, ActionTuple]:
    """Bring back a state, and return the actions that wait for the next step.

    Raises:
      ValueError: the state is of another environment.
    """
    _check(state["memory"], memory)
    world.parameters.load_state_dict(state["parameters"])
    for name, arrays in memory.items():
        for key, array in (arrays or {}).items():
            array[...] = state["memory"][name][key]
    rng.bit_generator.state = state["rng"]
    academy.go_on(state["step_count"], {n: _unpack(report, specs[n]) for n, report in state["reports"].items()})
    return {name: ActionTuple(*map(np.array, actions)) for name, actions in state["pending"].items()}


def _check(saved: Mapping[str, Mapping[str, NDArray[Any]]], memory: Memory) -> None:
    shapes, expected = (
        {(name, key): array.shape for name, arrays in of.items() for key, array in (arrays or {}).items()}
        for of in (saved, memory)
    )
    if shapes != expected:
        different = sorted(".".join(key) for key in shapes.keys() | expected if shapes.get(key) != expected.get(key))
        raise ValueError(f"The state is of another environment, or of another number of areas: {', '.join(different)}.")


def _common(steps: DecisionSteps | TerminalSteps) -> list[NDArray[Any]]:
    return [np.asarray(a) for a in (steps.reward, steps.agent_id, steps.group_id, steps.group_reward)]


def _pack(report: Report) -> dict[str, Any]:
    decision, terminal = report
    return {
        "decision": [*decision.obs, *_common(decision), *(decision.action_mask or ())],
        "terminal": [*terminal.obs, *_common(terminal), terminal.interrupted],
    }


def _unpack(packed: Mapping[str, Any], spec: BehaviorSpec) -> Report:
    sensors = len(spec.observation_specs)
    reward, agent_id, group_id, group_reward, *masks = packed["decision"][sensors:]
    obs = list(packed["decision"][:sensors])
    decision = DecisionSteps(obs, reward, agent_id, masks or None, group_id, group_reward)
    reward, agent_id, group_id, group_reward, interrupted = packed["terminal"][sensors:]
    obs = list(packed["terminal"][:sensors])
    return decision, TerminalSteps(obs, reward, interrupted, agent_id, group_id, group_reward)
