"""GridWorld: its picture, moves, rewards, starts and parameters."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.exception import UnitySideChannelException
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.examples.grid_world import (
    AGENT_COLOR,
    DOWN,
    EMPTY,
    ENTRY,
    FLOOR_COLOR,
    GOAL,
    GOAL_COLOR,
    LEFT,
    PIT,
    PIT_COLOR,
    RIGHT,
    STAY,
    UP,
    WALL_COLOR,
    GridAgents,
)

NAME = "GridWorld?team=0"


def make(areas=1, seed=0, **parameters):
    channel = EnvironmentParametersChannel()
    for name, value in parameters.items():
        channel.set_float_parameter(name, value)
    env = ENTRY.make(seed=seed, num_areas=areas, side_channels=[channel])
    env.reset()
    return env


def grids_of(env) -> GridAgents:
    return env._world.grids


def lay_out(env, agent, objects, grid=0) -> GridAgents:
    grids = grids_of(env)
    grids.cells[grid] = EMPTY
    for place, thing in objects.items():
        grids.cells[(grid, *place)] = thing
    grids.position[grid] = agent
    return grids


def act(env, *choices):
    env.set_actions(NAME, ActionTuple(discrete=np.array(choices)[:, np.newaxis]))
    env.step()
    return env.get_steps(NAME)


def seen(grids: GridAgents, grid=0) -> np.ndarray:
    """uint8 [height, width, 3], the picture of one grid."""
    (frames,) = grids.observe(np.array([grid]))
    levels = np.asarray(frames)[0] * np.float32(255.0)
    np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
    return np.rint(levels).astype(np.uint8).transpose(1, 2, 0)


def test_contract() -> None:
    check_env(ENTRY.make, deterministic=True)
    check_env(lambda: ENTRY.make(num_areas=2))


def test_nine_grids_one_image_five_moves() -> None:
    env = ENTRY.make()
    env.reset()
    decisions, _ = env.get_steps(NAME)
    assert len(decisions) == 9
    (image,) = env.behavior_specs[NAME].observation_specs
    assert image.shape == (3, 64, 84)
    assert [int(flag) for flag in image.dimension_property] == [1, 2, 2]
    assert env.behavior_specs[NAME].action_spec.discrete_branches == (5,)
    assert decisions.obs[0].dtype == np.float32


def test_the_picture_pixel_by_pixel() -> None:
    """12.8 pixels per cell; a pixel has the colour of its middle.

    Agent in column 2, row 1 from the top, as in a picture made in Unity: rows 13-25, columns 36-47, and the plus below
    it in rows 26-37. The frame is 2.56 wide: the hollow is within 3.84 of (19.2, 42). Bars reach 1.28 from (32, 42).
    """
    picture = seen(lay_out(make(), (2, 3), {(2, 2): GOAL}))
    expected = np.empty((64, 84, 3), np.uint8)
    expected[:] = FLOOR_COLOR
    expected[:, :10] = expected[:, 74:] = WALL_COLOR
    expected[13:26, 36:48] = AGENT_COLOR
    expected[15:23, 38:46] = FLOOR_COLOR
    expected[26:38, 41:43] = GOAL_COLOR
    expected[31:33, 36:48] = GOAL_COLOR
    np.testing.assert_array_equal(picture, expected)


def test_a_pit_is_a_cross() -> None:
    """In the cell at the left bottom: middle (57.6, 16.4). Along its diagonals bars reach 6.4, across them 1.28."""
    picture = seen(lay_out(make(), (4, 4), {(0, 0): PIT}))
    is_pit = (picture == PIT_COLOR).all(axis=2)
    assert [tuple(place) for place in np.argwhere(is_pit)] == [
        (row, column)
        for row, column in itertools.product(range(64), range(84))
        for down, right in [(row + 0.5 - 57.6, column + 0.5 - 16.4)]
        for along, across in [(abs(down + right) / 2**0.5, abs(down - right) / 2**0.5)]
        if min(along, across) <= 1.28 and max(along, across) <= 6.4
    ]
    for row, column, covered in [(57, 16, True), (53, 20, True), (61, 12, True), (52, 21, False), (57, 20, False)]:
        assert is_pit[row, column] == covered


def test_an_agent_frames_what_shares_its_cell() -> None:
    """Only the middle of the plus shows, inside the hollow."""
    picture = seen(lay_out(make(), (2, 2), {(2, 2): GOAL}))
    rows, columns = np.nonzero((picture == GOAL_COLOR).all(axis=2))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (28, 35, 38, 45)
    assert (picture[26, 36:48] == AGENT_COLOR).all()


@pytest.mark.parametrize("size", [3, 8, 20])
def test_the_whole_grid_is_seen_at_any_size(size: int) -> None:
    env = make(gridSize=size, numObstacles=0)
    picture = seen(lay_out(env, (size - 1, size - 1), {(0, 0): GOAL}))
    pixels = 64 / size
    rows, columns = np.nonzero((picture == AGENT_COLOR).all(axis=2))
    assert rows.min() == 0
    assert rows.max() == pytest.approx(pixels - 1, abs=1)
    assert columns.max() == 73
    rows, columns = np.nonzero((picture == GOAL_COLOR).all(axis=2))
    assert rows.max() == 63
    assert columns.min() == 10


def test_moves_turn_pages_of_the_picture() -> None:
    env = make()
    grids = lay_out(env, (2, 2), {(0, 0): GOAL})
    for move, place in ((UP, (2, 3)), (RIGHT, (3, 3)), (DOWN, (3, 2)), (LEFT, (2, 2)), (STAY, (2, 2))):
        decisions, terminals = act(env, move)
        assert len(terminals) == 0
        assert decisions.reward[0] == np.float32(-0.01)
        np.testing.assert_array_equal(grids.position[0], place)
        np.testing.assert_array_equal((decisions.obs[0][0] * 255).round().transpose(1, 2, 0), seen(grids))


def test_only_moves_into_a_wall_are_masked_and_they_lead_nowhere() -> None:
    env = make(areas=5)
    corners = {0: ((0, 0), (DOWN, LEFT)), 1: ((4, 0), (DOWN, RIGHT)), 2: ((0, 4), (UP, LEFT)), 3: ((4, 4), (UP, RIGHT))}
    places = {**corners, 4: ((2, 2), ())}
    for grid, (place, _) in places.items():
        lay_out(env, place, {(2, 1): GOAL}, grid)
    grids = grids_of(env)
    (mask,) = grids.action_mask()
    for grid, (_, forbidden) in places.items():
        assert tuple(np.flatnonzero(mask[grid])) == forbidden
    for choice in range(2):
        act(env, *[places[grid][1][choice] for grid in range(4)], STAY)
        np.testing.assert_array_equal(grids.position[:4], [place for place, _ in corners.values()])


@pytest.mark.parametrize(("thing", "reward"), [(GOAL, 1.0), (PIT, -1.0)])
def test_goals_and_pits_end_the_episode_and_their_reward_replaces_the_steps_cost(thing: int, reward: float) -> None:
    env = make()
    lay_out(env, (2, 2), {(4, 2): thing})
    decisions, _ = act(env, RIGHT)
    assert decisions.reward[0] == np.float32(-0.01)
    decisions, terminals = act(env, RIGHT)
    assert terminals.reward[0] == reward
    assert not terminals.interrupted[0]
    # The last picture shows the agent on the thing; the next one is of a new episode, whose agent already waits.
    last = (terminals.obs[0][0] * 255).round().transpose(1, 2, 0)
    np.testing.assert_array_equal(last[32, 62], AGENT_COLOR)
    np.testing.assert_array_equal(last[32, 68], GOAL_COLOR if thing == GOAL else PIT_COLOR)
    assert decisions.reward[0] == 0.0


def test_an_idle_episode_is_interrupted_after_100_steps() -> None:
    env = make()
    total = 0.0
    for _ in range(99):
        decisions, terminals = act(env, STAY)
        assert len(terminals) == 0
        total += decisions.reward[0]
    _, terminals = act(env, STAY)
    assert terminals.interrupted[0]
    assert total + terminals.reward[0] == pytest.approx(-1.0, abs=1e-4)


def test_starts_are_different_cells_and_all_are_as_likely() -> None:
    grids = grids_of(make(areas=4000))
    assert ((grids.cells == GOAL).sum(axis=(1, 2)) == 1).all()
    assert ((grids.cells == PIT).sum(axis=(1, 2)) == 1).all()
    assert (grids.cells[np.arange(4000), grids.position[:, 0], grids.position[:, 1]] == EMPTY).all()
    agents = np.zeros((20, 20))
    np.add.at(agents, tuple(grids.position.T), 1)
    for counts in (agents, (grids.cells == GOAL).sum(axis=0), (grids.cells == PIT).sum(axis=0)):
        # 160 expected, standard deviation 12.4
        assert 100 < counts[:5, :5].min() < counts[:5, :5].max() < 220
        assert counts.sum() == 4000 == counts[:5, :5].sum()


def test_parameters_are_read_at_reset() -> None:
    env = make(areas=3, gridSize=7, numObstacles=4, numGoals=2)
    grids = grids_of(env)
    assert ((grids.cells == PIT).sum(axis=(1, 2)) == 4).all()
    assert ((grids.cells == GOAL).sum(axis=(1, 2)) == 2).all()
    np.testing.assert_array_equal(grids.size, 7)


def test_sizes_may_be_drawn() -> None:
    channel = EnvironmentParametersChannel()
    channel.set_uniform_sampler_parameters("gridSize", 3.0, 9.0, 1)
    env = ENTRY.make(num_areas=200, side_channels=[channel])
    env.reset()
    assert set(grids_of(env).size) == {3, 4, 5, 6, 7, 8}


def test_more_than_fits_is_refused() -> None:
    make(gridSize=3, numObstacles=4, numGoals=4)
    with pytest.raises(UnitySideChannelException, match=r"numObstacles 4, numGoals 5 .* the 9 cells of gridSize 3"):
        make(gridSize=3, numObstacles=4, numGoals=5)
    with pytest.raises(UnitySideChannelException, match="between 3 and 20"):
        make(gridSize=2)


def shortest_way(grids: GridAgents, grid: int) -> int:
    """The first move to a goal around the pits, by breadth-first search."""
    start = tuple(grids.position[grid].tolist())
    size = int(grids.size[grid])
    queue, came = deque([(start, STAY)]), {start}
    while queue:
        (x, z), first = queue.popleft()
        if grids.cells[grid, x, z] == GOAL:
            return first
        for move, place in ((UP, (x, z + 1)), (DOWN, (x, z - 1)), (LEFT, (x - 1, z)), (RIGHT, (x + 1, z))):
            if min(place) >= 0 and max(place) < size and place not in came and grids.cells[(grid, *place)] != PIT:
                came.add(place)
                queue.append((place, first or move))
    raise AssertionError("no way to a goal")


def test_the_best_play_earns_976_thousandths() -> None:
    """The way is 10/3 long on average, 2 longer if the pit is in it, with probability 200 of 13800, and its last step
    is free: 1 - 0.01 (10/3 - 1 + 2 * 200 / 13800) = 0.97638."""
    env = make(areas=50, seed=3)
    grids = grids_of(env)
    total, returns = np.zeros(50), []
    while len(returns) < 4000:
        decisions, terminals = act(env, *[shortest_way(grids, grid) for grid in range(50)])
        total[terminals.agent_id] += terminals.reward
        returns += total[terminals.agent_id].tolist()
        total[terminals.agent_id] = 0.0
        total += decisions.reward
    assert np.mean(returns) == pytest.approx(0.97638, abs=0.0012)  # standard error 0.00026


def test_a_restored_environment_goes_on_as_the_saved_one() -> None:
    one, other = make(areas=4, seed=1, gridSize=6), make(areas=4, seed=2)
    rng = np.random.default_rng(0)
    for _ in range(7):
        act(one, *rng.integers(0, 5, 4))
    other.load_state_dict(one.state_dict())
    ended = 0
    for _ in range(60):
        choices = rng.integers(0, 5, 4)
        for mine, its in zip(act(one, *choices), act(other, *choices), strict=True):
            np.testing.assert_array_equal(mine.obs[0], its.obs[0])
            np.testing.assert_array_equal(mine.reward, its.reward)
            np.testing.assert_array_equal(mine.agent_id, its.agent_id)
        ended += len(one.get_steps(NAME)[1])
    assert ended


def test_spectators_see_all_grids() -> None:
    env = make(areas=4)
    for grid in range(4):
        lay_out(env, (0, 4), {(4, 0): GOAL, (0, 0): PIT}, grid)
    picture = env.picture(240, 240)
    assert picture.shape == (240, 240, 3)
    assert picture.dtype == np.uint8
    # Two by two grids of 120 pixels, 20 per cell with half a cell of wall around; the frame of the agent is 4 thick.
    for top, left in itertools.product((0, 120), repeat=2):
        assert tuple(picture[top + 20, left + 12]) == AGENT_COLOR
        assert tuple(picture[top + 20, left + 20]) == FLOOR_COLOR
        assert tuple(picture[top + 100, left + 100]) == GOAL_COLOR
        assert tuple(picture[top + 100, left + 20]) == PIT_COLOR
        assert tuple(picture[top + 4, left + 60]) == WALL_COLOR
