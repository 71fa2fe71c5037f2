"""Masks in every form that environments of other libraries give them."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from pettingzoo import ParallelEnv

from mlagents_envs.exception import UnityActionException
from mlagents_envs.foreign.from_gymnasium import GymnasiumEnvironment
from mlagents_envs.foreign.from_pettingzoo import PettingZooEnvironment

NAME = "Maze?team=0"
ONE, TWO, BINARY = spaces.Discrete(3), spaces.MultiDiscrete([2, 3]), spaces.MultiBinary(2)
ALL = [False, False, False]

# (actions, a mask as an environment gives it, what is forbidden in each branch)
FORMS = [
    (ONE, np.int8([1, 0, 1]), [[False, True, False]]),
    (ONE, np.array([True, False, True]), [[False, True, False]]),
    (ONE, [1, 0, 1], [[False, True, False]]),
    (ONE, (1.0, 0.0, 1.0), [[False, True, False]]),
    (ONE, (np.int8([1, 0, 1]),), [[False, True, False]]),
    (ONE, None, [ALL]),
    (ONE, [0, 0, 0], [ALL]),
    (TWO, np.int8([0, 1, 1, 0, 1]), [[True, False], [False, True, False]]),
    (TWO, [0, 1, 1, 0, 1], [[True, False], [False, True, False]]),
    (TWO, (np.int8([0, 1]), np.int8([1, 0, 1])), [[True, False], [False, True, False]]),
    (TWO, [[0, 1], [1, 0, 1]], [[True, False], [False, True, False]]),
    (TWO, (None, [1, 0, 1]), [[False, False], [False, True, False]]),
    (TWO, ([0, 0], [1, 0, 1]), [[False, False], [False, True, False]]),
    (spaces.MultiDiscrete([2, 2]), np.int8([[0, 1], [1, 0]]), [[True, False], [False, True]]),
    (BINARY, ([1, 0], [1, 1]), [[False, True], [False, False]]),
]
MISFITS = [
    (ONE, [1, 0], "3 numbers, 1 = allowed"),
    (ONE, "101", "3 numbers"),
    (ONE, {"a": 1}, "3 numbers"),
    (TWO, [[1, 1], [1, 1]], "5 numbers, 1 = allowed, or one list per branch of 2 and 3"),
    (TWO, [1, 0, 1], "5 numbers"),
    (TWO, [[1, 1], [1, 0, 1], [1]], "5 numbers"),
    (spaces.Box(-1, 1, (3,)), [1, 0, 1], "expected none, for the actions are continuous"),
]


class Maze(gymnasium.Env):
    """Gives a mask in its info, and none with its first observation."""

    observation_space = spaces.Box(0, 1, (1,), np.float32)

    def __init__(self, action_space, mask):
        self.action_space = action_space
        self._mask = mask

    def reset(self, *, seed=None, options=None):
        return self._observe(), {}

    def step(self, action):
        return self._observe(), 0.0, False, False, {"action_mask": self._mask}

    def _observe(self):
        return np.zeros(1, np.float32)


class SeenMaze(Maze):
    """Gives it in its observation."""

    def __init__(self, action_space, mask, mask_space):
        super().__init__(action_space, mask)
        self.observation_space = spaces.Dict(action_mask=mask_space, place=spaces.Box(0, 1, (1,), np.float32))

    def _observe(self):
        return {"action_mask": self._mask, "place": np.zeros(1, np.float32)}


class Zoo(ParallelEnv):
    """Two of the same kind; the second has no mask."""

    metadata = {"name": "zoo"}  # noqa: RUF012
    possible_agents = ["a", "b"]  # noqa: RUF012

    def __init__(self, maze):
        self._maze = maze

    def observation_space(self, agent):
        return self._maze.observation_space

    def action_space(self, agent):
        return self._maze.action_space

    def reset(self, seed=None, options=None):
        self.agents = ["a", "b"]
        infos = {"a": {"action_mask": self._maze._mask}, "b": {}} if type(self._maze) is Maze else {"a": {}, "b": {}}
        return dict.fromkeys(self.agents, self._maze.reset()[0]), infos


def gym_masks(*copies):
    env = GymnasiumEnvironment(SyncVectorEnv(copies, autoreset_mode=AutoresetMode.SAME_STEP), NAME)
    env.reset()
    first = env.get_steps(NAME)[0].action_mask
    env.step()
    return first, env.get_steps(NAME)[0].action_mask


@pytest.mark.parametrize(("action_space", "mask", "forbidden"), FORMS)
def test_in_infos_of_gymnasium(action_space, mask, forbidden):
    first, then = gym_masks(lambda: Maze(action_space, mask))
    assert first is None
    assert [branch.tolist() for branch in then] == [[row] for row in forbidden]


def test_who_gives_none_may_do_everything():
    class Silent(Maze):
        def step(self, action):
            return (*super().step(action)[:4], {})

    _, (mask,) = gym_masks(lambda: Silent(ONE, None), lambda: Maze(ONE, np.int8([0, 0, 1])))
    assert mask.tolist() == [ALL, [True, True, False]]


@pytest.mark.parametrize(("action_space", "mask", "forbidden"), FORMS)
def test_in_infos_of_pettingzoo(action_space, mask, forbidden):
    env = PettingZooEnvironment([Zoo(Maze(action_space, mask))], "Maze", [0])
    env.reset()
    found = env.get_steps(NAME)[0].action_mask
    if mask is None:
        assert found is None
    else:
        assert [branch.tolist() for branch in found] == [[row, [False] * len(row)] for row in forbidden]


SEEN = [
    (ONE, spaces.MultiBinary(3), np.int8([1, 0, 1]), [[False, True, False]]),
    (TWO, spaces.Box(0, 1, (5,), np.int8), np.int8([0, 1, 1, 0, 1]), [[True, False], [False, True, False]]),
    (
        TWO,
        spaces.Tuple([spaces.MultiBinary(2), spaces.MultiBinary(3)]),
        (np.int8([0, 1]), np.int8([1, 0, 1])),
        [[True, False], [False, True, False]],
    ),
]


@pytest.mark.parametrize(("action_space", "mask_space", "mask", "forbidden"), SEEN)
def test_in_observations(action_space, mask_space, mask, forbidden):
    first, _ = gym_masks(*[lambda: SeenMaze(action_space, mask, mask_space)] * 2)
    assert [branch.tolist() for branch in first] == [[row, row] for row in forbidden]
    env = PettingZooEnvironment([Zoo(SeenMaze(action_space, mask, mask_space))], "Maze", [0])
    env.reset()
    assert [branch.tolist() for branch in env.get_steps(NAME)[0].action_mask] == [[row, row] for row in forbidden]
    assert [sensor.name for sensor in env.behavior_specs[NAME].observation_specs] == ["place"]


@pytest.mark.parametrize(("action_space", "mask", "words"), MISFITS)
def test_what_does_not_fit_is_refused(action_space, mask, words):
    zoo = PettingZooEnvironment([Zoo(Maze(action_space, mask))], "Maze", [0])
    with pytest.raises(UnityActionException, match=words):
        zoo.reset()
    with pytest.raises(UnityActionException, match=words):
        gym_masks(lambda: Maze(action_space, mask))


def test_an_observation_called_so_that_does_not_fit_is_refused():
    space = spaces.MultiBinary(4)
    with pytest.raises(UnityActionException, match="expected 3 numbers"):
        gym_masks(lambda: SeenMaze(ONE, np.int8([1, 1, 1, 1]), space))
