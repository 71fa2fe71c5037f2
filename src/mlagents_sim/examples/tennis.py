"""Tennis: two rackets keep a ball in play, each against the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, AgentArrays, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.episodes import count_step
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.court import (
    CENTERS,
    FLOOR_A,
    HALF_SIZES,
    NET,
    NOTHING,
    RACKET_A,
    RACKET_B,
    RACKET_HALF_LENGTH_M,
    RACKET_HALF_WIDTH_M,
    WALL_A,
    WALL_B,
    Courts,
    limit_ball_speed,
    make_courts,
    move_court,
)
from mlagents_sim.physics.ray_casts import rotations_2d
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import StackingSensor, VectorSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    FLOOR_GREY,
    ORANGE,
    PURPLE,
    WALL_GREY,
    WHITE,
    Poses,
    VisualGeoms,
    join,
    make_boxes,
    make_spheres,
    side_by_side,
)

# Time and rewards
DECISION_PERIOD: Final = 5
WIN_REWARD: Final = 1.0
LOSE_REWARD: Final = -1.0

# Rackets, m and m/s
RUN_SPEED: Final = 30.0
JUMP_SPEED: Final = 7.0
JUMP_ACTION: Final = 0.5  # more than this jumps
LOWEST_HIGH_M: Final = -1.5  # from here on no jumps
NEAREST_NET_M: Final = 1.0

# Where everything begins, m
START_NEAR_M: Final = 6.0
START_FAR_M: Final = 8.0
RACKET_START_M: Final = -1.5
BALL_START_M: Final = 6.0

OBSERVATION_SIZE: Final = 9
STACKED_FRAMES: Final = 3

PARAMETERS: Final = {
    "gravity": Parameter("gravity, m/s^2", 9.81, 6.0, 20.0),
    "scale": Parameter("diameter of the ball, m", 0.5, 0.2, 5.0),
    "angle": Parameter("lean of a racket at full action, degrees", 55.0, 0.0, 90.0),
}

# For spectators
RACKET_CENTER_Z_M: Final = -0.645
RACKET_HALF_DEPTH_M: Final = 0.5 * 2.3105
HALF_DEPTHS_M: Final = (5.77, 5.47, 5.09, 5.5, 5.5)  # floors, net, walls
SEEN_WALL_HALF_HEIGHT_M: Final = 4.0
AREAS_APART_M: Final = 30.0


# The rules of the game


class Games(NamedTuple):
    """How matches stand, one row per court. Sides are 0 (A, left) and 1 (B).

    Attributes:
      last_hit: int64 [courts], whose racket touched the ball last; NOBODY after a reset.
      last_floor: int64 [courts], whose floor was touched since then; NOBODY; SERVICE until somebody hits the ball.
      net_is_fair: bool [courts], whether the ball may touch the net.
    """

    last_hit: NDArray[np.int64]
    last_floor: NDArray[np.int64]
    net_is_fair: NDArray[np.bool_]


NOBODY: Final = -1
SERVICE: Final = -2


@compiled
def score(games: Games, court: int, touched: int) -> int:
    """Score what the ball begins to touch; return who wins by that, or NOBODY."""
    if touched in (RACKET_A, RACKET_B):
        return _score_hit(games, court, 0 if touched == RACKET_A else 1)
    last_hit, last_floor = games.last_hit[court], games.last_floor[court]
    if touched == NET:
        if games.net_is_fair[court] or last_hit == NOBODY:
            return NOBODY
        return int(1 - last_hit)
    side = 0 if touched in (FLOOR_A, WALL_A) else 1
    if touched in (WALL_A, WALL_B):
        return 1 - side if last_hit == side or last_floor == side else side
    if last_hit == side or last_floor in (side, SERVICE):
        return 1 - side
    games.last_floor[court] = side
    games.net_is_fair[court] = True
    return NOBODY


@compiled
def _score_hit(games: Games, court: int, side: int) -> int:
    if games.last_hit[court] == side:
        return 1 - side
    if games.last_floor[court] != SERVICE:
        games.net_is_fair[court] = True
    games.last_hit[court] = side
    games.last_floor[court] = NOBODY
    return NOBODY


# One physics step


@compiled
def _act(courts: Courts, agents: AgentArrays, side: int, lean_rad: NDArray[np.float64]) -> None:
    """Jump, run, lean, and stay on one's own side."""
    forward = 1.0 if side == 0 else -1.0
    for court in range(len(agents.reward)):
        position, velocity = courts.racket_position[court, side], courts.racket_velocity[court, side]
        run = min(max(agents.continuous[court, 0], -1.0), 1.0)
        lean = min(max(agents.continuous[court, 2], -1.0), 1.0)
        if agents.continuous[court, 1] > JUMP_ACTION and position[1] < LOWEST_HIGH_M:
            velocity[1] = JUMP_SPEED
        velocity[0] = RUN_SPEED * forward * run
        courts.lean[court, side] = lean_rad[0] * forward * lean
        if forward * position[0] > -NEAREST_NET_M:
            position[0] = -forward * NEAREST_NET_M


