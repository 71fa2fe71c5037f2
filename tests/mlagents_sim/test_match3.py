"""Match3: moves, matches, falling, points, masks, what is seen, sizes, rules that play, and keys."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.testing import check_env
from mlagents_sim.examples.match3 import ENTRY, SIGNS, VISUAL_ENTRY
from mlagents_sim.examples.match3_board import (
    ACROSS,
    COLUMNS,
    EMPTY,
    MOVES,
    ROWS,
    cells_of,
    clear,
    drop,
    fill,
    find_moves,
    mark,
    rate_moves,
    settle,
)
from mlagents_sim.examples.rules import RULES

NAME, VISUAL_NAME = "Match3VectorObs?team=0", "Match3VisualObs?team=0"


def board(*rows: str) -> tuple[np.ndarray, np.ndarray]:
    """Colours and size of a board that is written as it looks, the bottom row last; a dot is an empty cell."""
    color = np.full((ROWS, COLUMNS), EMPTY, np.int8)
    for row, cells in enumerate(reversed(rows)):
        color[row, : len(cells)] = [EMPTY if cell == "." else int(cell) for cell in cells]
    return color, np.array((len(rows), len(rows[0])))


def shown(color: np.ndarray, size: np.ndarray) -> list[str]:
    rows = color[: size[0], : size[1]][::-1]
    return ["".join("." if cell == EMPTY else str(cell) for cell in row) for row in rows]


def make(entry=ENTRY, areas: int = 1, seed: int = 0, **parameters: float):
    channel = EnvironmentParametersChannel()
    for name, value in parameters.items():
        channel.set_float_parameter(name, value)
    env = entry.make(seed=seed, num_areas=areas, side_channels=[channel])
    env.reset()
    return env


def act(env, *moves: int, name: str = NAME) -> None:
    env.set_actions(name, ActionTuple(discrete=np.array(moves, np.int32)[:, np.newaxis]))
    env.step()


def lay_out(env, color: np.ndarray, size: np.ndarray, kind: dict[tuple[int, int], int] | None = None) -> None:
    """Put cells on the first board."""
    boards = env._world.players.boards
    boards.color[0], boards.size[0], boards.kind[0] = color, size, 0
    for place, wanted in (kind or {}).items():
        boards.kind[(0, *place)] = wanted
    find_moves(boards.color[0], boards.size[0], boards.is_valid[0])


@pytest.mark.parametrize("entry", [ENTRY, VISUAL_ENTRY], ids=lambda entry: entry.identifier)
def test_contract(entry) -> None:
    check_env(functools.partial(entry.make, num_areas=2), steps=60, deterministic=True)


def test_specs() -> None:
    vector, visual = make(), make(VISUAL_ENTRY)
    names = ["Match3 Sensor (cells)", "Match3 Sensor (special)"]
    for env, name, shapes in (
        (vector, NAME, [(432,), (216,)]),
        (visual, VISUAL_NAME, [(6, 9, 8), (3, 9, 8)]),
    ):
        spec = env.behavior_specs[name]
        assert [each.name for each in spec.observation_specs] == names
        assert [each.shape for each in spec.observation_specs] == shapes
        assert spec.action_spec.discrete_branches == (127,)


# Moves


@pytest.mark.parametrize(
    ("move", "cells"),
    [
        (0, (0, 0, 0, 1)),
        (6, (0, 6, 0, 7)),
        (7, (1, 0, 1, 1)),
        (62, (8, 6, 8, 7)),
        (63, (0, 0, 1, 0)),
        (70, (0, 7, 1, 7)),
        (71, (1, 0, 2, 0)),
        (126, (7, 7, 8, 7)),
    ],
)
def test_moves_go_to_the_right_row_by_row_and_then_upwards(move: int, cells: tuple[int, ...]) -> None:
    assert (ACROSS, MOVES) == (63, 127)
    assert cells_of(move) == cells


def test_valid_moves_make_a_match() -> None:
    """The 1 of the second row comes down beside the two 1 at the bottom, or goes left between the 1 above and below."""
    color, size = board("0123", "2310", "1154")
    is_valid = np.ones(MOVES, np.bool_)
    assert find_moves(color, size, is_valid)
    assert np.flatnonzero(is_valid).tolist() == [(COLUMNS - 1) + 1, ACROSS + 2]
    color, size = board("0123", "2340", "1154")
    assert not find_moves(color, size, is_valid)
    assert not is_valid.any()


def test_valid_moves_are_those_that_a_search_finds() -> None:
    """Against another way: swap, and look for three equal cells by shifting the whole board."""

    def has_match(cells: np.ndarray) -> bool:
        return any(((c[2:] == c[1:-1]) & (c[1:-1] == c[:-2])).any() for c in (cells, cells.T))

    env = make(areas=20, seed=4)
    boards = env._world.players.boards
    for number, (color, size) in enumerate(zip(boards.color, boards.size, strict=True)):
        used = color[: size[0], : size[1]]
        assert not has_match(used)
        for move in range(MOVES):
            row, column, other_row, other_column = cells_of(move)
            if other_row >= size[0] or other_column >= size[1]:
                expected = False
            else:
                swapped = used.copy()
                swapped[row, column], swapped[other_row, other_column] = (
                    used[other_row, other_column],
                    used[row, column],
                )
                expected = has_match(swapped)
            assert boards.is_valid[number, move] == expected, (number, move)


def test_a_move_that_is_not_valid_does_nothing() -> None:
    env = make(seed=2)
    boards = env._world.players.boards
    before, forbidden = boards.color.copy(), int(boards.is_valid[0].argmin())
    act(env, forbidden)
    np.testing.assert_array_equal(boards.color, before)
    assert env.get_steps(NAME)[0].reward[0] == 0.0


# Matches


def test_rows_and_columns_of_three_or_more_match() -> None:
    color, size = board("01112", "03214", "52315", "22220", "14321")
    is_matched = np.zeros(color.shape, np.bool_)
    assert mark(color, size, is_matched)
    marks = np.full(color.shape, EMPTY, np.int8)
    marks[is_matched] = color[is_matched]
    assert shown(marks, size) == [".111.", "...1.", "...1.", "2222.", "....."]


def test_cells_are_worth_their_kind_and_empty_ones_are_refilled_by_what_falls() -> None:
    color, size = board("012", "345", "000", "312")
    kind = np.zeros_like(color)
    kind[1, :3], kind[2, 0] = (0, 1, 2), 2
    is_matched = np.zeros(color.shape, np.bool_)
    mark(color, size, is_matched)
    assert clear(color, kind, is_matched) == 1 + 2 + 3
    assert not is_matched.any()
    assert shown(color, size) == ["012", "345", "...", "312"]
    drop(color, kind, size)
    assert shown(color, size) == ["...", "012", "345", "312"]
    assert kind[1, 0] == 2  # it fell with its cell
    assert kind[2:].sum() == 0
    fill(color, kind, size, np.random.default_rng(0))
    assert (color[:4, :3] >= 0).all()
    assert shown(color, size)[1:] == ["012", "345", "312"]
    assert (color[4:] == EMPTY).all()
    assert (color[:, 3:] == EMPTY).all()


def test_what_falls_into_a_match_pays_too() -> None:
    """When the three 1 are gone, the 2 above them falls onto two others. What comes from above may add to that."""
    color, size = board("305", "250", "111", "243", "234")
    kind = np.zeros_like(color)
    kind[3, 0] = 2  # the 2 that falls
    assert settle(color, kind, size, np.random.default_rng(1)) >= 3 + (1 + 1 + 3)
    assert not mark(color, size, np.zeros(color.shape, np.bool_))
    assert (color[:5, :3] != EMPTY).all()


def test_new_cells_have_six_colours_alike_and_are_special_now_and_then() -> None:
    color, kind = np.full((ROWS, COLUMNS), EMPTY, np.int8), np.zeros((ROWS, COLUMNS), np.int8)
    rng, colors, kinds = np.random.default_rng(0), np.zeros(6), np.zeros(3)
    for _ in range(200):
        color[:] = EMPTY
        fill(color, kind, np.array((ROWS, COLUMNS)), rng)
        colors += np.bincount(color.ravel(), minlength=6)
        kinds += np.bincount(kind.ravel(), minlength=3)
    cells = 200 * ROWS * COLUMNS
    np.testing.assert_allclose(colors / cells, 1 / 6, atol=0.015)  # five standard errors
    np.testing.assert_allclose(kinds / cells, (0.7, 0.2, 0.1), atol=0.02)


def test_a_move_pays_what_it_clears() -> None:
    """The 5 goes up, the 1 comes down: three 1, of which one is special and one extra special."""
    env = make(seed=1)
    color, size = board("234234", "342342", "423423", "234234", "341042", "115423")
    lay_out(env, color, size, {(0, 0): 1, (1, 2): 2})
    boards = env._world.players.boards
    assert boards.is_valid[0, ACROSS + 2]
    assert rate_moves(boards.color.copy(), boards.kind.copy(), boards.is_valid)[0, ACROSS + 2] == 2 + 1 + 3
    act(env, ACROSS + 2)
    reward = float(env.get_steps(NAME)[0].reward[0])
    assert reward >= 0.06 - 1e-6
    assert round(100 * reward, 3) == round(100 * reward)
    assert boards.color[0, 0, :3].tolist() != [1, 1, 5]


def test_rows_and_columns_are_rated_together() -> None:
    """The 0 goes to the right, into a row and a column of three each; the cell on top of these is extra special."""
    color, size = board("42013", "34052", "10300", "23141")
    kind, is_valid, move = np.zeros((1, ROWS, COLUMNS), np.int8), np.zeros((1, MOVES), np.bool_), (COLUMNS - 1) + 1
    kind[0, 3, 2], is_valid[0, move] = 2, True
    points = rate_moves(color[np.newaxis].copy(), kind, is_valid)
    assert points[0, move] == points.sum() == 1 + (1 + 3) + (1 + 1)
    find_moves(color, size, is_valid[0])
    assert is_valid[0, move]


# What is seen


def test_cells_are_seen_one_hot() -> None:
    vector, visual = make(seed=5), make(VISUAL_ENTRY, seed=5)
    color, size = board("234234", "342342", "423423", "234234", "341042", "115423")
    for env in (vector, visual):
        lay_out(env, color, size, {(0, 1): 2, (1, 0): 1})
    cells, special = (np.asarray(obs)[0] for obs in vector._world.players.observe(slice(None)))
    cells, special = cells.reshape(ROWS, COLUMNS, 6), special.reshape(ROWS, COLUMNS, 3)
    assert cells[0, 0].tolist() == [0, 1, 0, 0, 0, 0]
    assert cells[0, 2].tolist() == [0, 0, 0, 0, 0, 1]
    assert special[0, 0].tolist() == [1, 0, 0]
    assert special[0, 1].tolist() == [0, 0, 1]
    assert special[1, 0].tolist() == [0, 1, 0]
    assert cells[6:].sum() == cells[:, 6:].sum() == special[6:].sum() == special[:, 6:].sum() == 0
    assert cells.sum() == special.sum() == 36
    images = visual._world.players.observe(slice(None))
    for image, vectors in zip(images, (cells, special), strict=True):
        np.testing.assert_array_equal(np.asarray(image)[0], vectors.transpose(2, 0, 1))


def test_masks_forbid_what_makes_no_match() -> None:
    env = make(areas=3)
    (mask,) = env.get_steps(NAME)[0].action_mask
    np.testing.assert_array_equal(mask, ~env._world.players.boards.is_valid)
    assert (~mask).any(axis=1).all()


# Episodes


def test_boards_have_all_sizes_and_parameters_bound_them() -> None:
    size = make(areas=400)._world.players.boards.size
    assert {tuple(each) for each in size.tolist()} == set(itertools.product((6, 7, 8, 9), (6, 7, 8)))
    full = make(areas=10, fewest_rows=9, fewest_columns=8)._world.players.boards
    assert (full.size == (9, 8)).all()
    assert (full.color != EMPTY).all()


def test_an_episode_is_cut_after_500_moves_and_the_next_has_another_board() -> None:
    env = make(seed=3)
    boards = env._world.players.boards
    for count in range(500):
        decisions, terminals = env.get_steps(NAME)
        assert not len(terminals), count
        act(env, int(boards.is_valid[0].argmax()))
    decisions, terminals = env.get_steps(NAME)
    assert terminals.interrupted.tolist() == [True]
    assert terminals.reward[0] > 0.0  # the last move counts
    assert len(decisions) == 1
    assert (terminals.obs[0] != decisions.obs[0]).any()


def test_another_environment_goes_on_from_its_state() -> None:
    one, other = make(areas=2, seed=1), make(areas=2, seed=2)
    other.load_state_dict(one.state_dict())
    for _ in range(30):
        moves = one._world.players.boards.is_valid.argmax(axis=1)
        for env in (one, other):
            act(env, *moves)
        for a, b in zip(one.get_steps(NAME)[0].obs, other.get_steps(NAME)[0].obs, strict=True):
            np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(one.get_steps(NAME)[0].reward, other.get_steps(NAME)[0].reward)


# Who plays


def mean_return(choose, entry=ENTRY, name=NAME, areas: int = 60) -> float:
    """Mean over an episode of many full boards."""
    env = make(entry, areas=areas, seed=1, fewest_rows=9, fewest_columns=8)
    total = np.zeros(areas)
    for _ in range(500):
        env.set_actions(name, choose(env.get_steps(name)[0]))
        env.step()
        decisions, terminals = env.get_steps(name)
        total += terminals.reward if len(terminals) else decisions.reward
    return float(total.mean())


def test_any_valid_move_and_greedy_ones_earn_as_much_as_in_unity() -> None:
    """Documented for Unity: 34.2 and 37.0. The standard error of 60 returns is about 0.2."""
    rng = np.random.default_rng(0)

    def choose_any(decisions) -> ActionTuple:
        ticket = rng.random((len(decisions), MOVES)) * ~decisions.action_mask[0]
        return ActionTuple(discrete=ticket.argmax(axis=1)[:, np.newaxis].astype(np.int32))

    assert mean_return(choose_any) == pytest.approx(34.2, abs=1.0)
    assert mean_return(RULES["Match3VectorObs"]) == pytest.approx(37.0, abs=1.0)


def test_the_rule_sees_images_as_vectors() -> None:
    envs = make(areas=3, seed=7), make(VISUAL_ENTRY, areas=3, seed=7)
    moves = [
        RULES[name.split("?")[0]](env.get_steps(name)[0]).discrete
        for env, name in zip(envs, (NAME, VISUAL_NAME), strict=True)
    ]
    np.testing.assert_array_equal(*moves)


def test_keys_make_the_moves_that_bear_their_sign() -> None:
    env = make(seed=3)
    valid = np.flatnonzero(env._world.players.boards.is_valid[0])
    for place in (0, 1, len(valid) - 1):
        env.hold_keys([SIGNS[place]])
        assert env.heuristic(NAME).discrete.tolist() == [[valid[place]]]
    for held in ([], ["up"], [SIGNS[len(valid)]]):
        env.hold_keys(held)
        assert env.heuristic(NAME).discrete[0, 0] not in valid


def test_pictures_show_cells_and_signs_of_moves() -> None:
    env = make(seed=3)
    picture = env.picture(640, 480)
    assert picture.shape == (480, 640, 3)
    moves = env._world.players.boards.is_valid[0].copy()
    env._world.players.boards.is_valid[0] = False
    assert (env.picture(640, 480) != picture).any(axis=2).mean() > 0.001 * moves.sum()
    env._world.players.boards.color[0] = EMPTY
    assert len(np.unique(env.picture(640, 480).reshape(-1, 3), axis=0)) < 10
    small = make(areas=9, seed=3).picture(160, 120)
    assert small.shape == (120, 160, 3)
