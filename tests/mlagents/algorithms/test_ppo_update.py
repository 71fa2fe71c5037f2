"""The compiled update against the same update written plainly: trees, lists and one gradient step at a time."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mlagents.algorithms.ppo.estimates import Estimation, Experience
from mlagents.algorithms.ppo.networks import Networks
from mlagents.algorithms.ppo.update import Coefficients, Recipe, update
from mlagents.learning.sequences import Sequences
from mlagents.learning.trained import TrainedState, at_rest
from mlagents.nn.build import make_body, make_policy
from mlagents.nn.flat import flattened
from mlagents.nn.layers import glorot_dense
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType
from toys.segments import make_columns

COEFFICIENTS = Coefficients(np.float32(1e-2), np.float32(0.2), np.float32(0.05), np.float32(30.0))
GAMMA, LAM, BATCH = np.float32([0.9, 0.8]), 0.7, 4
BRANCHES = (2, 3)


def make_networks():
    rng = np.random.default_rng(0)
    observation = ObservationSpec((3,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "state")
    settings = NetworkSettings(hidden_units=8, num_layers=2)
    policy = make_policy(rng, BehaviorSpec([observation], ActionSpec.create_hybrid(2, BRANCHES)), settings)
    return Networks(policy.body, policy.head, make_body(rng, [observation], settings), glorot_dense(rng, 8, 2))


def recipe(networks_of, **how):
    return Recipe(networks_of, BATCH, steps=1, burn_in=0.0, estimation=Estimation(LAM, **how))


def decisions_as_sequences(decisions, capacity):
    start = np.zeros(capacity, np.int32)
    start[: len(decisions)] = decisions
    return Sequences(start, np.ones(capacity, np.int32))


def make_segments(rng, lengths):
    segments = []
    for n, ended in lengths:
        segments.append(
            {
                "obs": rng.normal(size=(n + 1, 3)).astype(np.float32),
                "continuous": rng.normal(size=(n, 2)).astype(np.float32),
                "discrete": np.stack([rng.integers(0, k, n) for k in BRANCHES], axis=1).astype(np.int32),
                "log_prob": rng.normal(-1.2, 0.3, size=(n, 4)).astype(np.float32),
                "reward": rng.normal(size=(n, 2)).astype(np.float32),
                "ended": ended,
            }
        )
    return segments


def in_rows(segments, capacity):
    """Return the segments as flat rows, and the rows of their decisions."""

    def zeros(*shape, dtype=np.float32):
        return np.zeros((capacity, *shape), dtype)

    obs, continuous, discrete, reward = zeros(3), zeros(2), zeros(2, dtype=np.int32), zeros(2)
    log_prob = zeros(4)
    ended, closing, start, decisions = zeros(2, dtype=bool), np.ones(capacity, bool), 0, []
    for s in segments:
        n = len(s["reward"])
        obs[start : start + n + 1] = s["obs"]
        for name, column in {
            "continuous": continuous,
            "discrete": discrete,
            "log_prob": log_prob,
            "reward": reward,
        }.items():
            column[start : start + n] = s[name]
        ended[start + n - 1] = s["ended"]
        closing[start : start + n] = False
        decisions += range(start, start + n)
        start += n + 1
    allowed = np.ones((capacity, sum(BRANCHES)), bool)
    columns = make_columns((obs,), zeros(0), continuous, discrete, log_prob, allowed)
    experience = Experience(columns, reward, ended, closing)
    return experience, start, decisions


def plain_update(networks, normalizer, segments, orders, scale=False, value_clip=False):
    """PPO from the paper's pseudo-code, for the same minibatches."""
    every = np.concatenate([s["obs"][:-1] for s in segments])
    normalizer = normalizer.updated(jnp.array(every), jnp.ones(len(every), bool))
    rows = []
    for s in segments:
        x = normalizer(jnp.array(s["obs"]))
        value = np.asarray(networks.values(Inputs(x, (), ()), None))
        old = s["log_prob"]
        running = np.zeros(2, np.float32)
        for t in reversed(range(len(s["reward"]))):
            alive = 0.0 if s["ended"] and t == len(s["reward"]) - 1 else 1.0
            delta = s["reward"][t] + GAMMA * alive * value[t + 1] - value[t]
            running = delta + GAMMA * LAM * alive * running
            s.setdefault("advantage", {})[t] = running
        for t in range(len(s["reward"])):
            advantage = s["advantage"][t]
            rows.append((x[t], s["continuous"][t], s["discrete"][t], old[t], advantage.mean(), advantage + value[t]))
    x, continuous, discrete, old, gain, returns = (jnp.stack([jnp.asarray(r[i]) for r in rows]) for i in range(6))
    gain = gain / max(gain.std(), 0.1 * 0.99 * 30.0) if scale else (gain - gain.mean()) / (gain.std() + 1e-10)
    before = returns - jnp.stack([s["advantage"][t] for s in segments for t in range(len(s["reward"]))])

    def loss(networks, pick):
        actions, values = networks.evaluate(Inputs(x[pick], (), ()), None, None)
        ratio = jnp.exp(actions.log_prob(continuous[pick], discrete[pick]) - old[pick])
        surrogate = jnp.minimum(ratio * gain[pick, None], jnp.clip(ratio, 0.8, 1.2) * gain[pick, None])
        value = (values - returns[pick]) ** 2
        if value_clip:
            kept = jnp.clip(values, before[pick] - 0.2, before[pick] + 0.2)
            value = jnp.maximum(value, (kept - returns[pick]) ** 2)
        value = jnp.mean(value)
        return -surrogate.mean() + 0.5 * value - COEFFICIENTS.beta * actions.entropy().mean()

    gradient = jax.jit(jax.grad(loss))
    adam = optax.adam(float(COEFFICIENTS.learning_rate))
    state = adam.init(networks)
    for order in orders:
        for start in range(0, len(order) - BATCH + 1, BATCH):
            grads = gradient(networks, jnp.array(order[start : start + BATCH]))
            step, state = adam.update(grads, state)
            networks = optax.apply_updates(networks, step)
    return networks, normalizer


