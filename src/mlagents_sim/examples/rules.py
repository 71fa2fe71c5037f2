"""Simple rules that play the games of two sides, and Match3: fixed players that policies can be measured against.

A rule knows nothing but observations, the newest frame of the stack. It is a function from DecisionSteps to actions.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionTuple, DecisionSteps
from mlagents_sim.examples.match3_board import COLORS, COLUMNS, EMPTY, KINDS, ROWS, rate_moves

Rule = Callable[[DecisionSteps], ActionTuple]

# Tennis
STEP_S: Final = 0.02
STEPS_PER_DECISION: Final = 5
GRAVITY: Final = 9.81
TOP_SPEED: Final = 9.0  # of the ball
RUN_SPEED: Final = 30.0
LEAN_BACK: Final = -0.7  # lets a racket send the ball up
HIT_HEIGHT_M: Final = -5.9  # of the ball, just before it is on the floor
HOME_M: Final = -10.3  # where a racket waits
RUN_UP_M: Final = 1.3  # behind the place of the hit
HIT_SPEED: Final = (4.0, 13.0)  # of a racket that hits, m/s
FORESEEN_STEPS: Final = 200


def play_tennis(decisions: DecisionSteps) -> ActionTuple:
    """Wait behind the place where the ball will come down, leant back, and hit it just before the floor."""
    racket_x, _, _, _, ball_x, ball_y, ball_vx, ball_vy = decisions.obs[0][:, -9:-1].astype(np.float64).T
    steps, there = _foresee(ball_x, ball_y, ball_vx, ball_vy)
    is_mine = (there < 0.0) & (steps < FORESEEN_STEPS) & ((ball_vx < 0.0) | (ball_vx == 0.0))
    hit_now = is_mine & (steps <= STEPS_PER_DECISION + 1)
    goal = np.where(is_mine, np.clip(there - RUN_UP_M, -11.5, -2.0), HOME_M)
    speed = (goal - racket_x) / (STEPS_PER_DECISION * STEP_S)
    hit_speed = np.clip((there - racket_x) / (np.maximum(steps, 1.0) * STEP_S), *HIT_SPEED)
    run = np.where(hit_now, hit_speed, speed) / RUN_SPEED
    actions = np.stack((np.clip(run, -1.0, 1.0), np.full_like(run, -1.0), np.full_like(run, LEAN_BACK)), axis=1)
    return ActionTuple(actions.astype(np.float32))


def _foresee(
    x: NDArray[np.float64], y: NDArray[np.float64], vx: NDArray[np.float64], vy: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return in how many physics steps the ball comes down to HIT_HEIGHT_M, and at which x."""
    step = np.arange(FORESEEN_STEPS)
    fall = GRAVITY * STEP_S
    speed = np.maximum(vy[:, np.newaxis] - fall * (step + 1), -TOP_SPEED - fall)
    height = y[:, np.newaxis] + STEP_S * (np.cumsum(speed, axis=1) - speed)
    is_low = (height <= HIT_HEIGHT_M) & (speed <= 0.0)
    steps = np.where(is_low.any(axis=1), is_low.argmax(axis=1), FORESEEN_STEPS).astype(np.float64)
    return steps, x + STEP_S * steps * vx


def _play_soccer(tags: int, own_goal_tag: int = 0) -> Rule:
    """Return the rule for some players.

    Args:
      tags: how many their rays tell apart; the ball is the first.
      own_goal_tag: place of the goal that they guard among the tags; 0 if they do not see it.
    """

    def play(decisions: DecisionSteps) -> ActionTuple:
        """Turn to the ball and run at it; go round it while the own goal is in sight behind it."""
        rays = _newest(decisions.obs[0], tags)
        actions = np.zeros((len(rays), 3), np.int32)
        sees_ball = rays[..., 0] == 1.0
        first, any_ball = sees_ball.argmax(axis=1), sees_ball.any(axis=1)
        turn = np.where(first == 0, 0, np.where(first % 2 == 1, 2, 1))  # rays: ahead, right, left, right, left, ...
        goes_round = any_ball & (rays[..., own_goal_tag] == 1.0).any(axis=1) & (own_goal_tag > 0)
        actions[:, 0] = np.where(any_ball & ~goes_round, 1, 0)
        actions[:, 1] = np.where(goes_round, 1, 0)
        actions[:, 2] = np.where(any_ball, np.where(goes_round & (first == 0), 1, turn), 1)
        return ActionTuple(discrete=actions)

    return play


def _newest(stacked: NDArray[np.float32], tags: int) -> NDArray[np.float32]:
    """Return the rays of the newest frame, float32 [agents, rays, tags + 2]; three frames are stacked."""
    frame = stacked.shape[1] // 3
    return stacked[:, -frame:].reshape(len(stacked), -1, tags + 2)


def play_match3(decisions: DecisionSteps) -> ActionTuple:
    """Make the valid move that clears most at once; of equal ones any, but always the same one on the same board."""
    assert decisions.action_mask is not None
    is_seen = [_cells(cells, width) for cells, width in zip(decisions.obs, (COLORS, KINDS), strict=True)]
    color, kind = (np.where(cells.any(axis=-1), cells.argmax(axis=-1), EMPTY).astype(np.int8) for cells in is_seen)
    points = rate_moves(color, kind, ~decisions.action_mask[0])
    moves = np.zeros((len(color), 1), np.int32)
    for row, rated in enumerate(points):
        best = np.flatnonzero(rated == rated.max())
        moves[row] = best[zlib.crc32(color[row].tobytes()) % len(best)]
    return ActionTuple(discrete=moves)


def _cells(observation: NDArray[np.float32], width: int) -> NDArray[np.bool_]:
    """Return one-hot cells, bool [agents, ROWS, COLUMNS, width], of a vector or an image of them."""
    if observation.ndim == 4:
        return observation.transpose(0, 2, 3, 1) > 0.0
    return observation.reshape(len(observation), ROWS, COLUMNS, width) > 0.0


RULES: Final[Mapping[str, Rule]] = {
    "Tennis": play_tennis,
    "SoccerTwos": _play_soccer(6, own_goal_tag=1),
    "Striker": _play_soccer(5),
    "Goalie": _play_soccer(4),
    "Match3VectorObs": play_match3,
    "Match3VisualObs": play_match3,
}
"""Behavior, without its team -> the rule that plays it."""
