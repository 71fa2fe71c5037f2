"""What happens in a physics step of SoccerTwos and StrikersVsGoalie, and what it looks like."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_sim.agent import ENDED, AgentArrays
from mlagents_sim.episodes import count_step, interrupt
from mlagents_sim.examples.soccer_field import (
    BLUE_GOAL,
    GOAL_FLOOR_HALF_WIDTH_M,
    LENGTH_M,
    PURPLE_GOAL,
    WALL,
    WIDTH_M,
)
from mlagents_sim.physics.compiled import allocating, compiled
from mlagents_sim.physics.pitch import BALL_MASS_KG, PLAYER_RADIUS_M, Pitches, Walls
from mlagents_sim.physics.pitch_contacts import make_contacts
from mlagents_sim.physics.pitch_motion import move_pitch
from mlagents_sim.physics.rules import TIME_STEP_S, push_forward, push_right
from mlagents_sim.visual_geoms import (
    AGENT_BLUE,
    GREEN,
    PURPLE,
    WALL_GREY,
    WHITE,
    VisualGeoms,
    join,
    make_boxes,
    make_faces,
    make_spheres,
    side_by_side,
    yaw_rotations,
)

RUN_SPEED: Final = 2.0  # m/s, in a step
TURN_RAD: Final = np.radians(2.0)  # in a step
KICK_FORCE: Final = 2000.0  # N, for a step
KICK_SPEED: Final = KICK_FORCE * TIME_STEP_S / BALL_MASS_KG
GOAL_REWARD: Final = 1.0
LOSS_REWARD: Final = -1.0

# For spectators
WALL_HEIGHT_M: Final = 1.5
SEEN_GOAL_HEIGHT_M: Final = 1.6  # more than walls, into which posts reach: else pixels show either, by chance
SEEN_PLAYER_M: Final = 0.9
AREAS_APART_M: Final = 45.0


class Side(NamedTuple):
    """The players of one team on all fields, for compiled code.

    Attributes:
      agents: a row for each, those of the first field first.
      goal_reward: float32 [agents], where rewards for goals go: the agents' own, or the groups'.
      first: place of the first one among the players of a field.
      players: how many there are on a field.
      ahead: speed that a step ahead or back adds, in RUN_SPEED.
      aside: the same to the sides.
      always_kicks: whether they kick however they run.
      step_reward: for every step.
    """

    agents: AgentArrays
    goal_reward: NDArray[np.float32]
    first: int
    players: int
    ahead: float
    aside: float
    always_kicks: bool
    step_reward: float


@allocating
def act(pitches: Pitches, side: Side) -> None:
    """Run ahead or back, or step aside instead; and turn."""
    velocity = np.zeros(3)
    for row in range(len(side.agents.reward)):
        pitch, player = row // side.players, side.first + row % side.players
        choice, yaw = side.agents.discrete[row], pitches.yaw[pitch, player]
        side.agents.reward[row] += side.step_reward
        velocity[:] = 0.0
        if choice[1] != 0:
            push_right(velocity, yaw, RUN_SPEED * side.aside * (1.0 if choice[1] == 1 else -1.0))
        elif choice[0] != 0:
            push_forward(velocity, yaw, RUN_SPEED * side.ahead * (1.0 if choice[0] == 1 else -1.0))
        pitches.velocity[pitch, player, 0] += velocity[0]
        pitches.velocity[pitch, player, 1] += velocity[2]
        if choice[2] != 0:
            pitches.yaw[pitch, player] += TURN_RAD if choice[2] == 2 else -TURN_RAD


@compiled
def _kick(pitches: Pitches, side: Side, touch_reward: float) -> None:
    """Let those who have begun to touch the ball kick it, and reward them."""
    for row in range(len(side.agents.reward)):
        pitch, player = row // side.players, side.first + row % side.players
        if not pitches.began[pitch, player]:
            continue
        side.agents.reward[row] += touch_reward
        if side.always_kicks or side.agents.discrete[row, 0] == 1:
            for axis in range(2):
                pitches.kick[pitch, axis] += KICK_SPEED * pitches.touch[pitch, player, axis]


@compiled
def _end(side: Side, pitch: int, has_scored: bool, time_cost: float) -> None:
    """End the episodes of a team's players on one field."""
    for row in range(pitch * side.players, (pitch + 1) * side.players):
        won = GOAL_REWARD - time_cost * side.agents.step_count[row]
        side.goal_reward[row] += won if has_scored else LOSS_REWARD
        side.agents.end[row] = ENDED


