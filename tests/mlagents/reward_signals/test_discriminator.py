"""The discriminator's losses by hand, and its gradient penalty against finite differences."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mlagents.nn.layers import Dense
from mlagents.nn.observations import Inputs
from mlagents.reward_signals.discriminator import (
    Bottleneck,
    Judged,
    gradient_penalty,
    information,
    loss,
    make_discriminator,
    next_beta,
    scores,
)
from mlagents.settings import GAILSettings
from toys.specs import behavior, observation

SPEC = behavior(2, observation(1, 2, 2), observation(3, 2, variable=True), continuous=1, branches=(2,))


def make(spec=SPEC, **more):
    network = {"hidden_units": 8, "num_layers": 1, "vis_encode_type": "fully_connected"}
    settings = GAILSettings(demo_path="x", use_actions=True, network_settings=network, **more)
    return make_discriminator(np.random.default_rng(0), spec, settings)


def draw(rng, rows):
    numbers = lambda *shape: rng.normal(size=(rows, *shape)).astype(np.float32)  # noqa: E731
    return Judged(Inputs(numbers(2), (numbers(1, 2, 2),), (numbers(3, 2),)), numbers(4))


def leaves(judged):
    return [np.array(leaf, np.float64) for leaf in jax.tree.leaves(judged)]


@pytest.mark.parametrize(("use_vail", "steeper"), [pytest.param(False, 2.5, marks=pytest.mark.slow), (True, 6.0)])
def test_the_gradient_penalty_is_that_of_finite_differences_over_all_inputs(use_vail, steeper):
    """Vector, image, entities and action; points between expert and policy, a share of the way for each row.

    The untrained score is made steeper, so that slopes are on both sides of 1.
    """
    rng = np.random.default_rng(1)
    network, (expert, policy) = make(use_vail=use_vail), (draw(rng, 3) for _ in range(2))
    network = network._replace(score=Dense(np.float32(steeper) * network.score.weight, network.score.bias))
    share = np.float32([0.0, 0.25, 0.9])
    noise = rng.normal(size=(3, 128)).astype(np.float32) if use_vail else None
    score = jax.jit(lambda judged: scores(network, judged, noise)[0])
    structure = jax.tree.structure(expert)
    between = [
        share.reshape(-1, *[1] * (e.ndim - 1)) * e + (1 - share.reshape(-1, *[1] * (p.ndim - 1))) * p
        for e, p in zip(leaves(expert), leaves(policy), strict=True)
    ]

    def at(points):
        return np.array(score(jax.tree.unflatten(structure, [p.astype(np.float32) for p in points])), np.float64)

    squares, step = np.zeros(3), 1e-2
    for number, part in enumerate(between):
        for index in np.ndindex(part.shape[1:]):
            moved = []
            for sign in (1, -1):
                points = [p.copy() for p in between]
                points[number][(slice(None), *index)] += sign * step
                moved.append(at(points))
            squares += ((moved[0] - moved[1]) / (2 * step)) ** 2
    assert squares.min() < 1.0 < squares.max()
    expected = np.mean(np.maximum(np.sqrt(squares) - 1.0, 0.0) ** 2)
    np.testing.assert_allclose(gradient_penalty(network, expert, policy, share, noise), expected, rtol=5e-3)


def linear(weights):
    """A score that is a linear function of an observation and an action."""

    def through(inputs, memory, action):
        return jnp.concatenate([inputs.vector, action], axis=1), None

    score = Dense(jnp.asarray(weights, jnp.float32)[None], np.zeros(1, np.float32))
    return make(behavior(1, continuous=1))._replace(body=through, score=score)


def alike(rows, value):
    """Decisions with this observation, and 0 for an action."""
    return Judged(Inputs(np.full((rows, 1), value, np.float32), (), ()), np.zeros((rows, 1), np.float32))


@pytest.mark.parametrize(("scale", "expected"), [(0.5, 0.0), (1.0, 0.0), (3.0, 4.0)])
def test_slopes_of_up_to_1_cost_nothing_and_one_of_3_costs_4(scale, expected):
    """With a linear score w x + v a, |g|^2 = w^2 + v^2: (0.6, 0.8) is 1 long, three times that 3 long."""
    network, points = linear([0.6 * scale, 0.8 * scale]), alike(5, 0.0)
    share = np.full(5, 0.5, np.float32)
    assert float(gradient_penalty(network, points, points, share, None)) == pytest.approx(expected, abs=1e-5)


def test_a_score_that_begins_with_the_wrong_sign_turns_round():
    """Experts are at 1, the policy at -1, the score says the opposite. A penalty on slopes below 1 would hold it."""
    expert, policy, share = alike(4, 1.0), alike(4, -1.0), np.float32([0.1, 0.4, 0.6, 0.9])
    of = lambda w: loss(linear(jnp.stack([w, 0.0])), expert, policy, share, None, np.float32(0.0))[0]  # noqa: E731
    gradient, slope = jax.jit(jax.grad(of)), jnp.float32(-1.0)
    for _ in range(100):
        slope -= 0.05 * gradient(slope)
    assert 1.0 < float(slope) < 1.1  # where the penalty's 20 (w - 1) balances the gain of 2 (1 - D) at D = 0.73


def test_the_adversarial_loss_by_hand():
    """Scores are log odds: -mean log D(expert) - mean log(1 - D(policy)), D of odds 3 : 1 is 0.75."""
    network = make()
    rng = np.random.default_rng(0)
    expert, policy = draw(rng, 4), draw(rng, 4)
    (of_expert, _), (of_policy, _) = scores(network, expert, None), scores(network, policy, None)
    d_expert, d_policy = 1 / (1 + np.exp(-np.array(of_expert))), 1 / (1 + np.exp(-np.array(of_policy)))
    total, parts = loss(network, expert, policy, np.full(4, 0.5, np.float32), None, np.float32(1.0))
    expected = -np.mean(np.log(d_expert)) - np.mean(np.log(1 - d_policy))
    assert float(parts.adversarial) == pytest.approx(expected, rel=1e-5)
    assert float(parts.policy) == pytest.approx(d_policy.mean(), rel=1e-5)
    assert float(parts.expert) == pytest.approx(d_expert.mean(), rel=1e-5)
    penalty = gradient_penalty(network, expert, policy, np.full(4, 0.5, np.float32), None)
    assert float(parts.penalty) == pytest.approx(10.0 * float(penalty), rel=1e-5)
    assert float(total) == pytest.approx(expected + 10.0 * float(penalty), rel=1e-5)


def test_what_passes_the_bottleneck_by_hand():
    """KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1) / 2 - log s, for expert and policy together."""
    zeros = np.zeros((2, 3), np.float32)
    channel = Bottleneck(Dense(zeros, zeros[:, 0]), np.zeros(3, np.float32))
    assert float(information(channel, zeros, zeros)) == 0.0
    channel = channel._replace(log_std=np.log(np.float32([1.0, 2.0, 0.5])))
    expert, policy = np.float32([[1, 0, 0], [1, 2, 0]]), np.float32([[0, 0, 3], [0, 0, 1]])
    of = lambda m2, s: (m2 + s * s - 1) / 2 - np.log(s)  # noqa: E731
    expected = of(1.0, 1.0) + of(2.0, 2.0) + of(0.0, 0.5) + of(0.0, 1.0) + of(0.0, 2.0) + of(5.0, 0.5)
    assert float(information(channel, expert, policy)) == pytest.approx(expected, rel=1e-6)


def test_the_price_of_information_rises_while_too_much_passes_and_never_below_0():
    assert float(next_beta(np.float32(0.1), np.float32(2.5))) == pytest.approx(0.1 + 0.0005 * 2.0)
    assert float(next_beta(np.float32(0.1), np.float32(0.1))) == pytest.approx(0.1 - 0.0005 * 0.4)
    assert float(next_beta(np.float32(0.0001), np.float32(0.0))) == 0.0


def test_the_bottleneck_has_its_price_in_the_loss():
    network = make(use_vail=True)
    rng = np.random.default_rng(0)
    expert, policy, noise = draw(rng, 4), draw(rng, 4), rng.normal(size=(3, 4, 128)).astype(np.float32)
    share = np.full(4, 0.5, np.float32)
    free, parts = loss(network, expert, policy, share, noise, np.float32(0.0))
    priced, _ = loss(network, expert, policy, share, noise, np.float32(2.0))
    assert float(priced - free) == pytest.approx(2.0 * (float(parts.information) - 0.5), rel=1e-4)
