"""The compiled updates against the same written plainly: trees, three optimisers, one gradient step at a time."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import stats

from mlagents.algorithms.sac.networks import Networks, Structure, target_of
from mlagents.algorithms.sac.networks import make_networks as networks_around
from mlagents.algorithms.sac.update import LearnerState, Recipe, Transitions, update
from mlagents.learning.trained import TrainedState, at_rest
from mlagents.nn.build import make_policy
from mlagents.nn.flat import flattened
from mlagents.nn.normalizer import Normalizer
from mlagents.nn.observations import Inputs
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType
from toys.segments import make_columns

BATCH, UPDATES, RATE, TAU = 4, 2, 1e-2, 0.1
GAMMA = np.float32([0.9, 0.8])
KINDS = {"continuous": (2, ()), "discrete": (0, (2, 3)), "hybrid": (2, (3,))}


def make_networks(continuous, branches, widths=(1, 2), signals=2):
    rng = np.random.default_rng(0)
    observations = [
        ObservationSpec((n,), (DimensionProperty.NONE,), ObservationType.DEFAULT, f"{n} numbers") for n in widths
    ]
    spec = BehaviorSpec(observations, ActionSpec.create_hybrid(continuous, branches))
    settings = NetworkSettings(hidden_units=8, num_layers=2)
    policy = make_policy(rng, spec, settings, squashed=True)
    networks = networks_around(rng, spec, settings, policy, signals, 0.0)
    return networks._replace(log_alpha=np.linspace(-1.0, -0.2, len(networks.log_alpha), dtype=np.float32))


def make_transitions(continuous, branches, room):
    """Return room for more minibatches than are used; what is not used is not a number."""
    rng = np.random.default_rng(1)
    rows, used = 2 * room * BATCH, 2 * UPDATES * BATCH
    allowed = np.concatenate([_mask(rng, rows, size) for size in branches], axis=1) if branches else _none(rows)
    columns = make_columns(
        (rng.normal(2.0, 3.0, (rows, 1)).astype(np.float32), rng.normal(size=(rows, 2)).astype(np.float32)),
        _none(rows, np.float32),
        rng.normal(size=(rows, continuous)).astype(np.float32),
        np.stack([rng.integers(0, k, rows) for k in branches], axis=1).astype(np.int32)
        if branches
        else np.zeros((rows, 0), np.int32),
        _none(rows, np.float32),
        allowed,
    )
    transitions = Transitions(
        columns,
        rng.normal(size=(rows, 2)).astype(np.float32),
        rng.random((rows, 2)) < 0.3,
        np.ones(rows, np.int32),
    )
    transitions.columns.observations[0][used:] = np.nan
    transitions.reward[used:] = np.nan
    noise = rng.normal(size=(room, BATCH, continuous)).astype(np.float32)
    return transitions, noise


def _mask(rng, rows, size):
    mask = rng.random((rows, size)) < 0.6
    mask[:, 0] = True
    return mask


def _none(rows, dtype=bool):
    return np.ones((rows, 0), dtype)


def _seen(x):
    return Inputs(x, (), ())


def plain_updates(networks, normalizer, transitions, noise, branches):
    """SAC from the papers' equations: all three losses from the same weights, then one step of each optimiser."""
    optimisers = [optax.adam(RATE) for _ in range(3)]
    groups = [(networks.body, networks.head), (networks.value, networks.q1, networks.q2), networks.log_alpha]
    states = [o.init(g) for o, g in zip(optimisers, groups, strict=True)]
    target = networks.value
    for number in range(UPDATES):
        rows = np.arange(2 * number * BATCH, 2 * (number + 1) * BATCH)
        now, after = rows[::2], rows[1::2]
        x, next_x = (
            normalizer(jnp.concatenate([o[r] for o in transitions.columns.observations], axis=1)) for r in (now, after)
        )
        ends = np.cumsum([0, *branches])

        def per_branch(q, weights, ends=ends):
            """Mean over branches of sum_j weight_j Q_j, [rows, signals]; Q itself without branches."""
            if not branches:
                return q[:, :, 0]
            parts = [
                jnp.einsum("bks,bs->bk", q[:, :, a:b], w) for a, b, w in zip(ends, ends[1:], weights, strict=False)
            ]
            return sum(parts) / len(parts)

        def act(policy, number=number, now=now, x=x):
            body, head = policy
            d = head(body(_seen(x))[0], transitions.columns.allowed[now])
            u = d.mean + jnp.exp(d.log_std) * noise[number]
            density = -0.5 * jnp.log(2 * jnp.pi) - d.log_std - 0.5 * noise[number] ** 2 - jnp.log(1 - jnp.tanh(u) ** 2)
            p = [jnp.exp(b) for b in d.log_probs]
            negative = [density.sum(1)] if u.shape[1] else []
            negative += [jnp.where(q > 0, q * jnp.log(jnp.where(q > 0, q, 1.0)), 0.0).sum(1) for q in p]
            return jnp.tanh(u), p, negative

        def cost(negative, log_alpha):
            alpha = jnp.exp(log_alpha)
            continuous = len(negative) - len(branches)
            total = sum(alpha[i] * negative[i] for i in range(continuous))
            discrete = [alpha[i] * negative[i] for i in range(continuous, len(negative))]
            return total + (sum(discrete) / len(discrete) if discrete else 0.0)

        _, (_, q1, q2), log_alpha = groups

        def policy_loss(policy, q1=q1, log_alpha=log_alpha, act=act, x=x):
            a, p, negative = act(policy)
            return jnp.mean(cost(negative, log_alpha) - per_branch(q1(_seen(x), a, None), p).mean(1))

        a, p, negative = act(groups[0])
        y = transitions.reward[now] + (1 - transitions.terminated[now]) * GAMMA * target(_seen(next_x))[0]
        backup = jnp.minimum(*(per_branch(q(_seen(x), a, None), p) for q in (q1, q2)))
        backup -= cost(negative, log_alpha)[:, None]
        taken = [jax.nn.one_hot(transitions.columns.discrete[now][:, i], k) for i, k in enumerate(branches)]
        done = jnp.tanh(transitions.columns.continuous[now])

        def value_loss(critics, x=x, y=y, backup=backup, taken=taken, done=done):
            value, *qs = critics
            loss = 0.5 * jnp.mean((value(_seen(x))[0] - backup) ** 2)
            return loss + sum(0.5 * jnp.mean((y - per_branch(q(_seen(x), done, None), taken)) ** 2) for q in qs)

        def temperature_loss(log_alpha, negative=negative, a=a):
            goals = [-a.shape[1]] if a.shape[1] else []
            goals += [0.2 * np.log(k) for k in branches]
            return -sum(jnp.mean(log_alpha[i] * (negative[i] + goals[i])) for i in range(len(goals)))

        for i, loss in enumerate((policy_loss, value_loss, temperature_loss)):
            grads = jax.grad(loss)(groups[i])
            step, states[i] = optimisers[i].update(grads, states[i])
            groups[i] = optax.apply_updates(groups[i], step)
        target = jax.tree.map(lambda t, v: (1 - TAU) * t + TAU * v, target, groups[1][0])
    value, q1, q2 = groups[1]
    return Networks(value, *groups[0], q1, q2, groups[2]), target