@compiled
def _integrate(
    courts: Courts, games: Games, left: AgentArrays, right: AgentArrays, gravity: NDArray[np.float64]
) -> bool:
    """Advance the physics by 0.02 s; who wins ends the match. Return whether any match is over."""
    any_over = False
    for court in range(len(left.reward)):
        move_court(courts, court, gravity[0])
        winner = NOBODY
        for touched in courts.touched[court]:
            if touched == NOTHING or winner != NOBODY:
                break
            winner = score(games, court, touched)
        if winner == NOBODY:
            limit_ball_speed(courts, court)
            continue
        left.reward[court] = WIN_REWARD if winner == 0 else LOSE_REWARD
        right.reward[court] = WIN_REWARD if winner == 1 else LOSE_REWARD
        left.end[court] = right.end[court] = ENDED
        any_over = True
    return any_over


@compiled
def _advance(
    courts: Courts,
    games: Games,
    left: AgentArrays,
    right: AgentArrays,
    gravity: NDArray[np.float64],
    lean_rad: NDArray[np.float64],
    steps: int,
) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(left)
        count_step(right)
        _act(courts, left, 0, lean_rad)
        _act(courts, right, 1, lean_rad)
        if _integrate(courts, games, left, right, gravity):
            return step + 1, False
    return steps, False


