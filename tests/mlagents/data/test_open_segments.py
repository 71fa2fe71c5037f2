"""The grid: memory, groups and images of segments that are still open, and what becomes of them at an end."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.data.segments import WeightsId
from mlagents.data.trajectories import Arrivals, Ending, Groups, Trajectories
from mlagents_envs.behavior_id import BehaviorId
from toys.specs import behavior, observation

LANE = np.array([0])


def floats(*values):
    return np.array(values, np.float32)


def observe(grid, lanes, rewards, groups=None, pixel=None):
    seen = np.zeros((len(lanes), 1), np.float32) if pixel is None else np.full((len(lanes), 1, 2, 2), pixel, np.float32)
    return grid.observe(Arrivals(np.array(lanes), 0, 7, [seen], floats(*rewards), groups))


def decide(grid, lanes, memory=None):
    count = len(lanes)
    action, choices = np.zeros((count, 1), np.float32), np.zeros((count, 0), np.int32)
    grid.decide(np.array(lanes), action, choices, action, memory)


def end(grid, lane, reward=0.0, group_reward=0.0, shape=(1,)):
    return grid.end(Ending(lane, 0, 8, [np.zeros(shape, np.float32)], reward, group_reward))


def test_the_groups_reward_counts_for_those_who_had_decided_and_until_the_end():
    """Agent 0 decides alone: what its group earns then is not agent 1's, which comes later."""
    grid = Trajectories(BehaviorId("B"), behavior(1, continuous=1), 4)
    grid.grow(2)
    ids = np.full(2, 3, np.int32)
    observe(grid, [0], [9], Groups(ids[:1], floats(9)))
    decide(grid, [0])
    observe(grid, [0, 1], [1, 9], Groups(ids, floats(0.5, 0.5)))
    decide(grid, [0, 1])
    segment, episode = end(grid, 0, 2.0, 0.25)
    assert segment.columns.reward.tolist() == [1.0, 2.0]
    assert segment.columns.group_reward.tolist() == [0.5, 0.25]
    assert segment.columns.group_id.tolist() == [3, 3]
    assert (episode.reward, episode.group_reward, episode.last_reward, episode.total_reward) == (3.0, 0.75, 2.25, 3.75)
    _, other = end(grid, 1, 4.0, 0.125)
    assert (other.reward, other.group_reward, other.group_id) == (4.0, 0.125, 3)


def test_memory_lies_before_the_decision_that_begins_with_it_and_ends_with_the_episode():
    grid = Trajectories(BehaviorId("B"), behavior(1, continuous=1), 2, memory_size=2)
    grid.grow(1)
    observe(grid, [0], [0])
    assert grid.memory(LANE).tolist() == [[0, 0]]
    decide(grid, [0], floats([1, 2]))
    observe(grid, [0], [0])
    assert grid.memory(LANE).tolist() == [[1, 2]]
    decide(grid, [0], floats([3, 4]))
    (segment,) = observe(grid, [0], [0])  # the horizon
    assert segment.columns.memory.tolist() == [[0, 0], [1, 2]]
    assert grid.memory(LANE).tolist() == [[3, 4]]
    decide(grid, [0], floats([5, 6]))
    segment, _ = end(grid, 0)
    assert segment.columns.memory.tolist() == [[3, 4]]
    observe(grid, [0], [0])
    assert grid.memory(LANE).tolist() == [[0, 0]]


@pytest.mark.parametrize("agents", [1, 2])
def test_an_abandoned_lane_has_no_memory(agents):
    grid = Trajectories(BehaviorId("B"), behavior(1, continuous=1), 2, memory_size=1)
    lanes = list(range(agents))
    grid.grow(agents)
    for _ in range(3):
        observe(grid, lanes, [0] * agents)
        decide(grid, lanes, np.ones((agents, 1), np.float32))
    grid.abandon(np.array(lanes))
    observe(grid, lanes, [0] * agents)
    assert not grid.memory(np.array(lanes)).any()