@allocating
def integrate(
    pitches: Pitches,
    walls: Walls,
    blue: Side,
    purple: Side,
    goal_line: NDArray[np.float64],
    numbers: NDArray[np.float64],
    time_cost: float,
) -> bool:
    """Advance the physics by 0.02 s; a goal ends the episode. Return whether any is over."""
    contacts = make_contacts()
    any_over = False
    for pitch in range(len(goal_line)):
        move_pitch(pitches, walls, pitch, numbers[0], contacts)
    _kick(pitches, blue, numbers[1])
    _kick(pitches, purple, numbers[1])
    for pitch in range(len(goal_line)):
        x, z = pitches.position[pitch, -1, 0], pitches.position[pitch, -1, 1]
        if abs(x) < goal_line[pitch] or abs(z) > GOAL_FLOOR_HALF_WIDTH_M:
            continue
        _end(blue, pitch, x > 0.0, time_cost)
        _end(purple, pitch, x < 0.0, time_cost)
        any_over = True
    return any_over


@compiled
def advance(
    pitches: Pitches,
    walls: Walls,
    blue: Side,
    purple: Side,
    goal_line: NDArray[np.float64],
    numbers: NDArray[np.float64],
    time_cost: float,
    max_step: int,
    steps: int,
) -> tuple[int, bool]:
    """Do as `World.advance`, in one call."""
    for step in range(steps):
        count_step(blue.agents)
        count_step(purple.agents)
        act(pitches, blue)
        act(pitches, purple)
        blue_over, purple_over = interrupt(blue.agents, max_step), interrupt(purple.agents, max_step)
        if blue_over or purple_over:
            return step, True
        if integrate(pitches, walls, blue, purple, goal_line, numbers, time_cost):
            return step + 1, False
    return steps, False


def picture_of(pitches: Pitches, walls: Walls, blue_players: int) -> VisualGeoms:
    """Return what spectators see: floors, walls and nets, players in the colours of their teams, balls."""
    count, players = pitches.yaw.shape
    areas = side_by_side(count, AREAS_APART_M)[:, np.newaxis]
    floor = make_boxes(areas - np.array((0.0, 0.05, 0.0)), (0.5 * LENGTH_M + 3.0, 0.05, 0.5 * WIDTH_M + 1.0), GREEN)
    colors = {WALL: WALL_GREY, BLUE_GOAL: AGENT_BLUE, PURPLE_GOAL: PURPLE}
    cos, sin, zero, one = *walls.axis.T, np.zeros(len(walls.look)), np.ones(len(walls.look))
    turned = np.stack((cos, zero, -sin, zero, one, zero, sin, zero, cos), axis=-1).reshape(-1, 3, 3)
    half_height = 0.5 * np.where(np.equal(walls.look, WALL), WALL_HEIGHT_M, SEEN_GOAL_HEIGHT_M)
    solid = make_boxes(
        _upright(walls.center, half_height) + areas,
        _upright(walls.half_size, half_height),
        [colors[look] for look in walls.look],
        turned,
    )
    place, rotation = places_of(pitches)
    shirts = [AGENT_BLUE] * blue_players + [PURPLE] * (players - blue_players)
    cubes = make_boxes(place[:, :-1], 0.5 * SEEN_PLAYER_M, shirts, rotation)
    faces = [make_faces(place[:, player], rotation[:, player], SEEN_PLAYER_M) for player in range(players)]
    return join(floor, solid, cubes, *faces, make_spheres(place[:, -1], pitches.ball_radius, WHITE))


def places_of(pitches: Pitches) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return where bodies are seen, float64 [pitches, bodies, 3], and how players are turned, [..., players, 3, 3]."""
    areas = side_by_side(len(pitches.yaw), AREAS_APART_M)[:, np.newaxis]
    return _upright(pitches.position, PLAYER_RADIUS_M) + areas, yaw_rotations(pitches.yaw)


def _upright(level: NDArray[np.float64], height: ArrayLike) -> NDArray[np.float64]:
    """Map [..., 2] to [..., 3]; heights, [...] or one for all, are in between."""
    return np.stack((level[..., 0], np.broadcast_to(height, level.shape[:-1]), level[..., 1]), axis=-1)