@allocating
def _perceive(courts: Courts, side: int, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return what a racket sees, float32 [n, 9]: both players look from the left."""
    forward = np.float32(1.0 if side == 0 else -1.0)
    result = np.zeros((len(rows), OBSERVATION_SIZE), np.float32)
    for row in range(len(rows)):
        court = rows[row]
        for axis in range(2):
            result[row, axis] = courts.racket_position[court, side, axis]
            result[row, 2 + axis] = courts.racket_velocity[court, side, axis]
            result[row, 4 + axis] = courts.ball_position[court, axis]
            result[row, 6 + axis] = courts.ball_velocity[court, axis]
        for column in range(0, 8, 2):
            result[row, column] *= forward
    return result


# Agents


class Match:
    """Courts, how matches on them stand, and the parameters that hold there.

    Args:
      count: courts.
      rng: source of the places where everything begins.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      courts: one row per court.
      games: likewise.
      gravity: float64 [1], m/s^2.
      lean_rad: float64 [1], of a racket at full action.
    """

    def __init__(self, count: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.courts = make_courts(count)
        self.games = Games(np.full(count, NOBODY), np.full(count, SERVICE), np.zeros(count, np.bool_))
        self.gravity = np.array([PARAMETERS["gravity"].default])
        self.lean_rad = np.radians([PARAMETERS["angle"].default])
        self._rng = rng
        self._parameters = parameters

    def place_racket(self, rows: NDArray[np.intp], side: int) -> None:
        """Let a racket drop somewhere on its side."""
        courts = self.courts
        x = self._rng.uniform(START_NEAR_M, START_FAR_M, len(rows))
        courts.racket_position[rows, side, 0] = x if side else -x
        courts.racket_position[rows, side, 1] = RACKET_START_M
        courts.racket_velocity[rows, side] = 0.0
        courts.lean[rows, side] = 0.0

    def serve(self, rows: NDArray[np.intp]) -> None:
        """Begin matches: let the ball drop on either side."""
        courts, games, count, read = self.courts, self.games, len(rows), self._parameters.read
        self.gravity[:] = read("gravity", 1)
        self.lean_rad[:] = np.radians(read("angle", 1))
        courts.ball_radius[rows] = 0.5 * read("scale", count)
        side = np.where(self._rng.random(count) < 0.5, -1.0, 1.0)
        courts.ball_position[rows, 0] = side * self._rng.uniform(START_NEAR_M, START_FAR_M, count)
        courts.ball_position[rows, 1] = BALL_START_M
        courts.ball_velocity[rows] = 0.0
        courts.is_touching[rows] = False
        games.last_hit[rows], games.last_floor[rows], games.net_is_fair[rows] = NOBODY, SERVICE, False


def _keys(backward: str, forward: str, jump: str, lean_back: str, lean_forward: str, who: str) -> tuple[Keys, ...]:
    return (
        Keys((forward,), f"{who} to the net", number=(0, 0.5)),
        Keys((backward,), f"{who} away from it", number=(0, -0.5)),
        Keys((jump,), f"{who} jumps", number=(1, 1.0)),
        Keys((lean_back,), f"{who} leans back", number=(2, -0.6)),
        Keys((lean_forward,), f"{who} leans forward", number=(2, 0.6)),
    )


class TennisAgents(AgentBatch):
    """The rackets of one side. They see themselves and the ball, in the last three decisions.

    In Unity `scale` and `angle` have no effect, for they are overwritten at once. Here they do what they say.

    Args:
      match: shared by both sides.
      side: 0 is on the left, 1 on the right.
    """

    def __init__(self, match: Match, side: int) -> None:
        count = len(match.courts.lean)
        stack = StackingSensor(VectorSensor(OBSERVATION_SIZE), STACKED_FRAMES, count)
        super().__init__(f"Tennis?team={side}", count, [stack], ActionSpec.create_continuous(3))
        left, right = ("a", "d", "w", "q", "e", "left"), ("right", "left", "up", "m", "n", "right")
        self.keys = _keys(*(right if side else left))
        self._match = match
        self._side = side
        self._state_arrays: dict[str, NDArray[Any]] = {"seen": stack.stack}
        if side == 0:
            self._state_arrays |= {
                **match.courts._asdict(),
                **match.games._asdict(),
                "gravity": match.gravity,
                "lean_rad": match.lean_rad,
            }

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Place the racket; the side that is asked last, which is the right one, also the ball."""
        self._match.place_racket(rows, self._side)
        if self._side == 1:
            self._match.serve(rows)

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return racket and ball: position, velocity, from the left whoever looks; a ninth number is 0, as in Unity."""
        return [_perceive(self._match.courts, self._side, np.arange(len(self))[rows])]

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what was seen; the left side also has the courts and how the matches stand."""
        return self._state_arrays

    def act(self) -> None:
        """Move the rackets."""
        _act(self._match.courts, self.arrays, self._side, self._match.lean_rad)


def _with_depth(values: NDArray[np.float64], z: float) -> NDArray[np.float64]:
    """Map [..., 2] to [..., 3]."""
    return np.concatenate((values, np.full((*values.shape[:-1], 1), z)), axis=-1)


class TennisWorld(World):
    """Rackets and balls."""

    view = View(pitch_deg=8.0, yaw_deg=0.0)

    def __init__(self, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.match = Match(areas, rng, parameters)
        self.left, self.right = (TennisAgents(self.match, side) for side in range(2))
        super().__init__([self.left, self.right], DECISION_PERIOD, parameters)
        match, arrays = self.match, (self.left.arrays, self.right.arrays)
        self._advance = _advance.bind(match.courts, match.games, *arrays, match.gravity, match.lean_rad)

    def bodies(self) -> VisualGeoms:
        """Return the floors, net and walls, the rackets in the colours of their sides, and the balls."""
        courts = self.match.courts
        count = len(courts.lean)
        areas = side_by_side(count, AREAS_APART_M)[:, np.newaxis]
        center, half_size = (_with_depth(array[FLOOR_A:], 0.0) for array in (CENTERS, HALF_SIZES))
        half_size[:, 2] = HALF_DEPTHS_M
        half_size[-2:, 1], center[-2:, 1] = SEEN_WALL_HALF_HEIGHT_M, CENTERS[FLOOR_A, 1] + SEEN_WALL_HALF_HEIGHT_M
        colors = (FLOOR_GREY, FLOOR_GREY, WHITE, WALL_GREY, WALL_GREY)
        rackets = _with_depth(courts.racket_position, RACKET_CENTER_Z_M) + areas
        racket_half_size = (RACKET_HALF_WIDTH_M, RACKET_HALF_LENGTH_M, RACKET_HALF_DEPTH_M)
        turned = rotations_2d(-courts.lean)
        balls = _with_depth(courts.ball_position, 0.0) + areas[:, 0]
        return join(
            make_boxes(center + areas, half_size, colors),
            make_boxes(rackets, racket_half_size, (AGENT_BLUE, PURPLE), turned),
            make_spheres(balls, courts.ball_radius, ORANGE),
        )

    def agent_poses(self) -> list[Poses | None]:
        """Return where the rackets of either side are."""
        courts = self.match.courts
        place = _with_depth(courts.racket_position, RACKET_CENTER_Z_M)
        place += side_by_side(len(courts.lean), AREAS_APART_M)[:, np.newaxis]
        turned = rotations_2d(-courts.lean)
        return [Poses(place[:, side], turned[:, side]) for side in range(2)]

    def integrate(self) -> None:
        """Let the balls fly and be hit, and find who wins by that."""
        match = self.match
        _integrate(match.courts, match.games, self.left.arrays, self.right.arrays, match.gravity)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


ENTRY = SimEntry(
    "Tennis",
    expected_reward=0.0,
    description="Keep a ball in play with a racket, against another racket.",
    make_world=TennisWorld,
    num_areas=18,
    parameters=PARAMETERS,
    model=Path(__file__).with_name("models") / "Tennis.onnx",
)
