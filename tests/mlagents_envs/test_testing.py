"""`check_env` lets a correct environment pass and names what is wrong with each of many broken ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.testing import check_env

WALK, WATCH = "Walk?team=0", "Watch?team=1"
POSITION = ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "position")
TARGET = ObservationSpec((1, 2, 2), (DimensionProperty.UNSPECIFIED,) * 3, ObservationType.GOAL_SIGNAL, "")


class Corridor(BaseEnv):
    """Three walkers in a group, ids 0 to 2, and one watcher, id 7, who decides in every second step.

    A walker moves by its continuous action and by its branch (stay, left, right; left is forbidden at 0). Its
    episode ends at 3 and is interrupted after 10 steps. Walkers 0 and 1 begin anew at once, 2 a step later.
    """

    def __init__(self):
        self.specs = {
            WALK: BehaviorSpec([POSITION, TARGET], ActionSpec.create_hybrid(1, (3, 2))),
            WATCH: BehaviorSpec([POSITION], ActionSpec.create_discrete((2,))),
        }
        self.steps = None  # before the first reset
        self.closed = False

    @property
    def behavior_specs(self):
        return BehaviorMapping(self.specs if self.steps is not None else {})

    def reset(self):
        self.check_open()
        self.steps = 0
        self.place, self.age = np.zeros(3), np.zeros(3, int)
        self.report(np.zeros(3, bool), np.ones(3, bool))

    def step(self):
        self.check_open()
        if self.steps is None:
            self.reset()
            return
        self.steps += 1
        acting = self.reports[WALK][0].agent_id
        action = self.actions.get(WALK, self.specs[WALK].action_spec.empty_action(len(acting)))
        self.place[acting] += action.continuous[:, 0] + np.array([0, -1, 1])[action.discrete[:, 0]]
        self.place = self.place.clip(0, 3)
        self.age[acting] += 1
        ended = (self.place >= 3) | (self.age >= 10)
        ended[np.setdiff1d([0, 1, 2], acting)] = False
        late = ended & (np.arange(3) == 2)
        self.report(ended, ~late)

    def report(self, ended, deciding):
        rewards = -np.ones(3)
        last, reached = self.place.copy(), self.place >= 3
        self.place[ended], self.age[ended] = 0, 0
        watching = np.array([7] if self.steps % 2 == 0 else [])
        spec = self.specs[WATCH]
        self.actions = {}
        self.reports = {
            WALK: (
                self.decisions(np.flatnonzero(deciding), self.place[deciding], rewards[deciding]),
                self.terminals(np.flatnonzero(ended), last[ended], rewards[ended], ~reached[ended]),
            ),
            WATCH: (
                DecisionSteps(
                    [self.observe(np.zeros(len(watching)))],
                    np.zeros(len(watching), np.float32),
                    watching.astype(np.int32),
                    None,
                ),
                TerminalSteps.empty(spec),
            ),
        }

    def observe(self, place):
        return np.stack([place, place**2], axis=1).astype(np.float32)

    def decisions(self, ids, place, reward):
        n = len(ids)
        masks = [np.zeros((n, 3), bool), np.zeros((n, 2), bool)]
        masks[0][:, 1] = place == 0
        group, shared = np.ones(n, np.int32), np.full(n, 0.5, np.float32)
        goal = np.zeros((n, 1, 2, 2), np.float32)
        obs = [self.observe(place), goal]
        return DecisionSteps(obs, reward.astype(np.float32), ids.astype(np.int32), masks, group, shared)

    def terminals(self, ids, place, reward, interrupted):
        n = len(ids)
        group, shared = np.ones(n, np.int32), np.full(n, 0.5, np.float32)
        obs = [self.observe(place), np.zeros((n, 1, 2, 2), np.float32)]
        return TerminalSteps(obs, reward.astype(np.float32), interrupted, ids.astype(np.int32), group, shared)

    def close(self):
        self.check_open()
        self.closed = True

    def check_open(self):
        if self.closed:
            raise UnityEnvironmentException("closed")

    def known(self, name):
        if name not in self.behavior_specs:
            raise UnityActionException(f"no behavior {name!r}")
        return self.specs[name].action_spec

    def set_actions(self, behavior_name, action):
        spec, n = self.known(behavior_name), len(self.reports[behavior_name][0])
        self.actions[behavior_name] = spec._validate_action(action, n, behavior_name)

    def set_action_for_agent(self, behavior_name, agent_id, action):
        spec, (decisions, _) = self.known(behavior_name), self.reports[behavior_name]
        if agent_id not in decisions:
            raise IndexError(f"agent {agent_id} has no pending decision")
        action = spec._validate_action(action, 1, behavior_name)
        batch = self.actions.setdefault(behavior_name, spec.empty_action(len(decisions)))
        row = decisions.agent_id_to_index[agent_id]
        batch.continuous[row], batch.discrete[row] = action.continuous[0], action.discrete[0]

    def get_steps(self, behavior_name):
        self.known(behavior_name)
        return self.reports[behavior_name]


def test_a_correct_environment_passes():
    check_env(Corridor, deterministic=True)


def test_the_correct_environment_shows_all_cases():
    """Ends, interruptions, an agent in both batches, and one that ends without deciding in the same step."""
    env = Corridor()
    seen = set()
    env.reset()
    rng = np.random.default_rng(0)
    for _ in range(200):
        decisions, terminals = env.get_steps(WALK)
        for agent in terminals:
            seen.add("both" if agent in decisions else "ended only")
            seen.add("interrupted" if terminals[agent].interrupted else "finished")
        n = len(decisions)
        env.set_actions(WALK, ActionTuple(rng.uniform(-1, 1, (n, 1)), np.zeros((n, 2))))
        env.step()
    assert seen == {"both", "ended only", "interrupted", "finished"}


class ReportsDoubles(Corridor):
    def report(self, ended, deciding):
        super().report(ended, deciding)
        if self.steps == 5:
            self.reports[WALK][0].reward = self.reports[WALK][0].reward.astype(np.float64)


class HasNoSensors(Corridor):
    def __init__(self):
        super().__init__()
        self.specs[WALK] = BehaviorSpec([], self.specs[WALK].action_spec)


class RenamesEachStep(Corridor):
    def report(self, ended, deciding):
        super().report(ended, deciding)
        watcher = self.reports[WATCH][0]
        watcher.agent_id = watcher.agent_id + np.int32(self.steps)


class RenamesAtReset(Corridor):
    lives = 0

    def reset(self):
        self.lives += 1
        super().reset()

    def decisions(self, ids, place, reward):
        return super().decisions(ids + 10 * self.lives, place, reward)


class EndsAtReset(Corridor):
    def reset(self):
        super().reset()
        ones = np.ones(1)
        self.reports[WALK] = (self.reports[WALK][0], self.terminals(np.array([0]), ones, ones, ones > 0))


class NobodyBegins(Corridor):
    def reset(self):
        super().reset()
        self.reports = {
            name: (DecisionSteps.empty(spec), pair[1])
            for (name, spec), pair in zip(self.specs.items(), self.reports.values(), strict=True)
        }


class AdvancesWithoutReports(Corridor):
    def step(self):
        super().step()
        if self.steps == 3:
            for name, spec in self.specs.items():
                self.reports[name] = DecisionSteps.empty(spec), TerminalSteps.empty(spec)


class EndsTwice(Corridor):
    def report(self, ended, deciding):
        super().report(ended | (self.age == 0) & (self.steps > 2), deciding & (np.arange(3) != 1))


class ReusesBuffers(Corridor):
    buffer = np.zeros((3, 2), np.float32)

    def observe(self, place):
        view = self.buffer[: len(place)]
        view[:] = super().observe(place)
        return view


class ConsumesReports(Corridor):
    def get_steps(self, behavior_name):
        pair = super().get_steps(behavior_name)
        self.reports[behavior_name] = tuple(type(b).empty(self.specs[behavior_name]) for b in pair)
        return pair


class SharesAnId(Corridor):
    def report(self, ended, deciding):
        super().report(ended, deciding)
        watcher = self.reports[WATCH][0]
        watcher.agent_id = np.zeros_like(watcher.agent_id)


class ChangesItsSpec(Corridor):
    def step(self):
        super().step()
        self.specs[WATCH] = BehaviorSpec([POSITION], ActionSpec.create_discrete((2 + self.steps,)))


class ReportsLists(Corridor):
    def get_steps(self, behavior_name):
        return list(super().get_steps(behavior_name))


class HasNoBehaviors(Corridor):
    @property
    def behavior_specs(self):
        return {}


class TakesAnyShape(Corridor):
    def set_actions(self, behavior_name, action):
        self.known(behavior_name)


class TakesMoreBranches(Corridor):
    def set_actions(self, behavior_name, action):
        spec, n = self.known(behavior_name), len(self.reports[behavior_name][0])
        cut = ActionTuple(action.continuous, action.discrete[:, : spec.discrete_size])
        super().set_actions(behavior_name, cut if len(cut.discrete) == n else action)


class TakesActionsOfStrangers(Corridor):
    def set_actions(self, behavior_name, action):
        if behavior_name in self.specs:
            super().set_actions(behavior_name, action)


class KeyErrorForUnknownBehavior(Corridor):
    def get_steps(self, behavior_name):
        return self.reports[behavior_name]


class TakesActionsOfAbsentAgents(Corridor):
    def set_action_for_agent(self, behavior_name, agent_id, action):
        if behavior_name not in self.specs or agent_id in self.reports[behavior_name][0]:
            super().set_action_for_agent(behavior_name, agent_id, action)


class TakesTwoRowsForOneAgent(Corridor):
    def set_action_for_agent(self, behavior_name, agent_id, action):
        if len(action.discrete) == 1 or agent_id > 100 or behavior_name not in self.specs:
            super().set_action_for_agent(behavior_name, agent_id, action)


class NeedsAReset(Corridor):
    def step(self):
        if self.steps is None:
            self.steps, self.actions = 0, {}
            self.reports = {n: (DecisionSteps.empty(s), TerminalSteps.empty(s)) for n, s in self.specs.items()}
        else:
            super().step()


class WorksAfterClose(Corridor):
    def check_open(self):
        pass


class FailsOddlyAfterClose(Corridor):
    def check_open(self):
        if self.closed:
            raise ValueError("gone")


class IsRandom(Corridor):
    seeds = itertools.count()

    def __init__(self):
        super().__init__()
        self.offset = next(self.seeds)

    def observe(self, place):
        return super().observe(place + self.offset)


BROKEN = {
    "wrong column": (
        ReportsDoubles,
        r"step 4, Walk.*DecisionSteps\.reward: expected an array float32 \(3,\)",
    ),
    "wrong spec": (HasNoSensors, r"observation_specs: expected at least one observation, found none"),
    "no behaviors": (HasNoBehaviors, r"behavior_specs: expected a Mapping with at least one behavior"),
    "spec changes": (ChangesItsSpec, r"behavior_specs\['Watch\?team=1'\]: expected what it was"),
    "renames each step": (RenamesEachStep, r"Watch.*expected agent 7 to report again under its id"),
    "renames at reset": (RenamesAtReset, r"expected agents to keep their ids .* found only new ids"),
    "shares an id": (
        SharesAnId,
        r"expected an agent id to belong to one behavior, found 0 in Walk\?team=0 and in Watch",
    ),
    "ends at reset": (EndsAtReset, r"reset\(\).*TerminalSteps: expected no agents"),
    "nobody begins": (NobodyBegins, r"reset\(\) after 0 steps: expected an agent that asks for a decision"),
    "no reports": (AdvancesWithoutReports, r"step 2: expected step\(\) to advance until"),
    "ends twice": (EndsTwice, r"TerminalSteps: expected agent 1 to decide between two ends"),
    "reuses buffers": (
        ReusesBuffers,
        r"obs\[0\]: expected arrays handed out before a step to stay as they were",
    ),
    "consumes reports": (ConsumesReports, r"expected get_steps\(\) to give the same twice"),
    "reports lists": (ReportsLists, r"get_steps\(\): expected \(DecisionSteps, TerminalSteps\)"),
    "takes any shape": (
        TakesAnyShape,
        r"set_actions\('Walk\?team=0'\) with one row too many: expected UnityActionException, found no",
    ),
    "takes more branches": (TakesMoreBranches, r"with one branch too many: expected UnityActionException"),
    "takes actions of strangers": (
        TakesActionsOfStrangers,
        r"set_actions\(\) of an unknown behavior: expected UnityAct",
    ),
    "key error": (
        KeyErrorForUnknownBehavior,
        r"get_steps\(\) of an unknown behavior: expected UnityActionException, found KeyError",
    ),
    "takes actions of absent agents": (
        TakesActionsOfAbsentAgents,
        r"without a pending decision,: expected IndexError",
    ),
    "takes two rows": (
        TakesTwoRowsForOneAgent,
        r"with two rows: expected UnityActionException, found no exception",
    ),
    "needs a reset": (NeedsAReset, r"step\(\) before any reset\(\): expected an agent that asks"),
    "works after close": (WorksAfterClose, r"step\(\) after close\(\): expected UnityEnvironmentException"),
    "fails oddly after close": (
        FailsOddlyAfterClose,
        r"step\(\) after close\(\): expected UnityEnvironmentException, found ValueError",
    ),
    "is random": (IsRandom, r"step 0, Walk.*obs\[0\]: expected two environments to report the same"),
    "is nothing": (object, r"make_env\(\): expected a BaseEnv, found a object"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_each_fault_is_named(fault):
    make_env, message = BROKEN[fault]
    with pytest.raises(AssertionError, match=message):
        check_env(make_env, steps=60, deterministic=True)


def test_determinism_is_only_asked_for_on_demand():
    check_env(IsRandom)
