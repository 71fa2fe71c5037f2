"""Spectators: when they are called, and what there is to be seen then."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.sensors import VectorSensor


class Walkers(AgentBatch):
    """One step per physics step; the episode ends at `length`."""

    def __init__(self, length: int) -> None:
        super().__init__("Walkers?team=0", 1, [VectorSensor(1)], ActionSpec.create_continuous(1))
        self.length = length
        self.way = np.zeros(1)

    def reset(self, rows):
        self.way[rows] = 0

    def observe(self, rows):
        return [self.way[rows, np.newaxis]]

    def act(self):
        self.way += 1
        self.end_episode(self.way == self.length)


def watch(length: int, period: int, every: int, steps: int):
    """What was seen at each call, and what was reported."""
    walkers, seen, reported = Walkers(length), [], []
    env = SimEnvironment(World([walkers], period, EnvironmentParameters("Walk", {})))
    if every:
        env.watch(lambda: seen.append(int(walkers.way[0])), every)
    env.reset()
    for _ in range(steps):
        reported += [[float(x) for x in report.obs[0].ravel()] for report in env.get_steps("Walkers?team=0")]
        env.step()
    return seen, reported


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        # Decisions after 5 and 10 steps; the episode ends in step 7, which is seen before the next begins.
        (1, [0, 1, 2, 3, 4, 5, 6, 7, 1, 2, 3]),
        (2, [0, 2, 4, 6, 1, 3]),
        (7, [0, 7]),
        (10, [0, 3]),
    ],
)
def test_a_watcher_sees_resets_and_every_so_many_steps_also_ends(every: int, expected: list[int]) -> None:
    seen, _ = watch(length=7, period=5, every=every, steps=3)
    assert seen == expected


@pytest.mark.parametrize("every", [1, 2, 3, 7])
def test_reports_are_the_same_when_watched(every: int) -> None:
    assert watch(7, 5, every, 12)[1] == watch(7, 5, 0, 12)[1]


def test_a_physics_step_takes_a_fiftieth_of_a_second_unless_a_world_says_otherwise() -> None:
    from mlagents_sim.examples import basic

    assert SimEnvironment(World([], 1, EnvironmentParameters("Walk", {}))).step_seconds == 0.02
    assert basic.ENTRY.make().step_seconds == 0.15
