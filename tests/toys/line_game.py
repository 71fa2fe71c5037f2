"""What tests of the browser play: a game of a few cells, and players whose choices are known."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.spectating import BOX, AgentPoses, RayFan, Viewpoint
from mlagents_envs.stepped_env import SteppedEnv
from mlagents_sim.visual_geoms import GREEN, VisualGeoms, make_boxes

LINE = "Line?team=0"
GOAL = 3


@dataclass
class Key:
    names: tuple[str, ...]
    meaning: str
    choice: tuple[int, int] | None


class LineEnv(SteppedEnv):
    """Two agents on lines of their own, each from cell 0; right is 1, left is 2, and cell 3 is the goal, worth 1."""

    step_seconds = 0.1

    def __init__(self, turn_based=False):
        super().__init__()
        spec = ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "cell, goal")
        self._specs = {LINE: BehaviorSpec([spec], ActionSpec.create_discrete((3,)))}
        self.keys = {LINE: (Key(("right", "d"), "go right", (0, 1)), Key(("left", "a"), "go left", (0, 2)))}
        self.parameters = {"goal_worth": SimpleNamespace(doc="worth of the goal", default=1.0, low=0.0, high=5.0)}
        self.turn_based = turn_based
        self.cells = np.zeros(2, np.int64)
        self.held = ()
        self.steps = 0
        self._watcher = None

    def reset(self):
        self.cells[:] = 0
        self._pending.clear()
        self._report(np.zeros(2, np.float32), np.zeros(0, np.int64))

    def step(self):
        self.steps += 1
        actions = self._take_actions()[LINE].discrete[:, 0]
        self.cells += np.array((0, 1, -1))[actions]
        if self._watcher is not None:
            self._watcher()
        over = np.flatnonzero(self.cells == GOAL)
        self._report((self.cells == GOAL).astype(np.float32), over)

    def close(self):
        pass

    def _report(self, reward, over):
        obs = self._observe()
        ends = TerminalSteps([obs[over]], reward[over], np.zeros(len(over), np.bool_), over.astype(np.int32))
        self.cells[over] = 0
        rest = reward.copy()
        rest[over] = 0.0
        self._reports = {LINE: (DecisionSteps([self._observe()], rest, np.arange(2, dtype=np.int32), None), ends)}

    def _observe(self):
        return np.stack((self.cells, np.full(2, GOAL)), axis=1).astype(np.float32)

    def hold_keys(self, names):
        self.held = tuple(names)

    def heuristic(self, behavior):
        choice = 0
        for name in self.held:
            choice = {"right": 1, "d": 1, "left": 2, "a": 2}[name]
        return ActionTuple(None, np.full((2, 1), choice, np.int32))

    def watch(self, watcher, every):
        self._watcher = watcher

    def bodies(self) -> VisualGeoms:
        place = np.stack((self.cells, np.zeros(2), 3.0 * np.arange(2)), axis=1).astype(np.float64)
        floor = make_boxes(np.array(((1.5, -0.6, 1.5),)), (3.0, 0.1, 3.0), (0.7, 0.7, 0.7))
        boxes = make_boxes(place, 0.5, GREEN)
        assert (boxes.shape == BOX).all()
        return VisualGeoms(*(np.concatenate(columns) for columns in zip(floor, boxes, strict=True)))

    def meshes(self):
        return ()

    def agent_poses(self, behavior):
        place = np.stack((self.cells, np.zeros(2), 3.0 * np.arange(2)), axis=1).astype(np.float64)
        return AgentPoses(np.arange(2), place, np.tile(np.eye(3), (2, 1, 1)))

    def ray_fans(self, behavior) -> dict[int, RayFan]:
        return {}

    def viewpoint(self, aspect):
        return Viewpoint(np.array((1.5, 8.0, -8.0)), np.array((1.5, 0.0, 1.5)), 40.0)


class Always:
    """Takes one choice, always."""

    remembers = False

    def __init__(self, choice):
        self.choice = choice
        self.forgotten = []

    def act(self, steps, deterministic, rng):
        return ActionTuple(None, np.full((len(steps), 1), self.choice, np.int32))

    def forget(self, agent_ids):
        self.forgotten += list(agent_ids)


class OneCast:
    """The same player for everybody."""

    def __init__(self, player):
        self._player = player

    def player(self, behavior):
        return self._player