def compiled(networks):
    parameters, networks_of = flattened(networks)
    target, target_networks_of = flattened(target_of(networks))
    recipe = Recipe(Structure(networks_of, target_networks_of), BATCH, steps=1, burn_in=0.0, tau=TAU)
    function = functools.partial(update, recipe=recipe)
    return LearnerState(TrainedState(parameters, at_rest(parameters), None), target), jax.jit(function)


@pytest.mark.parametrize("kind", [pytest.param(k, marks=() if k == "hybrid" else pytest.mark.slow) for k in KINDS])
def test_updates_equal_the_plain_ones(kind):
    continuous, branches = KINDS[kind]
    networks = jax.tree.map(jnp.asarray, make_networks(continuous, branches))
    transitions, noise = make_transitions(continuous, branches, UPDATES + 2)
    normalizer = Normalizer(np.float32([2.0, 0.0, 0.0]), np.float32([90.0, 10.0, 10.0]), np.array(10.0, np.float32))
    plain = jax.jit(lambda start: plain_updates(start, normalizer, transitions, noise, branches))  # for speed only
    expected, target = plain(networks)
    state, call = compiled(networks)
    after, statistics = call(state, normalizer, transitions, noise, np.int32(UPDATES), np.float32(RATE), GAMMA)
    assert statistics.finite
    np.testing.assert_allclose(after.trained.parameters, flattened(expected)[0], atol=2e-4)
    np.testing.assert_allclose(after.target, flattened(target)[0], atol=2e-4)
    np.testing.assert_allclose(statistics.alpha, np.exp(expected.log_alpha), rtol=1e-3)
    assert float(jnp.abs(after.trained.parameters - state.trained.parameters).max()) > 1e-3


