"""POCA's returns by hand, and the learner around its update."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.algorithms.poca.groups import join
from mlagents.algorithms.poca.learner import POCALearner
from mlagents.algorithms.poca.update import Links, advantages
from mlagents.algorithms.ppo.estimates import Experience
from mlagents.data.segments import FlatSegments
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.returns import gae
from mlagents.reward_signals.stack import RewardSignals
from toys.segments import make_segment
from toys.specs import behavior, observation
from toys.training import poca_settings

SPEC = behavior(3, continuous=1, branches=(2,))
MEMORY = {"sequence_length": 8, "memory_size": 8}


def make_learner(spec=SPEC, seed=0, memory=False, signals=("extrinsic",), **changes):
    if memory:
        changes["network_settings"] = {"hidden_units": 16, "num_layers": 2, "memory": MEMORY}
    rewards = {name: {"gamma": 0.9, "strength": 2.0 if name == "extrinsic" else 0.1} for name in signals}
    settings = poca_settings(10_000, {"buffer_size": 256}, reward_signals=rewards, **changes)
    return POCALearner("Team", spec, settings, RewardSignals("Team", spec, settings.reward_signals, seed), seed)


def segment(rng, ticks, group, size, spec=SPEC, memory=0, reward=None, **ends):
    steps = len(ticks)
    seen = [rng.normal(size=(steps + 1, *o.shape)).astype(np.float32) for o in spec.observation_specs]
    seen = [rng.integers(0, 255, o.shape).astype(np.uint8) if o.ndim == 4 else o for o in seen]
    action = spec.action_spec
    return make_segment(
        seen,
        rng.normal(size=(steps, memory)).astype(np.float32),
        rng.normal(size=(steps, action.continuous_size)).astype(np.float32),
        np.zeros((steps, action.discrete_size), np.int32),
        np.full((steps, action.continuous_size + action.discrete_size), -1.0, np.float32),
        rng.random((steps, sum(action.discrete_branches))) > -1.0,
        rng.normal(size=steps).astype(np.float32) if reward is None else np.array(reward, np.float32),
        group_id=group,
        group_size=size,
        tick=np.array(ticks),
        **ends,
    )


def fill(learner, spec=SPEC, seed=0, reward=None):
    rng, start = np.random.default_rng(seed), 0
    memory = learner.snapshot().memory_size
    while not learner.ready():
        for group, size in ((1, 3), (2, 2), (0, 0)):
            for _ in range(max(size, 1)):
                ticks = range(start, start + 16)
                learner.extend(
                    [segment(rng, ticks, group, size, spec, memory, None if reward is None else [reward] * 16)]
                )
        start += 16


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_who_dies_early_earns_what_the_group_earns_by_hand():
    """Two agents, gamma 0.5, lambda 0.5: the first dies with its first decision, the second wins 8 two rounds later."""
    rng, rows = np.random.default_rng(0), FlatSegments(SPEC, 6)
    rows.extend(segment(rng, [1], 1, 2, reward=[1.0], terminated=True))  # row 0, closing 1
    rows.extend(segment(rng, [1, 2, 3], 1, [2, 1, 1], reward=[0, 0, 8.0], terminated=True))  # rows 2, 3, 4, closing 5
    links = join(rows)
    value = np.zeros((12, 1), np.float32)
    value[:6, 0] = 3.0, 99.0, 5.0, 2.0, 4.0, 99.0
    team = np.zeros((12, 1), np.float32)
    team[:6, 0] = 1.0, 0.0, 1.0, 0.0, 8.0, 0.0  # both get 1 in round 1, though the second did nothing for it
    alone = links.stand_in == np.arange(12)
    follower = np.minimum(links.stand_in + 1, 11)
    found = advantages(
        Experience(rows.columns, team, rows.terminated[:, None], rows.closing),
        Links(links.mates, follower, rows.terminated & alone, links.complete),
        jnp.asarray(value),
        jnp.array([0.5], jnp.float32),
        0.5,
        extrinsic=0,
    )
    # A(4) = 8 - 4 = 4; A(3) = 0 + 0.5 * 4 - 2 + 0.25 * 4 = 1; A(2) = 1 + 0.5 * 2 - 5 + 0.25 * 1 = -2.75;
    # A(0) = 1 + 0.5 * 2 - 3 + 0.25 * 1 = -0.75: both have the return 2.25.
    np.testing.assert_allclose(np.asarray(found)[:6, 0], [-0.75, 0.0, -2.75, 1.0, 4.0, 0.0], atol=1e-6)


def test_without_groups_advantages_are_those_of_ppo():
    rng, rows = np.random.default_rng(0), FlatSegments(SPEC, 30)
    for ends in ({"terminated": True}, {"truncated": True}, {}):
        rows.extend(segment(rng, range(9), 0, 0, **ends))
    links = join(rows)
    value = jnp.asarray(rng.normal(size=(60, 1)), jnp.float32)
    reward = rng.normal(size=(60, 1)).astype(np.float32)
    experience = Experience(rows.columns, reward, rows.terminated[:, None], rows.closing)
    follower = np.minimum(np.arange(60) + 1, 59)
    gamma = jnp.array([0.9], jnp.float32)
    found = advantages(experience, Links(links.mates, follower, rows.terminated, links.complete), value, gamma, 0.95, 0)
    expected = gae(reward, value, rows.terminated[:, None], rows.closing, gamma, 0.95)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_group_earns_what_everybody_earns_and_what_it_earns_once():
    learner = make_learner()
    rng = np.random.default_rng(0)
    for own in ([1.0, 2.0], [10.0, 20.0]):
        learner.extend([segment(rng, [1, 2], 1, 2, reward=own, group_reward=np.array([100.0, 200.0], np.float32))])
    rows = learner._rows
    team = learner._team_rewards(learner._signals.rewards(rows), join(rows))
    np.testing.assert_allclose(team[[0, 1, 3, 4], 0], 2.0 * np.array([111.0, 222.0, 111.0, 222.0]))


@pytest.mark.parametrize("memory", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_an_update_moves_every_network_and_keeps_its_shape(memory):
    learner = make_learner(memory=memory)
    before = learner.state_dict()["tensors"]
    fill(learner)
    statistics = learner.update()
    after = learner.state_dict()["tensors"]
    for name in before:
        if name.startswith("weights.") and before[name].size:
            assert np.abs(after[name] - before[name]).max() > 0, name
    assert statistics["Losses/Baseline Loss"] > 0
    seconds = learner.compile_seconds
    fill(learner, seed=1)
    learner.update()
    assert learner.compile_seconds == seconds


@pytest.mark.slow
@pytest.mark.parametrize("memory", [False, True])
def test_images_entities_hybrid_actions_and_curiosity(memory):
    spec = behavior(observation(1, 20, 20), observation(3, 4, variable=True), 2, continuous=1, branches=(3, 2))
    learner = make_learner(spec, memory=memory, signals=("extrinsic", "curiosity"))
    fill(learner, spec)
    statistics = learner.update()
    assert all(np.isfinite(value) for value in statistics.values())
    assert {"Policy/Extrinsic Value Estimate", "Policy/Curiosity Value Estimate"} <= statistics.keys()


def test_a_checkpoint_goes_on_bit_for_bit():
    whole = make_learner()
    fill(whole)
    whole.update()
    other = make_learner(seed=5)
    other.load_state_dict(whole.state_dict())
    for learner in (whole, other):
        fill(learner, seed=3)
        learner.update()
    assert_same(whole.state_dict()["tensors"], other.state_dict()["tensors"])


def test_an_update_that_is_not_finite_leaves_the_weights_alone():
    learner = make_learner()
    before = learner.state_dict()["tensors"]
    fill(learner, reward=np.inf)
    with pytest.raises(NonFiniteUpdate, match="the POCA update"):
        learner.update()
    assert_same(before, learner.state_dict()["tensors"])
