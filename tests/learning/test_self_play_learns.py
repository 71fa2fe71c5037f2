"""Games with known answers: mixed equilibria, a race that must be run, and two against one."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.self_play.match import play_leg
from mlagents.self_play.players import PolicyModel
from mlagents.self_play.snapshot_league import SnapshotLeague
from toys.contest import PENNIES, ROCK_PAPER_SCISSORS, Race, matrix_game, two_against_one
from toys.training import make_loop, ppo_settings

BIAS = 1.5
"""Added to the first action's logit of the untrained policy: it plays rock with probability 0.7, heads with 0.8."""


def chances(policy, team):
    """What a policy does that sees its team."""
    distribution, _ = policy([np.full((1, 1), team, np.float32)])
    return np.exp(np.asarray(distribution.log_probs[0][0]))


def trained(env, max_steps, self_play, hyperparameters=(), bias=0.0, **changes):
    """The loop and its league after training; the first weights lean to the first action."""
    settings = ppo_settings(
        max_steps, dict(hyperparameters), self_play=self_play, network_settings={"hidden_units": 16, "num_layers": 1},
        **changes,
    )  # fmt: skip
    league = SnapshotLeague(1, np.random.default_rng(0))
    loop = make_loop(env, settings, league=league)
    make = loop._make_behavior

    def make_biased(name, spec):
        behavior = make(name, spec)
        state = behavior.learner.state_dict()
        state["tensors"]["weights.head.logits.0.bias"][0] += bias
        behavior.learner.load_state_dict(state)
        return behavior

    loop._make_behavior = make_biased
    loop.run(lambda: False)
    return loop, league


def of_matrix_game(matrix, max_steps, areas=16, **self_play):
    """What the policies of the window do in each role, [snapshots, actions], and what the newest does.

    There is a snapshot after every update, of eight games an area.
    """
    games = 8 * areas
    own = {"save_steps": games, "swap_steps": areas, "team_change": games, "window": 1000}
    roles = (0,) if np.array_equal(matrix, -matrix.T) else (0, 1)
    loop, league = trained(
        matrix_game(matrix, areas=areas),
        max_steps,
        own | self_play,
        {"learning_rate": 5e-3, "buffer_size": games, "batch_size": games // 2, "num_epoch": 4, "beta": 0.3},
        BIAS,
        time_horizon=1,
    )
    window = [weights.policy for weights in league._entrants["Game"].window.values()]
    newest = loop.behaviors["Game"].learner.snapshot()
    return [(np.array([chances(p, role) for p in window]), chances(newest, role)) for role in roles]


def test_rock_paper_scissors_quickly():
    """Self-play leaves the bias for the mixed equilibrium; against the first weights alone, paper is best."""
    ((policies, _),) = of_matrix_game(ROCK_PAPER_SCISSORS, 12_000)
    np.testing.assert_allclose(policies[-30:].mean(axis=0), 1 / 3, atol=0.1)
    never = {"save_steps": 10**6, "play_against_latest_model_ratio": 0.0, "window": 1}
    ((first, exploiting),) = of_matrix_game(ROCK_PAPER_SCISSORS, 3000, **never)
    assert first[0, 0] > 0.6
    assert exploiting[1] > 0.6


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["uniform", "pfsp"])
def test_the_average_of_the_window_is_the_mixed_equilibrium(sampling):
    """From updates of 512 games: those of 128 leave a noise that 50 snapshots do not average out to 0.05."""
    ((policies, _),) = of_matrix_game(ROCK_PAPER_SCISSORS, 80_000, areas=64, opponent_sampling=sampling)
    np.testing.assert_allclose(policies.mean(axis=0), 1 / 3, atol=0.05)


@pytest.mark.slow
def test_matching_pennies():
    """From even first weights: from biased ones PPO saturates, and a pure loser explores no more."""
    hyper = {"learning_rate": 2e-3, "buffer_size": 256, "batch_size": 128, "num_epoch": 4, "beta": 0.3}
    self_play = {"save_steps": 256, "swap_steps": 16, "team_change": 256, "window": 1000}
    _, league = trained(matrix_game(PENNIES, areas=16), 16_000, self_play, hyper, time_horizon=1)
    window = league._entrants["Game"].window.values()
    for role in (0, 1):
        average = np.mean([chances(weights.policy, role) for weights in window], axis=0)
        np.testing.assert_allclose(average, 1 / 2, atol=0.05)


def test_the_better_team_wins_the_race():
    """Who trains runs forward, is rated higher than it began, and beats its first snapshot as either team."""
    self_play = {"save_steps": 500, "swap_steps": 200, "team_change": 1500, "window": 10}
    loop, league = trained(Race(areas=8), 5000, self_play)
    newest = loop.behaviors["Runner"].learner.snapshot()
    first = league._entrants["Runner"].window[0].policy
    players = (lambda name, spec: PolicyModel(newest)), (lambda name, spec: PolicyModel(first))
    for team in (0, 1):
        leg = play_leg(Race(areas=8, seed=9), players, team, 50)
        assert leg.score.games == 50
        assert leg.score.rate > 0.85
    ratings = league.standings.ratings
    assert ratings["Runner"].elo > ratings["Runner:0"].elo + 150
    assert league.standings.results["Runner:0", "Runner:0"].games > 0


@pytest.mark.slow
def test_two_against_one_learns_on_both_sides():
    """Everybody had better choose 1; each side learns only while it is its turn."""
    self_play = {"save_steps": 300, "swap_steps": 100, "team_change": 1000, "window": 5}
    hyper = {"buffer_size": 256, "batch_size": 64, "num_epoch": 4}
    loop, league = trained(two_against_one(areas=8), 3000, self_play, hyper, bias=0.5, time_horizon=1)
    pair, single = (loop.behaviors[name].learner for name in ("Pair", "Single"))
    assert pair.steps > 2500
    assert single.steps > 2500
    assert chances(pair.snapshot(), 0)[1] > 0.9
    assert chances(single.snapshot(), 1)[1] > 0.9
    assert {"Pair", "Single"} < league.standings.ratings.keys()
    pairs = {(row.partition(":")[0], column.partition(":")[0]) for row, column in league.standings.results}
    assert pairs == {("Pair", "Single"), ("Single", "Pair")}
