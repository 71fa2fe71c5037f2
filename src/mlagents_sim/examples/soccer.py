"""SoccerTwos and StrikersVsGoalie: two against two, and two against one who keeps the goal."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_envs.spectating import RayFan
from mlagents_sim.academy import World
from mlagents_sim.agent import AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.examples.soccer_field import BLUE_GOAL, PURPLE_GOAL, goal_lines, make_field
from mlagents_sim.examples.soccer_game import Side, act, advance, integrate, picture_of, places_of
from mlagents_sim.keys import Keys
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.pitch import BALL_HEIGHT_M, Pitches, Walls, make_pitches
from mlagents_sim.physics.pitch_rays import PitchRays, cast_on_pitch
from mlagents_sim.row_index import RowIndex
from mlagents_sim.sensors import RaySensor, StackingSensor
from mlagents_sim.view import View
from mlagents_sim.visual_geoms import Poses, VisualGeoms

DECISION_PERIOD: Final = 5
BALL_M_PER_SCALE: Final = 41.6115  # its mesh is in centimetres
BALL_SCALE: Final = 0.015

# What is seen
RAY_LENGTH_M: Final = 20.0
RAYS_ABOVE_M: Final = 0.5
STACKED_FRAMES: Final = 3
ABSENT: Final = -1

# Where all begin, m
PLAYERS_APART_M: Final = 1.2  # from the middle line
SPREAD_M: Final = 5.0  # of today's releases, along the field
BALL_SPREAD_M: Final = 2.5
YAW_SPREAD_RAD: Final = np.radians(10.0)

PARAMETERS: Final = {
    "ball_scale": Parameter("size of the ball; its radius is 41.6115 m times that", BALL_SCALE, 0.0125, 0.03),
    "gravity": Parameter("gravity, m/s^2", 9.81, 6.0, 20.0),
    "ball_touch": Parameter("a fifth of this is the reward for a touch of the ball", 0.0, 0.0, 1.0),
}


class Team(NamedTuple):
    """The players of one side.

    Attributes:
      behavior: its name.
      number: 0 is blue, on the left, 1 purple.
      players: how many.
      ahead: speed that a step ahead or back adds, in 2 m/s.
      aside: the same to the sides.
      always_kicks: whether the ball is kicked however the player runs; else only by who runs ahead.
      time_reward: for an episode's time, spread over all steps.
      start_m: from the middle of the field.
      rays: name, tags, rays on each side, their widest angle in degrees, and whether they look back, for each sensor.
    """

    behavior: str
    number: int
    players: int
    ahead: float
    aside: float
    always_kicks: bool
    time_reward: float
    start_m: float
    rays: tuple[tuple[str, tuple[str, ...], int, float, bool], ...]


class Kind(NamedTuple):
    """A game.

    Attributes:
      teams: blue and purple.
      max_step: physics steps after which it ends without a winner.
      blocked: whether nobody can score on the left.
      time_costs: whether a goal is worth less the later it comes.
      today: as in today's releases: teams are groups, which are rewarded as such, and begin anywhere.
    """

    teams: tuple[Team, Team]
    max_step: int
    blocked: bool
    time_costs: bool
    today: bool


AHEAD, BACK = "RayPerceptionSensor", "RayPerceptionSensorReverse"
BLUE_SEES: Final = ("ball", "blueGoal", "purpleGoal", "wall", "blueAgent", "purpleAgent")
PURPLE_SEES: Final = ("ball", "purpleGoal", "blueGoal", "wall", "purpleAgent", "blueAgent")
STRIKER_SEES: Final = ("ball", "purpleGoal", "wall", "blueAgent", "purpleAgent")
GOALIE_SEES: Final = ("ball", "purpleGoal", "wall", "blueAgent")


def _two_ways(tags: tuple[str, ...]) -> tuple[tuple[str, tuple[str, ...], int, float, bool], ...]:
    return (AHEAD, tags, 5, 60.0, False), (BACK, tags, 1, 45.0, True)


def _soccer_twos(*, today: bool) -> Kind:
    start = 8.19 if today else 7.19
    teams = [
        Team("SoccerTwos", number, 2, 1.0, 0.3, False, 0.0, start, _two_ways(sees))
        for number, sees in enumerate((BLUE_SEES, PURPLE_SEES))
    ]
    return Kind((teams[0], teams[1]), 5000 if today else 3000, blocked=False, time_costs=True, today=today)


def _strikers_vs_goalie(*, today: bool) -> Kind:
    strikers = Team("Striker", 0, 2, 1.3, 0.3, False, -1.0, 8.19 if today else 7.19, _two_ways(STRIKER_SEES))
    all_round = ((AHEAD, GOALIE_SEES, 20, 180.0, False),)
    goalie = Team("Goalie", 1, 1, 1.0, 1.0, True, 1.0, 9.0 if today else 12.0, all_round)
    return Kind((strikers, goalie), 5000 if today else 3000, blocked=True, time_costs=today, today=today)


class Fields:
    """Fields with players and balls, and the parameters that hold there.

    Args:
      count: fields.
      kind: the game.
      rng: source of places, where these are drawn.
      parameters: `PARAMETERS`, read at every reset.

    Attributes:
      pitches: one row per field; blue players come first.
      walls: the same for all.
      goal_line: float64 [fields], how far from the middle the ball scores, m.
      numbers: float64 [2], gravity, m/s^2, and the reward for a touch of the ball.
    """

    def __init__(self, count: int, kind: Kind, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        players = sum(team.players for team in kind.teams)
        self.kind = kind
        self.pitches: Pitches = make_pitches(count, players, BALL_SCALE * BALL_M_PER_SCALE)
        self.walls: Walls = make_field(today=kind.today, blocked=kind.blocked)
        self.goal_line = goal_lines(self.pitches.ball_radius, BALL_HEIGHT_M)
        self.numbers = np.array((PARAMETERS["gravity"].default, 0.0))
        self._rng = rng
        self._parameters = parameters

    def kick_off(self, fields: NDArray[np.intp]) -> None:
        """Put everybody where an episode begins."""
        pitches, read, count = self.pitches, self._parameters.read, len(fields)
        self.numbers[0], self.numbers[1] = read("gravity", 1)[0], 0.2 * read("ball_touch", 1)[0]
        pitches.ball_radius[fields] = BALL_M_PER_SCALE * read("ball_scale", count)
        self.goal_line[fields] = goal_lines(pitches.ball_radius[fields], BALL_HEIGHT_M)
        first = 0
        for team in self.kind.teams:
            self._line_up(fields, team, first)
            first += team.players
        pitches.position[fields, -1] = 0.0
        if self.kind.today:
            pitches.position[fields, -1] = self._rng.uniform(-BALL_SPREAD_M, BALL_SPREAD_M, (count, 2))
        pitches.velocity[fields] = pitches.roll[fields] = pitches.kick[fields] = 0.0
        pitches.spin[fields] = 0.0
        pitches.is_touching[fields] = False

    def _line_up(self, fields: NDArray[np.intp], team: Team, first: int) -> None:
        side = 1.0 if team.number else -1.0
        players = slice(first, first + team.players)
        place, yaw = np.zeros((len(fields), team.players, 2)), np.full((len(fields), team.players), -side * np.pi / 2)
        place[..., 0] = side * team.start_m
        place[..., 1] = PLAYERS_APART_M * np.array((1.0, -1.0)) if team.players == 2 else 0.0
        if self.kind.today:
            place[..., 0] += self._rng.uniform(-SPREAD_M, SPREAD_M, yaw.shape)
            yaw += self._rng.uniform(-YAW_SPREAD_RAD, YAW_SPREAD_RAD, yaw.shape)
        self.pitches.position[fields, players], self.pitches.yaw[fields, players] = place, yaw


def _keys(ahead: str, back: str, left: str, right: str, turn_left: str, turn_right: str, who: str) -> tuple[Keys, ...]:
    return (
        Keys((ahead,), f"{who} run ahead", choice=(0, 1)),
        Keys((back,), f"{who} run back", choice=(0, 2)),
        Keys((right,), f"{who} step to the right", choice=(1, 1)),
        Keys((left,), f"{who} step to the left", choice=(1, 2)),
        Keys((turn_left,), f"{who} turn left", choice=(2, 1)),
        Keys((turn_right,), f"{who} turn right", choice=(2, 2)),
    )


KEYS: Final = (
    _keys("w", "s", "q", "e", "a", "d", "blue"),
    _keys("up", "down", "n", "m", "left", "right", "purple"),
)


class SoccerAgents(AgentBatch):
    """The players of one team on all fields. They see along rays, in the last three decisions.

    Args:
      fields: shared by both teams.
      team: whose players these are.
    """

    def __init__(self, fields: Fields, team: Team) -> None:
        count = len(fields.pitches.yaw)
        first = fields.kind.teams[0].players if team.number else 0
        self._fields = fields
        self._team = team
        self._pitch = np.repeat(np.arange(count), team.players)
        self._player = first + np.tile(np.arange(team.players), count)
        sensors = [
            RaySensor(name, tags, rays, degrees, RAY_LENGTH_M, start_height=RAYS_ABOVE_M, end_height=RAYS_ABOVE_M)
            for name, tags, rays, degrees, _ in team.rays
        ]
        self._rays = [
            _pitch_rays(sensor, looks_back, fields.kind)
            for sensor, (*_, looks_back) in zip(sensors, team.rays, strict=True)
        ]
        stacks = [StackingSensor(sensor, STACKED_FRAMES, len(self._pitch)) for sensor in sensors]
        super().__init__(
            f"{team.behavior}?team={team.number}",
            len(self._pitch),
            stacks,
            ActionSpec.create_discrete((3, 3, 3)),
            fields.kind.max_step,
        )
        self.keys = KEYS[team.number]
        if fields.kind.today:
            self.assign_groups(1 + team.number + 2 * self._pitch)
        self.side = Side(
            self.arrays,
            self.arrays.reward if self.groups is None else self.groups.reward,
            first,
            team.players,
            team.ahead,
            team.aside,
            team.always_kicks,
            team.time_reward / fields.kind.max_step,
        )
        self._state_arrays: dict[str, NDArray[Any]] = {stack.spec.name: stack.stack for stack in stacks}
        if team.number == 0:
            shared = {"goal_line": fields.goal_line, "numbers": fields.numbers}
            self._state_arrays |= {**fields.pitches._asdict(), **shared}

    def reset(self, rows: NDArray[np.intp]) -> None:
        """Kick off where all have ended their episodes: when the team that is asked last is."""
        if self._team.number == 1:
            self._fields.kick_off(np.unique(self._pitch[rows]))

    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return what the rays hit, for each sensor."""
        fields = self._fields
        viewers = self._pitch[rows], self._player[rows]
        return [cast_on_pitch(rays, fields.pitches, fields.walls, *viewers) for rays in self._rays]

    def ray_fans(self) -> Mapping[int, RayFan]:
        """Return the rays of each sensor, some of which look back."""
        looks_back = [looks_back for *_, looks_back in self._team.rays]
        fans = super().ray_fans().items()
        return {place: fan._replace(path=-fan.path) if looks_back[place] else fan for place, fan in fans}

    def state_arrays(self) -> Mapping[str, NDArray[Any]]:
        """Return what was seen; the blue team also has the pitches."""
        return self._state_arrays

    def act(self) -> None:
        """Run, step aside and turn."""
        act(self._fields.pitches, self.side)


