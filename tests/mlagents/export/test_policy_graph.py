"""The graph of a policy, and what it computes for a network small enough for pencil and paper."""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import onnxruntime
import pytest

from mlagents.export import ExportError
from mlagents.export.onnx.policy_graph import policy_graph
from mlagents.export.onnx.writer import onnx_model
from mlagents.nn.layers import Dense
from mlagents_envs.base_env import ActionSpec, BehaviorSpec
from toys.policies import KINDS, MEMORY, behavior, seasoned_policy, sensor


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


def ports(graph):
    """Name -> shape of inputs and of outputs, in their order."""
    return tuple([(port.name, port.shape) for port in group] for group in (graph.inputs, graph.outputs))


EVERYTHING = behavior(
    sensor(2, name="position"), sensor(3, 5, 7), sensor(4, 6), sensor(3), sensor(1, 8, 6), branches=(2,)
)


def test_version_3_has_an_input_for_every_sensor():
    graph = policy_graph(seasoned_policy(EVERYTHING, vis_encode_type="match3", **MEMORY), EVERYTHING, 3)
    assert ports(graph) == (
        [
            ("obs_0", (None, 2)),
            ("obs_1", (None, 3, 5, 7)),
            ("obs_2", (None, 4, 6)),
            ("obs_3", (None, 3)),
            ("obs_4", (None, 1, 8, 6)),
            ("action_masks", (None, 2)),
            ("recurrent_in", (None, 1, 8)),
        ],
        [
            ("version_number", (1,)),
            ("memory_size", (1,)),
            ("discrete_actions", (None, 1)),
            ("discrete_action_output_shape", (1, 1)),
            ("deterministic_discrete_actions", (None, 1)),
            ("recurrent_out", (None, 1, 8)),
        ],
    )
    assert graph.constants["memory_size"].tolist() == [8]


def test_version_2_joins_vectors_and_counts_images():
    graph = policy_graph(seasoned_policy(EVERYTHING, vis_encode_type="match3", **MEMORY), EVERYTHING, 2)
    assert ports(graph) == (
        [
            ("vector_observation", (None, 5)),
            ("visual_observation_0", (None, 3, 5, 7)),
            ("visual_observation_1", (None, 1, 8, 6)),
            ("obs_2", (None, 4, 6)),
            ("action_masks", (None, 2)),
            ("recurrent_in", (None, 1, 8)),
        ],
        [
            ("action", (None, 2)),
            ("discrete_actions", (None, 2)),
            ("version_number", (1,)),
            ("memory_size", (1,)),
            ("is_continuous_control", (1,)),
            ("action_output_shape", (1,)),
            ("discrete_action_output_shape", (1, 1)),
            ("recurrent_out", (None, 1, 8)),
        ],
    )
    facts = {name: graph.constants[name].ravel().tolist() for name in ("is_continuous_control", "action_output_shape")}
    assert facts == {"is_continuous_control": [0], "action_output_shape": [2]}


def test_version_2_with_both_kinds_of_actions_leaves_out_the_older_outputs(make_spec, make_random_policy):
    spec = make_spec([2], continuous=2, branches=(3, 4))
    _, outputs = ports(policy_graph(make_random_policy(spec), spec, 2))
    assert outputs == [
        ("continuous_actions", (None, 2)),
        ("discrete_actions", (None, 7)),
        ("version_number", (1,)),
        ("memory_size", (1,)),
        ("continuous_action_output_shape", (1,)),
        ("discrete_action_output_shape", (1, 2)),
    ]


def test_log_probabilities_by_hand(make_spec, make_random_policy):
    """Version 2, logits 1.761594, 0, -1.761594 at x = 1, whose exponentials are 5.8217, 1, 0.17177."""
    spec = make_spec([1], branches=(3,))
    policy = tiny_policy(make_random_policy, spec)
    model = onnx_model(policy_graph(policy, spec, 2)).SerializeToString()
    masks = np.array([[1, 1, 1], [0, 1, 1]], np.float32)
    session = onnxruntime.InferenceSession(model)
    (found,) = session.run(["action"], {"vector_observation": column(1, 1), "action_masks": masks})
    np.testing.assert_allclose(np.exp(found), [[0.83245, 0.14299, 0.02456], [0, 0.85341, 0.14659]], atol=1e-5)
    assert np.isfinite(found).all()


def test_one_step_of_memory_by_hand():
    """One cell, all weights 0 and biases 0: gates 1/2, candidate 0, so c' = c / 2 and h' = tanh(c / 2) / 2."""
    spec = behavior((1,), continuous=1)
    network = {"memory": {"memory_size": 2, "sequence_length": 4}, "hidden_units": 1, "num_layers": 1}
    policy = seasoned_policy(spec, **network)
    zeros = jax.tree.map(np.zeros_like, policy.body.lstm)
    policy = eqx.tree_at(lambda p: p.body.lstm, policy, zeros)
    memory = np.array([[[0.3, 1.0]], [[-0.2, -4.0]]], np.float32)  # h, c
    after = run(policy, spec, obs_0=column(1, 2), recurrent_in=memory)["recurrent_out"]
    np.testing.assert_allclose(after, [[[0.231059, 0.5]], [[-0.482014, -2.0]]], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("api_version", [2, 3])
def test_every_name_is_made_before_it_is_used(kind, api_version):
    spec, network = KINDS[kind]
    graph = policy_graph(seasoned_policy(spec, **network), spec, api_version)
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
    message = r"are \(\(2,\), 0, 0, 1, \(\)\) in the policy and \(\(2,\), 0, 0, 0, \(3,\)\) in the behavior"
    with pytest.raises(ExportError, match=message):
        policy_graph(policy, BehaviorSpec(make_spec([2]).observation_specs, ActionSpec(0, (3,))))
