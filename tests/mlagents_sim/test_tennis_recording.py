"""Tennis against a recording made in Unity: 1206 decisions of one player, 24 observations each.

Its scene is older. A racket could not be leant: its long side was at 125 degrees from +x, and it was longer than now.
The other player is not seen, so only hits on the own side can be played again. Every decision starts from what was
recorded, and is held against the next record.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from mlagents_sim.examples.tennis import PARAMETERS, TennisWorld
from mlagents_sim.parameters import EnvironmentParameters

LEAN = -35.0 / 55.0  # action for 125 degrees from +x
EXACT = 0.002  # m, m/s


class Recording(NamedTuple):
    state: np.ndarray  # float64 [1206, 8]: racket x, y, v_x, v_y; ball x, y, v_x, v_y
    action: np.ndarray  # float32 [1206, 2]
    follows: np.ndarray  # bool [1205], whether the next record is of the same match


@pytest.fixture(scope="module")
def recording(read_demo) -> Recording:
    steps = read_demo("ExpertTennis.demo")
    observed = np.array([step.agent_info.observations[0].float_data.data for step in steps])
    actions = [list(step.action_info.vector_actions_deprecated) or [0.0, 0.0] for step in steps]
    done = np.array([step.agent_info.done for step in steps])
    return Recording(observed[:, 16:], np.array(actions, np.float32), ~done[:-1] & ~done[1:])


@pytest.fixture(scope="module")
def world() -> TennisWorld:
    world = TennisWorld(1, np.random.default_rng(0), EnvironmentParameters("Tennis", PARAMETERS))
    for agents in world.agents:
        agents.begin_all_episodes()
    return world


def decide(world: TennisWorld, state: np.ndarray, action: np.ndarray, racket_y: float | None = None) -> np.ndarray:
    """Return what the left player sees after a decision."""
    courts, games = world.match.courts, world.match.games
    courts.racket_position[0, 0], courts.racket_velocity[0, 0] = state[:2], state[2:4]
    if racket_y is not None:
        courts.racket_position[0, 0, 1] = racket_y
    courts.ball_position[0], courts.ball_velocity[0] = state[4:6], state[6:8]
    courts.racket_position[0, 1], courts.racket_velocity[0, 1] = (9.0, 30.0), 0.0  # out of the way
    courts.lean[0, 0] = np.radians(-35.0)
    courts.is_touching[0] = False
    games.last_hit[0], games.last_floor[0], games.net_is_fair[0] = 1, -1, True
    world.left.arrays.continuous[0] = (*action, LEAN)
    assert world.advance(5) == (5, False)
    return world.left.observe(slice(None))[0][0, :8]


def test_free_flight_is_exact(world: TennisWorld, recording: Recording) -> None:
    """All decisions in which nobody hits: 94 % of them all; a falling ball shows 9 m/s."""
    errors = []
    for t in np.flatnonzero(recording.follows):
        after = decide(world, recording.state[t], np.zeros(2), racket_y=30.0)
        errors.append(np.abs(after[4:] - recording.state[t + 1, 4:]).max())
    assert len(errors) == 1201
    assert (np.array(errors) < EXACT).sum() >= 1134
    falling = recording.state[:, 7].min()
    assert falling == -9.0


def own_hits(world: TennisWorld, recording: Recording) -> list[int]:
    """Decisions on the own side in which the ball did not fly freely."""
    found = []
    for t in np.flatnonzero(recording.follows & (recording.state[:-1, 4] < 0.0)):
        after = decide(world, recording.state[t], np.zeros(2), racket_y=30.0)
        if np.abs(after[4:] - recording.state[t + 1, 4:]).max() > EXACT:
            found.append(int(t))
    return found


def test_hits_are_exact(world: TennisWorld, recording: Recording) -> None:
    """Racket and ball, position and velocity. The others were near the end of that longer racket, or second touches."""
    hits = own_hits(world, recording)
    assert len(hits) == 33
    errors = np.array([decide(world, recording.state[t], recording.action[t]) - recording.state[t + 1] for t in hits])
    exact = (np.abs(errors) < EXACT).all(axis=1)
    assert exact.sum() == 18
    # Balls leave at 40 m/s, and travel as fast for the one step before they are slowed down.
    assert np.abs(recording.state[np.array(hits) + 1][exact][:, 6]).max() == 9.0


def test_jumps_are_exact(world: TennisWorld, recording: Recording) -> None:
    """Rackets that jump or fall, run, and meet neither ball, wall, floor nor net."""
    state, errors = recording.state, []
    for t in np.flatnonzero(recording.follows):
        x, y = state[t, 0], state[t, 1]
        reach = 3.0 * np.abs(recording.action[t, 0])
        if not -10.5 < x - reach <= x + reach < -1.5 or y < -4.0 or np.hypot(*(state[t, 4:6] - state[t, :2])) < 6.0:
            continue
        after = decide(world, state[t], recording.action[t])
        errors.append(np.abs(after[:4] - state[t + 1, :4]).max())
    assert len(errors) == 90
    assert max(errors) < EXACT