def test_images_that_bytes_cannot_hold_stay_what_they_are_when_slots_are_added():
    """Segments that are not recycled keep their slots, so that each end takes a new one; lane 1 stays open."""
    grid = Trajectories(BehaviorId("B"), behavior(observation(1, 2, 2), continuous=1), 2)
    grid.grow(2)
    observe(grid, [1], [0], pixel=0.123)
    decide(grid, [1])
    for _ in range(8):
        observe(grid, [0], [0], pixel=0.2)
        decide(grid, [0])
        end(grid, 0, shape=(1, 2, 2))
    segment, _ = end(grid, 1, shape=(1, 2, 2))
    np.testing.assert_array_equal(segment.columns.observations[0][0], np.float32(0.123))


def test_the_version_is_that_of_the_first_decision_and_weights_stay_for_the_episode():
    grid = Trajectories(BehaviorId("B"), behavior(1, continuous=1), 2)
    grid.grow(1)
    old, new = WeightsId("B", 3), WeightsId("B", 4)
    segments = []
    for version, weights in enumerate([old, new, new, new]):
        segments += observe(grid, [0], [0])
        grid.begin(LANE, weights, version)
        decide(grid, [0])
    segment, episode = end(grid, 0)
    assert [s.version for s in (*segments, segment)] == [0, 2]
    assert [s.weights for s in (*segments, segment)] == [old, old]
    assert episode.weights == old


def test_a_segment_that_was_handed_on_does_not_change_until_it_is_recycled():
    grid = Trajectories(BehaviorId("B"), behavior(1, continuous=1), 2)
    grid.grow(1)
    kept = []
    for reward in range(1, 8):
        observe(grid, [0], [0])
        decide(grid, [0])
        kept.append(end(grid, 0, float(reward))[0])
    assert [segment.columns.reward.tolist() for segment in kept] == [[float(r)] for r in range(1, 8)]


def test_what_is_open_stays_in_its_lane_as_lanes_are_added():
    """After an end a lane goes on in another slot than the one it had at first."""
    grid = Trajectories(BehaviorId("B"), behavior(1, continuous=1), 2, memory_size=1)
    grid.grow(2)
    for lane in (1, 0):
        observe(grid, [lane], [0])
        decide(grid, [lane], floats([1]))
        end(grid, lane)
    observe(grid, [0], [0])
    decide(grid, [0], floats([5]))
    observe(grid, [0], [2.5])
    decide(grid, [0], floats([6]))
    grid.grow(9)
    segment, episode = end(grid, 0, 0.5)
    assert segment.columns.reward.tolist() == [2.5, 0.5]
    assert segment.columns.memory.tolist() == [[0], [5]]
    assert episode.reward == 3.0


def test_a_lane_that_begins_a_segment_leaves_the_version_of_the_others():
    grid = Trajectories(BehaviorId("B"), behavior(1, continuous=1), 4)
    grid.grow(2)
    for version, lanes in enumerate([[0], [0, 1]]):
        observe(grid, lanes, [0] * len(lanes))
        grid.begin(np.array(lanes), WeightsId("B"), version)
        decide(grid, lanes)
    assert [end(grid, lane)[0].version for lane in (0, 1)] == [0, 1]


@pytest.mark.parametrize("decisions", [1, 2, 3, 4, 5])
def test_the_memory_after_the_last_decision_survives(decisions):
    """A run is stopped when agents wait for what comes of their decisions: their memory is a row ahead by then."""
    grids = [Trajectories(BehaviorId("B"), behavior(1, continuous=1), 3, memory_size=2) for _ in range(2)]
    grid, other = grids
    grid.grow(1)
    for number in range(1, decisions + 1):
        observe(grid, [0], [0])
        decide(grid, [0], floats([number, -number]))
    other.load_state_dict(grid.state_dict())
    for one in grids:
        observe(one, [0], [0])
    assert grid.memory(LANE).tolist() == other.memory(LANE).tolist() == [[decisions, -decisions]]