@pytest.mark.slow
def test_a_loss_that_is_not_finite_leaves_everything_as_it_was():
    continuous, branches = KINDS["hybrid"]
    transitions, noise = make_transitions(continuous, branches, UPDATES)
    transitions.reward[BATCH] = np.nan
    state, call = compiled(make_networks(continuous, branches))
    after, statistics = call(state, None, transitions, noise, np.int32(UPDATES), np.float32(RATE), GAMMA)
    assert not statistics.finite
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        np.testing.assert_array_equal(old, new)


def test_values_settle_where_the_equations_say():
    """One state, reward 1, gamma 0.5, episodes that never end: V = Q - alpha log pi, Q = 1 + 0.5 V.

    With alpha held at 0.1 and a policy held at N(0, 1) before tanh, E log pi = -H(N) + E[-log(1 - tanh^2)], which
    scipy integrates; then V = 1 + 0.5 V + 0.1 H.
    """
    networks = make_networks(1, (), widths=(3,), signals=1)
    hold = jax.tree.map(jnp.zeros_like, networks.head)
    networks = networks._replace(head=hold, log_alpha=np.log(np.float32([0.1])))
    room = 200
    rows = 2 * room * BATCH
    columns = make_columns(
        (np.ones((rows, 3), np.float32),),
        _none(rows, np.float32),
        np.zeros((rows, 1), np.float32),
        np.zeros((rows, 0), np.int32),
        _none(rows, np.float32),
        _none(rows),
    )
    transitions = Transitions(
        columns, np.ones((rows, 1), np.float32), np.zeros((rows, 1), bool), np.ones(rows, np.int32)
    )
    squashed_entropy = stats.norm.entropy() + stats.norm.expect(lambda u: np.log(1 - np.tanh(u) ** 2), lb=-10, ub=10)
    expected = (1 + 0.1 * squashed_entropy) / 0.5
    rng = np.random.default_rng(0)
    state, call = compiled(networks)
    held = {"body": networks.body, "head": networks.head, "log_alpha": networks.log_alpha}
    networks_of = flattened(networks)[1]
    for _ in range(15):
        noise = rng.normal(size=(room, BATCH, 1)).astype(np.float32)
        transitions.columns.continuous[:] = rng.normal(size=transitions.columns.continuous.shape)
        state, statistics = call(state, None, transitions, noise, np.int32(room), np.float32(3e-3), np.float32([0.5]))
        trained = state.trained
        parameters = flattened(networks_of(np.asarray(trained.parameters))._replace(**held))[0]
        state = LearnerState(TrainedState(parameters, trained.adam, None), state.target)
    assert float(statistics.value[0]) == pytest.approx(expected, abs=0.1)
