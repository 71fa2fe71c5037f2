"""The graph of a policy, and what it computes for a network small enough for pencil and paper."""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest

from mlagents.export import ExportError
from mlagents.export.onnx import onnx_model
from mlagents.export.policy_graph import policy_graph
from mlagents.nn.layers import Dense
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)


def run(policy, spec, **feeds):
    session = onnxruntime.InferenceSession(onnx_model(policy_graph(policy, spec)).SerializeToString())
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feeds), strict=True))


def column(*values):
    return np.array(values, np.float32)[:, None]


def dense(weight, bias):
    return Dense(jnp.array(weight, jnp.float32), jnp.array(bias, jnp.float32))


def tiny_policy(make_random_policy, spec):
    """One observation x, one hidden unit h = swish(2x); continuous mean 3h + 1; logits h, 0, -h."""
    policy = make_random_policy(spec, hidden_units=1, num_layers=1, normalize=False)
    mean, logits = policy.head.mean, policy.head.logits
    layers = (
        (dense([[2]], [0]),),
        dense([[3]], [1]) if mean.bias.size else mean,
        (dense([[1], [0], [-1]], [0, 0, 0]),) if logits else (),
    )
    return eqx.tree_at(lambda p: (p.body.dense.layers, p.head.mean, p.head.logits), policy, layers)


def test_continuous_actions_by_hand(make_spec, make_random_policy):
    spec = make_spec([1], continuous=1)
    results = run(tiny_policy(make_random_policy, spec), spec, obs_0=column(1.0, 0.0, -1.0))
    # x = 1:  h = 2 sigmoid(2) = 1.761594,  mean 6.284782, clipped to 3, divided by 3
    # x = 0:  h = 0, mean 1
    # x = -1: h = -2 sigmoid(-2) = -0.238406, mean 0.284782
    expected = column(1.0, 1.0 / 3.0, 0.0949274)
    np.testing.assert_allclose(results["deterministic_continuous_actions"], expected, atol=1e-6)
    assert results["version_number"].tolist() == [3.0]
    assert results["memory_size"].tolist() == [0.0]
    assert results["continuous_action_output_shape"].tolist() == [1.0]


def test_squashed_actions_by_hand(make_spec, make_random_policy):
    spec = make_spec([1], continuous=1)
    policy = make_random_policy(spec, hidden_units=1, num_layers=1, normalize=False, squashed=True)
    layers = (dense([[2]], [0]),), dense([[3]], [1])
    policy = eqx.tree_at(lambda p: (p.body.dense.layers, p.head.mean), policy, layers)
    found = run(policy, spec, obs_0=column(1.0, 0.0, -1.0))["deterministic_continuous_actions"]
    # means as above: 6.284782, 1, 0.284782
    np.testing.assert_allclose(found, column(0.999993, 0.761594, 0.277326), atol=1e-6)


def test_masked_discrete_actions_by_hand(make_spec, make_random_policy):
    spec = make_spec([1], branches=(3,))
    policy = tiny_policy(make_random_policy, spec)
    # logits for x = 1: 1.76, 0, -1.76; for x = -1: -0.24, 0, 0.24
    masks = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 1], [1, 1, 0]], np.float32)
    results = run(policy, spec, obs_0=column(1, 1, 1, -1, -1), action_masks=masks)
    assert results["deterministic_discrete_actions"].tolist() == [[0], [1], [2], [2], [1]]
    assert results["discrete_actions"][2].tolist() == [2]
    assert results["discrete_action_output_shape"].tolist() == [[3.0]]


def test_normaliser_is_inside(make_spec, make_random_policy):
    """mean 10, variance 4 (m2 8 over count 2): x = 12 is 1, x = 100 is clipped to 5."""
    spec = make_spec([1], continuous=1)
    plain = tiny_policy(make_random_policy, spec)
    normalized = make_random_policy(spec, hidden_units=1, num_layers=1)
    statistics = eqx.tree_at(
        lambda n: (n.mean, n.m2, n.count),
        normalized.normalizer,
        (jnp.array([10.0]), jnp.array([8.0]), jnp.array(2.0)),
    )
    small = eqx.tree_at(lambda p: p.head.mean.weight, plain, jnp.array([[0.1]]))
    policy = type(plain)(statistics, small.body, small.head)
    found = run(policy, spec, obs_0=column(12.0, 100.0))["deterministic_continuous_actions"]
    expected = run(small, spec, obs_0=column(1.0, 5.0))["deterministic_continuous_actions"]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_ports_are_in_the_order_unity_reads_them(make_spec, make_random_policy):
    spec = make_spec([2, 3], continuous=2, branches=(3, 4))
    graph = policy_graph(make_random_policy(spec), spec)
    assert [(port.name, port.shape, port.dtype) for port in graph.inputs] == [
        ("obs_0", (None, 2), "float32"),
        ("obs_1", (None, 3), "float32"),
        ("action_masks", (None, 7), "float32"),
    ]
    assert [(port.name, port.shape, port.dtype) for port in graph.outputs] == [
        ("version_number", (1,), "float32"),
        ("memory_size", (1,), "float32"),
        ("continuous_actions", (None, 2), "float32"),
        ("continuous_action_output_shape", (1,), "float32"),
        ("deterministic_continuous_actions", (None, 2), "float32"),
        ("discrete_actions", (None, 2), "int64"),
        ("discrete_action_output_shape", (1, 2), "float32"),
        ("deterministic_discrete_actions", (None, 2), "int64"),
    ]


def test_every_name_is_made_before_it_is_used(make_spec, make_random_policy):
    spec = make_spec([2, 3], continuous=2, branches=(3, 4))
    graph = policy_graph(make_random_policy(spec), spec)
    known = {port.name for port in graph.inputs} | graph.constants.keys()
    for operation in graph.operations:
        fields = {name: value for name, value in vars(operation).items() if name not in ("output", "kind", "after")}
        used = fields.pop("inputs", ()) + tuple(x for x in fields.values() if isinstance(x, str))
        assert used
        assert known.issuperset(used)
        assert operation.output not in known
        known |= {operation.output, getattr(operation, "after", operation.output)}
    assert known.issuperset(port.name for port in graph.outputs)


def test_a_policy_of_another_behavior_is_refused(make_spec, make_random_policy):
    policy = make_random_policy(make_spec([2], continuous=1))
    with pytest.raises(ExportError, match=r"are \(\(2,\), 0, 0, 1, \(\)\) in the policy and \(\(2,\), 0, 0, 0, \(3,\)\)"):
        policy_graph(policy, BehaviorSpec(make_spec([2]).observation_specs, ActionSpec(0, (3,))))