@pytest.mark.parametrize(
    ("capacity", "how"),
    [(20, {}), (20, {"scale": True, "value_clip": True}), pytest.param(3000, {}, marks=pytest.mark.slow)],
)
def test_update_equals_the_plain_one(capacity, how):
    rng = np.random.default_rng(0)
    segments = make_segments(rng, [(4, True), (1, False), (5, False), (2, True)])
    networks, normalizer = make_networks(), Normalizer.initial(3)
    experience, used, decisions = in_rows(segments, capacity)
    orders = [rng.permutation(len(decisions)) for _ in range(2)]
    expected, expected_normalizer = plain_update(networks, normalizer, segments, orders, **how)

    parameters, networks_of = flattened(networks)
    order = np.zeros((2, capacity), np.int32)
    for epoch, picks in zip(order, orders, strict=True):
        epoch[: len(picks)] = picks
    compiled = jax.jit(functools.partial(update, recipe=recipe(networks_of, **how)))
    state, statistics = compiled(
        TrainedState(parameters, at_rest(parameters), normalizer),
        experience,
        np.int32(used),
        decisions_as_sequences(decisions, capacity),
        np.int32(len(decisions)),
        order,
        COEFFICIENTS,
        GAMMA,
    )
    assert statistics.finite
    assert float(statistics.deviation) == pytest.approx(0.99 * 30.0 if how else 30.0)
    np.testing.assert_allclose(state.parameters, flattened(expected)[0], atol=2e-4)
    np.testing.assert_allclose(state.normalizer.m2, expected_normalizer.m2, rtol=1e-5)
    assert float(jnp.abs(state.parameters - parameters).max()) > 1e-3


def test_a_loss_that_is_not_finite_leaves_everything_as_it_was():
    segments = make_segments(np.random.default_rng(0), [(8, False)])
    segments[0]["reward"][3, 0] = np.nan
    experience, used, decisions = in_rows(segments, 16)
    parameters, networks_of = flattened(make_networks())
    state = TrainedState(parameters, at_rest(parameters), Normalizer.initial(3))
    order = np.arange(8, dtype=np.int32)[None]
    compiled = jax.jit(functools.partial(update, recipe=recipe(networks_of)))
    sequences = decisions_as_sequences(decisions, 8)
    after, statistics = compiled(state, experience, np.int32(used), sequences, np.int32(8), order, COEFFICIENTS, GAMMA)
    assert not statistics.finite
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(old, new)
