"""Tennis and soccer beside Unity's: a recording, and laws that were measured on Unity's engine."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from fidelity_motion import DEFINITION, RECORDING, Row

from mlagents_envs.demonstrations import load_demonstration
from mlagents_sim.examples.soccer import SoccerWorld
from mlagents_sim.examples.tennis import PARAMETERS, TennisWorld
from mlagents_sim.parameters import EnvironmentParameters

ROOT = Path(__file__).resolve().parents[1]
TENNIS = ROOT.parent / "shared" / "data" / "demos" / "ExpertTennis.demo"
KICK = 40.0 / 3.0  # m/s

sys.path.append(str(ROOT / "tests" / "mlagents_sim"))


def tennis_rows() -> list[Row]:
    """Decisions of the recording from the recorded state, as the test plays them; nothing without the recording."""
    if not TENNIS.exists():
        return []
    from test_tennis_recording import EXACT, Recording, decide, own_hits

    episodes = load_demonstration(TENNIS).episodes
    state = np.concatenate([episode.obs[0][:, 16:].astype(np.float64) for episode in episodes])
    action = np.concatenate([_padded(episode.action.continuous, len(episode.obs[0])) for episode in episodes])
    follows = np.ones(len(state) - 1, np.bool_)
    for last in np.cumsum([len(episode.obs[0]) for episode in episodes])[:-1]:
        follows[last - 2 : last] = False
    recording = Recording(state, action, follows)
    world = TennisWorld(1, np.random.default_rng(0), EnvironmentParameters("Tennis", PARAMETERS))
    for agents in world.agents:
        agents.begin_all_episodes()
    hits = own_hits(world, recording)
    errors = np.array([decide(world, state[t], action[t]) - state[t + 1] for t in hits])
    exact = int((np.abs(errors) < EXACT).all(axis=1).sum())
    flights = [t for t in np.flatnonzero(follows) if np.linalg.norm(state[t, 6:] - state[t + 1, 6:]) < 1.0]
    flown = [np.abs(decide(world, state[t], np.zeros(2), racket_y=30.0)[4:] - state[t + 1, 4:]).max() for t in flights]
    return [
        Row(
            "Tennis", f"{len(flights)} decisions of free flight: median error", 0.0, float(np.median(flown)), RECORDING
        ),
        Row("Tennis", "the same: error below 0.002, %", 100.0, 100.0 * np.mean(np.array(flown) < EXACT), RECORDING),
        Row("Tennis", f"{len(hits)} hits of the one player: exact to 0.002", len(hits), exact, RECORDING),
    ]


def _padded(action: np.ndarray, length: int) -> np.ndarray:
    return np.concatenate((action, np.zeros((length - len(action), action.shape[1]), np.float32)))


def soccer_rows() -> list[Row]:
    """Return a shot of the ball, and a player who runs."""
    from mlagents_sim.examples.soccer import PARAMETERS, _soccer_twos

    parameters = EnvironmentParameters("SoccerTwos", PARAMETERS)
    world = SoccerWorld(_soccer_twos(today=False), 1, np.random.default_rng(0), parameters)
    for agents in world.agents:
        agents.begin_all_episodes()
    pitches = world.fields.pitches
    pitches.position[0] = ((-14.0, 6.0), (-14.0, -6.0), (14.0, 6.0), (14.0, -6.0), (-9.0, 0.0))
    pitches.kick[0] = (KICK, 0.0)
    way, speed, roll = [], [], []
    for _ in range(60):
        before = pitches.position[0, -1, 0]
        world.advance(1)
        way.append((pitches.position[0, -1, 0] - before) / 0.02)
        speed.append(pitches.velocity[0, -1, 0])
        roll.append(pitches.roll[0, 0] * pitches.ball_radius[0])
    rolls = int(np.argmax(np.array(speed) - np.array(roll) < 1e-9))
    world.blue.arrays.discrete[0] = (1, 0, 0)
    run = []
    for _ in range(60):
        pitches.position[0, 0] = (-8.0, 3.0)
        world.advance(1)
        run.append(float(pitches.velocity[0, 0, 0]))
    figures = (
        ("kick, m/s", 13.33, KICK),
        ("speed lost by a shot in its second step, m/s", 0.02 * speed[0] + 0.0673, speed[0] - speed[1]),
        ("by how much a shot moves slower than its speed, m/s", 1.739, speed[0] - way[0]),
        ("spin gained in a step, rad/s", 0.22, roll[0] / pitches.ball_radius[0]),
        ("speed at which a shot begins to roll, m/s", 3.8, speed[rolls]),
        ("part of the speed that rolling loses in a step, %", 2.3, 100.0 * (1.0 - speed[rolls + 2] / speed[rolls + 1])),
        ("running, first step, m/s", 1.815, run[0]),
        ("running, second step, m/s", 3.522, run[1]),
        ("running, after 60 steps, m/s", 29.5, run[-1]),
    )
    return [Row("SoccerTwos", name, unity, float(here), DEFINITION) for name, unity, here in figures]
