"""A registry with an environment of two behaviors, for commands that run in this process."""

from __future__ import annotations

import numpy as np
import pytest

import mlagents_envs.registry
from mlagents_envs.base_env import (
    ActionSpec,
    BaseEnv,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.registry import BaseRegistryEntry, UnityEnvRegistry

SPECS = {
    "Walker?team=0": BehaviorSpec(
        [ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "position")],
        ActionSpec(2, ()),
    ),
    "Chooser?team=1": BehaviorSpec(
        [
            ObservationSpec((3,), (DimensionProperty.NONE,), ObservationType.DEFAULT, ""),
            ObservationSpec((1, 4, 5), (DimensionProperty.NONE,) * 3, ObservationType.DEFAULT, "camera"),
        ],
        ActionSpec(0, (3, 2)),
    ),
}


class TwoBehaviors(BaseEnv):
    """One agent per behavior; every episode lasts 4 decisions and pays 0.5 at each and at its end: 2.5 in all.

    Behaviors are known after the first reset only, as with executables.
    """

    def __init__(self):
        self.closed = False
        self.steps_until_interrupt = np.inf
        self._time = -1

    @property
    def behavior_specs(self):
        return {} if self._time < 0 else SPECS

    def reset(self):
        self._time = 0

    def step(self):
        self.steps_until_interrupt -= 1
        if self.steps_until_interrupt < 0:
            raise KeyboardInterrupt
        self._time += 1

    def get_steps(self, behavior_name):
        ended = self._time > 0 and self._time % 4 == 0
        ids, half = np.array([7], np.int32), np.array([0.5], np.float32)
        obs = [np.zeros((1, *sensor.shape), np.float32) for sensor in SPECS[behavior_name].observation_specs]
        terminal = TerminalSteps(obs, half, np.array([False]), ids)
        return DecisionSteps(obs, half, ids, None), (terminal if ended else TerminalSteps.empty(SPECS[behavior_name]))

    def set_actions(self, behavior_name, action):
        SPECS[behavior_name].action_spec._validate_action(action, 1, behavior_name)

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def close(self):
        self.closed = True


class Entry(BaseRegistryEntry):
    made: TwoBehaviors
    arguments: dict
    steps_until_interrupt = np.inf

    def make(self, **kwargs):
        self.arguments = kwargs
        self.made = TwoBehaviors()
        self.made.steps_until_interrupt = self.steps_until_interrupt
        return self.made


class Broken(BaseRegistryEntry):
    def make(self, **kwargs):
        raise RuntimeError("no physics today")


@pytest.fixture
def registry(monkeypatch):
    """Two environments, one of which cannot be made."""
    registry = UnityEnvRegistry()
    registry.register(Entry("TwoBehaviors", 2.5, "Walk, or choose.", parameters={"speed": "how fast; 1 (0-2)"}))
    registry.register(Broken("Broken", None, None))
    monkeypatch.setattr(mlagents_envs.registry, "default_registry", registry)
    return registry


@pytest.fixture
def entry(registry):
    return registry["TwoBehaviors"]
