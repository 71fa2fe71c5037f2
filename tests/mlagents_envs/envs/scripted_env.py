"""An environment that reports what a test wrote down."""

from __future__ import annotations

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.foreign.local_env import LocalEnv

NAME = "Actor?team=0"
ONE_CONTINUOUS = ActionSpec.create_continuous(1)


def spec(action=ONE_CONTINUOUS, *shapes):
    sensors = [
        ObservationSpec(shape, (DimensionProperty.NONE,) * len(shape), ObservationType.DEFAULT, f"sensor {index}")
        for index, shape in enumerate(shapes or [(2,)])
    ]
    return BehaviorSpec(sensors, action)


def decide(agent, value=0.0, reward=0.0, forbid=()):
    """Agent `agent` asks for an action: all its observations are `value`; `forbid` are (branch, choice)."""
    return agent, value, reward, forbid


def end(agent, value=0.0, reward=0.0, interrupted=False):
    """Agent `agent` ends."""
    return agent, value, reward, interrupted


class Scripted(LocalEnv):
    """Frames one after the other, from the first at each `reset()`; the last is repeated.

    A frame is a pair of lists, of `decide` and of `end`, or a dict behavior -> such a pair.
    `actions` are those of all steps since the reset, behavior -> ActionTuple.
    """

    def __init__(self, frames, specs=None, side_channels=None):
        super().__init__(side_channels)
        self._specs.update(specs if isinstance(specs, dict) else {NAME: specs or spec()})
        self._frames = [frame if isinstance(frame, dict) else {NAME: frame} for frame in frames]
        self._time = 0
        self.actions = []
        self.closed = 0

    def _reset(self):
        self._time = 0
        self.actions = []
        return self._play()

    def _advance(self, actions):
        self.actions.append(dict(actions))
        self._time = min(self._time + 1, len(self._frames) - 1)
        return self._play()

    def _close(self):
        self.closed += 1

    def _play(self):
        return {name: self._report(self._specs[name], *frame) for name, frame in self._frames[self._time].items()}

    @staticmethod
    def _report(spec, deciding, ended):
        def columns(rows):
            ids, values, rewards = ([row[i] for row in rows] for i in range(3))
            obs = [
                np.broadcast_to(
                    np.reshape(np.array(values, np.float32), (-1,) + (1,) * len(sensor.shape)),
                    (len(rows), *sensor.shape),
                ).copy()
                for sensor in spec.observation_specs
            ]
            return obs, np.array(rewards, np.float32), np.array(ids, np.int32)

        masks = [np.zeros((len(deciding), size), np.bool_) for size in spec.action_spec.discrete_branches]
        for row, (_, _, _, forbid) in enumerate(deciding):
            for branch, choice in forbid:
                masks[branch][row, choice] = True
        obs, reward, ids = columns(ended)
        interrupted = np.array([row[3] for row in ended], np.bool_)
        return (
            DecisionSteps(*columns(deciding), masks if masks and deciding else None),
            TerminalSteps(obs, reward, interrupted, ids),
        )