def _pitch_rays(sensor: RaySensor, looks_back: bool, kind: Kind) -> PitchRays:
    """Return a sensor's rays with what the things on a field are in its list of tags."""
    place = {tag: index for index, tag in enumerate(sensor.tags)}
    bodies = ["blueAgent"] * kind.teams[0].players + ["purpleAgent"] * kind.teams[1].players + ["ball"]
    looks = {BLUE_GOAL: "blueGoal", PURPLE_GOAL: "purpleGoal"}
    return PitchRays(
        path=np.ascontiguousarray(sensor.rays.path[:, ::2]) * (-1.0 if looks_back else 1.0),
        radius=sensor.rays.radius,
        height=RAYS_ABOVE_M,
        tags=len(sensor.tags),
        body_tag=np.array([place.get(tag, ABSENT) for tag in bodies]),
        wall_tag=np.array([place.get(looks.get(look, "wall"), ABSENT) for look in range(3)]),
    )


class SoccerWorld(World):
    """Players and balls.

    Args:
      kind: the game.
      areas: how many fields.
      rng: source of all randomness.
      parameters: `PARAMETERS`.
    """

    view = View(pitch_deg=50.0, yaw_deg=0.0)

    def __init__(self, kind: Kind, areas: int, rng: np.random.Generator, parameters: EnvironmentParameters) -> None:
        self.fields = fields = Fields(areas, kind, rng, parameters)
        self.blue, self.purple = (SoccerAgents(fields, team) for team in kind.teams)
        super().__init__([self.blue, self.purple], DECISION_PERIOD, parameters)
        time_cost = 1.0 / kind.max_step if kind.time_costs else 0.0
        sides = self.blue.side, self.purple.side
        self._game = (fields.pitches, fields.walls, *sides, fields.goal_line, fields.numbers, time_cost)
        self._advance = advance.bind(*self._game, kind.max_step)

    def bodies(self) -> VisualGeoms:
        """Return the floors, walls and nets, players in the colours of their teams, and balls."""
        return picture_of(self.fields.pitches, self.fields.walls, self.fields.kind.teams[0].players)

    def agent_poses(self) -> list[Poses | None]:
        """Return where the players of either team are, field by field."""
        place, turned = places_of(self.fields.pitches)
        blue = self.fields.kind.teams[0].players
        teams = slice(None, blue), slice(blue, turned.shape[1])
        return [Poses(place[:, team].reshape(-1, 3), turned[:, team].reshape(-1, 3, 3)) for team in teams]

    def integrate(self) -> None:
        """Move with contacts, kicks and goals."""
        integrate(*self._game)

    def advance(self, steps: int) -> tuple[int, bool]:
        """Do as `World.advance`, compiled."""
        return self._advance(steps)


def _entry(identifier: str, kind: Kind, description: str) -> SimEntry:
    return SimEntry(
        identifier,
        expected_reward=0.0,
        description=description,
        make_world=functools.partial(SoccerWorld, kind),
        num_areas=8,
        parameters=PARAMETERS,
        model=Path(__file__).with_name("models") / identifier,
    )


ENTRY = _entry("SoccerTwos", _soccer_twos(today=False), "Score, two against two.")
STRIKERS_ENTRY = _entry(
    "StrikersVsGoalie", _strikers_vs_goalie(today=False), "Score, two against one, or keep them from it."
)
GROUPS_ENTRY = _entry(
    "SoccerTwosGroups", _soccer_twos(today=True), "SoccerTwos as in today's releases: teams are rewarded as groups."
)
STRIKERS_GROUPS_ENTRY = _entry(
    "StrikersVsGoalieGroups",
    _strikers_vs_goalie(today=True),
    "StrikersVsGoalie as in today's releases: teams are rewarded as groups.",
)
