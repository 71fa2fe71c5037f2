"""Games between teams with known answers: one-shot games of a payoff, and a race on a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mlagents_envs.base_env import BaseEnv, BehaviorMapping, DecisionSteps, TerminalSteps
from mlagents_envs.behavior_id import BehaviorId
from toys.specs import behavior

PENNIES = np.array([[1, -1], [-1, 1]])
"""What the first player wins, by its action and that of the second. The equilibrium is (1/2, 1/2) for both."""
ROCK_PAPER_SCISSORS = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
"""The equilibrium is (1/3, 1/3, 1/3)."""
BIASED_PENNIES = np.array([[3, -1], [-1, 1]])


class OneShot(BaseEnv):
    """Every step, in every area, all agents choose once, and the game is over.

    Agents see only which team they are of, or not even that. Ids go area by area; all areas play at the same time.

    Args:
      sides: fully qualified name -> agents in one area.
      outcome: (actions of each side, int [areas, agents], rng) -> what the side of the first team wins, [areas];
        the others lose it.
      choices: number of actions.
      grouped: tell group ids.
      tells_team: whether they see it.
    """

    behavior_specs = None

    def __init__(
        self,
        sides: dict[str, int],
        outcome: Callable[[Sequence[np.ndarray], np.random.Generator], np.ndarray],
        choices: int = 2,
        areas: int = 8,
        seed: int = 0,
        grouped: bool = False,
        tells_team: bool = True,
    ):
        self._sides, self._outcome, self._areas = sides, outcome, areas
        self._rng, self._grouped, self._tells_team = np.random.default_rng(seed), grouped, tells_team
        self.spec = behavior(1, branches=(choices,))
        self.behavior_specs = BehaviorMapping(dict.fromkeys(sides, self.spec))
        self.played = 0

    def reset(self):
        self._actions, self._won = {}, None

    def step(self):
        actions = [self._actions[name].reshape(self._areas, agents) for name, agents in self._sides.items()]
        self._won = np.asarray(self._outcome(actions, self._rng), np.float32)
        self.played += self._areas

    def set_actions(self, behavior_name, action):
        self._actions[behavior_name] = action.discrete[:, 0].copy()

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def _ids(self, name):
        agents = self._sides[name]
        first = 1000 * list(self._sides).index(name)
        ids = np.arange(first, first + self._areas * agents, dtype=np.int32)
        group = 1 + np.arange(self._areas * agents) // agents + first if self._grouped else np.zeros(len(ids))
        return ids, group.astype(np.int32)

    def get_steps(self, behavior_name):
        team, (ids, groups) = BehaviorId.parse(behavior_name).team, self._ids(behavior_name)
        seen = [np.full((len(ids), 1), team * self._tells_team, np.float32)]
        nothing = np.zeros(len(ids), np.float32)
        mask = [np.zeros((len(ids), self.spec.action_spec.discrete_branches[0]), np.bool_)]
        decision = DecisionSteps(seen, nothing, ids, mask, groups, nothing)
        if self._won is None:
            return decision, TerminalSteps.empty(self.spec)
        first = BehaviorId.parse(next(iter(self._sides))).team
        won = np.repeat(self._won if team == first else -self._won, self._sides[behavior_name])
        over = TerminalSteps(seen, won, np.zeros(len(ids), np.bool_), ids, groups, nothing)
        return decision, over

    def close(self):
        pass

    def state_dict(self):
        return {
            "rng": self._rng.bit_generator.state,
            "actions": dict(self._actions),
            "won": self._won,
            "played": self.played,
        }

    def load_state_dict(self, state):
        self._rng.bit_generator.state = state["rng"]
        self._actions, self._won = dict(state["actions"]), state["won"]
        self.played = state["played"]


def payoff(matrix):
    """Return the outcome of a game of two agents."""
    return lambda actions, rng: matrix[actions[0][:, 0], actions[1][:, 0]]


def matrix_game(matrix, areas=8, seed=0):
    """Two teams of one behavior, one agent each; if their roles are the same, they do not know them."""
    has_roles = not np.array_equal(matrix, -matrix.T)
    sides = {"Game?team=0": 1, "Game?team=1": 1}
    return OneShot(sides, payoff(matrix), len(matrix), areas, seed, tells_team=has_roles)


def two_against_one(areas=8, seed=0, grouped=False):
    """A pair against one: everybody had better choose 1, and chance decides the rest.

    The pair has as many points as agents of it that choose 1, and the single player two if it does.
    """

    def outcome(actions, rng):
        pair, single = actions
        return np.sign(pair.sum(axis=1) - 2 * single[:, 0] + rng.integers(-1, 2, len(pair)))

    return OneShot({"Pair?team=0": 2, "Single?team=1": 1}, outcome, 2, areas, seed, grouped)


class Race(BaseEnv):
    """Two runners on lines of length 4 in every area: forward (1) or back (0); who is first at the end wins.

    Both at once is a draw; so is a race of `limit` steps, which is interrupted. Areas begin at different times.
    """

    LENGTH = 4
    behavior_specs = None

    def __init__(self, areas=6, seed=0, limit=20, stuck=False, teams=(0, 1)):
        self._areas, self._limit, self._stuck = areas, limit, stuck
        self._names = [f"Runner?team={team}" for team in teams]
        self._rng = np.random.default_rng(seed)
        self.spec = behavior(2, branches=(2,))
        self.behavior_specs = BehaviorMapping(dict.fromkeys(self._names, self.spec))

    def reset(self):
        self._place = np.zeros((2, self._areas), int)
        self._place[:] = self._rng.integers(0, 2, self._areas)
        self._clock = np.arange(self._areas) % 3
        self._actions = {}
        self._over = np.zeros(self._areas, bool)

    def step(self):
        for side, name in enumerate(self._names):
            self._place[side] = np.maximum(0, self._place[side] + 2 * self._actions[name] - 1)
        self._clock += 1
        arrived = self._place >= self.LENGTH
        self._late = (self._clock >= self._limit) & ~arrived.any(axis=0)
        self._over = (arrived.any(axis=0) | self._late) & (not self._stuck)
        self._won = arrived[0].astype(np.float32) - arrived[1]
        self._last = self._place.copy()
        self._place[:, self._over] = self._rng.integers(0, 2, int(self._over.sum()))
        self._clock[self._over] = 0

    def set_actions(self, behavior_name, action):
        self._actions[behavior_name] = action.discrete[:, 0].astype(int)

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def _seen(self, place, side):
        return [np.stack([place[side], place[1 - side]], axis=1).astype(np.float32) / self.LENGTH]

    def get_steps(self, behavior_name):
        side = self._names.index(behavior_name)
        ids = np.arange(self._areas, dtype=np.int32) + 100 * side
        nothing, group = np.zeros(self._areas, np.float32), np.zeros(self._areas, np.int32)
        mask = [np.zeros((self._areas, 2), np.bool_)]
        decision = DecisionSteps(self._seen(self._place, side), nothing, ids, mask, group, nothing)
        over = np.flatnonzero(self._over)
        if not over.size:
            return decision, TerminalSteps.empty(self.spec)
        won = self._won[over] if side == 0 else -self._won[over]
        seen = [self._seen(self._last, side)[0][over]]
        terminal = TerminalSteps(seen, won, self._late[over], ids[over], group[over], nothing[over])
        return decision, terminal

    def close(self):
        pass

    def heuristic(self, behavior_name):
        """Run forward."""
        action = self.spec.action_spec.empty_action(self._areas)
        action.discrete[:] = 1
        return action

    def state_dict(self):
        names = ("_place", "_clock", "_over", "_late", "_won", "_last")
        arrays = {name: getattr(self, name).copy() for name in names if hasattr(self, name)}
        return {"arrays": arrays, "actions": dict(self._actions), "rng": self._rng.bit_generator.state}

    def load_state_dict(self, state):
        for name, array in state["arrays"].items():
            setattr(self, name, array.copy())
        self._actions = dict(state["actions"])
        self._rng.bit_generator.state = state["rng"]
