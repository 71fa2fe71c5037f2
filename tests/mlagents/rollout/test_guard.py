"""Numbers that are not finite are said with their place, replaced, and tolerated only so often."""

from __future__ import annotations

import logging
import re

import numpy as np
import pytest

from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.rollout import guard
from mlagents.rollout.guard import Guard, Tolerance, TooManyFaults
from mlagents_envs.base_env import DecisionSteps
from toys.specs import behavior, observation
from toys.training import make_loop, ppo_settings
from toys.walk import Walk

SPEC = behavior(observation(2, name="speed"), observation(1, 2, 2, name="eye"))


def report(agents=3):
    obs = [np.ones((agents, 2), np.float32), np.ones((agents, 1, 2, 2), np.float32)]
    ids = np.arange(10, 10 + agents, dtype=np.int32)
    ones = np.ones(agents, np.float32)
    return DecisionSteps(obs, ones, ids, None, np.zeros(agents, np.int32), ones.copy())


FEW_AND_MANY = (3, 30)  # numbers are looked at one by one, and summed


@pytest.mark.parametrize("agents", FEW_AND_MANY)
def test_good_reports_stay_the_same_arrays(agents):
    good = report(agents)
    arrays = [*good.obs, good.reward, good.group_reward]
    Guard("Walk", SPEC).repair(0, 0, good)
    assert all(a is b for a, b in zip(arrays, [*good.obs, good.reward, good.group_reward], strict=True))


@pytest.mark.parametrize("agents", FEW_AND_MANY)
def test_huge_numbers_are_finite(agents):
    huge = report(agents)
    huge.obs[0][:] = np.float32(3e38)
    Guard("Walk", SPEC).repair(0, 0, huge)
    assert (huge.obs[0] == np.float32(3e38)).all()


@pytest.mark.parametrize("agents", FEW_AND_MANY)
@pytest.mark.parametrize(
    ("where", "said"),
    [
        (
            lambda r: (r.obs[0], (1, 0)),
            r"behavior Walk: speed of agent 11 in environment 4 is nan at \[0\], in decision round 70",
        ),
        (lambda r: (r.obs[1], (2, 0, 1, 0)), r"eye of agent 12 in environment 4 is nan at \[0, 1, 0\]"),
        (lambda r: (r.reward, (0,)), "the reward of agent 10 in environment 4 is nan, in decision round 70"),
        (
            lambda r: (r.group_reward, (2,)),
            "the group reward of agent 12 in environment 4 is nan, in decision round 70",
        ),
    ],
)
def test_the_place_is_said_and_zero_is_used(caplog, where, said, agents):
    bad = report(agents)
    values, place = where(bad)
    values[place] = np.nan
    values.flags.writeable = False
    with caplog.at_level(logging.WARNING):
        Guard("Walk", SPEC).repair(4, 70, bad)
    assert len(caplog.records) == 1
    assert re.search(said, caplog.text)
    assert all(np.isfinite(x).all() for x in (*bad.obs, bad.reward, bad.group_reward))
    found, _ = where(bad)
    assert found[place] == 0.0


def test_a_branch_without_any_choice_is_said_and_opened(caplog):
    forbidden = [np.array([[True, False], [True, True], [False, False]]), np.array([[False], [False], [True]])]
    bad = report()
    bad.action_mask = [mask.copy() for mask in forbidden]
    with caplog.at_level(logging.WARNING):
        Guard("Walk", SPEC).repair(4, 70, bad)
    first, second = caplog.messages
    assert (
        "behavior Walk: all 2 choices of branch 0 are forbidden to agent 11 in environment 4, in decision round 70"
        in first
    )
    assert "all 1 choices of branch 1 are forbidden to agent 12" in second
    assert bad.action_mask[0].tolist() == [[True, False], [False, False], [False, False]]
    assert not bad.action_mask[1].any()


def test_the_run_stops_when_it_happens_too_often():
    tolerance = Tolerance()
    for _ in range(guard.MOST_FAULTS):
        tolerance.use("behavior Walk: broken")
    with pytest.raises(TooManyFaults, match=r"behavior Walk: broken\. .*--resume"):
        tolerance.use("behavior Walk: broken")


class BrokenWalk(Walk):
    """The first agent's position is NaN once, after `good` steps; its reward is infinite once, later."""

    def __init__(self, good):
        super().__init__("discrete")
        self._count, self._good = 0, good

    def step(self):
        super().step()
        self._count += 1
        decision, _ = self._steps
        if self._count == self._good:
            decision.obs[0][0, 0] = np.nan
        if self._count == 2 * self._good:
            decision.reward[1] = np.inf


def test_training_goes_on_and_learns_from_good_numbers_only(caplog):
    loop = make_loop(BrokenWalk(20), ppo_settings(1_500))
    with caplog.at_level(logging.WARNING):
        loop.run(lambda: False)
    assert "position and goal of agent 0" in caplog.text
    assert "the reward of agent 1" in caplog.text
    learner = loop.behaviors["Walk"].learner
    assert learner.version > 0
    assert all(np.isfinite(t).all() for t in learner.state_dict()["tensors"].values())


def test_updates_that_fail_are_skipped_until_the_limit(monkeypatch):
    loop = make_loop(Walk("discrete"), ppo_settings(1_000_000))

    def fail(self):
        self._rows.clear()
        raise NonFiniteUpdate("behavior Walk: broken.")

    monkeypatch.setattr("mlagents.algorithms.ppo.learner.PPOLearner.update", fail)
    with pytest.raises(TooManyFaults):
        loop.run(lambda: False)
    learner = loop.behaviors["Walk"].learner
    assert learner.steps == pytest.approx((guard.MOST_FAULTS + 1) * 512, rel=0.1)
