"""The comparison notices files that are wrong."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from mlagents.export import DEFAULT, ExportError, Profile
from mlagents.export.onnx.parity import check_parity
from mlagents.export.onnx.policy_graph import policy_graph
from mlagents.export.onnx.writer import onnx_model
from toys.policies import KINDS, seasoned_policy


@pytest.fixture
def case(make_spec, make_random_policy):
    spec = make_spec([3, 2], continuous=2, branches=(3, 4))
    policy = make_random_policy(spec)
    return policy, spec, onnx_model(policy_graph(policy, spec))


def change_constant(model, name, change):
    (tensor,) = (item for item in model.graph.initializer if item.name == name)
    tensor.CopyFrom(numpy_helper.from_array(change(numpy_helper.to_array(tensor).copy()), name))


def change_attribute(model, output, name, value):
    (node,) = (item for item in model.graph.node if item.output[0] == output)
    kept = [attribute for attribute in node.attribute if attribute.name != name]
    attributes = [*kept, onnx.helper.make_attribute(name, value)]
    node.CopyFrom(onnx.NodeProto.FromString(node.SerializeToString()))
    del node.attribute[:]
    node.attribute.extend(attributes)


def check(case):
    policy, spec, model = case
    return check_parity(model.SerializeToString(), policy, spec, DEFAULT, seed=3)


def test_a_faithful_file_passes(case):
    report = check(case)
    assert report.rows == 64
    assert report.max_error["deterministic_continuous_actions"] < 1e-6
    assert report.max_error["deterministic_discrete_actions"] == 0.0


def test_a_bias_off_by_a_little_is_found(case):
    change_constant(case[2], "head.mean.bias", lambda bias: bias + np.array([0, 1e-4], np.float32))
    with pytest.raises(ExportError, match=r"deterministic_continuous_actions .* by 3\.\d*e-05 .* column 1; 64 of"):
        check(case)


def test_exchanged_logits_are_found(case):
    change_constant(case[2], "head.logits.bias", lambda bias: bias[::-1] + np.arange(7, dtype=np.float32))
    with pytest.raises(ExportError, match=r"output deterministic_discrete_actions .* differs"):
        check(case)


def test_a_mask_that_the_samples_ignore_is_found(case):
    model = case[2]
    for branch in (0, 1):  # take probabilities for their logarithms: masked actions get 1, others more
        (sample,) = (node for node in model.graph.node if node.output[0] == f"branch.{branch}.sample")
        sample.input[0] = f"branch.{branch}.probs"
    with pytest.raises(ExportError, match=r"discrete_actions .* branch 0; expected an action that is not masked, of 3"):
        check(case)


def test_samples_out_of_range_are_found(case):
    change_attribute(case[2], "continuous_actions.clipped", "max", 300.0)
    change_constant(case[2], "std", lambda std: std + 100)
    with pytest.raises(ExportError, match=r"continuous_actions .* is .* expected values in \[-1, 1\]"):
        check(case)


def test_equally_likely_actions_may_be_chosen_either_way(case):
    """All logits 0, and the file's argmax lifted by rounding: any choice has the best probability."""
    policy, spec, _ = case
    level = eqx.tree_at(lambda p: p.head.logits, policy, jax.tree.map(lambda x: x * 0, policy.head.logits))
    model = onnx_model(policy_graph(level, spec))
    change_constant(model, "head.logits.bias", lambda bias: bias + np.arange(7, dtype=np.float32) * 1e-7)
    report = check_parity(model.SerializeToString(), level, spec, DEFAULT, seed=0)
    assert report.max_error["deterministic_discrete_actions"] == 0.0


def test_a_squashed_policy_passes_and_one_that_is_clipped_instead_is_found(make_spec, make_random_policy):
    spec = make_spec([3], continuous=2)
    policy = make_random_policy(spec, squashed=True)
    model = onnx_model(policy_graph(policy, spec))
    report = check_parity(model.SerializeToString(), policy, spec, DEFAULT, seed=3)
    assert report.max_error["deterministic_continuous_actions"] < 1e-6
    for node in model.graph.node:
        if node.op_type == "Tanh":
            node.op_type = "Identity"
    with pytest.raises(ExportError, match="deterministic_continuous_actions"):
        check_parity(model.SerializeToString(), policy, spec, DEFAULT, seed=3)


@pytest.mark.parametrize("kind", ["simple", "resnet", "memory", "entities", "goal, one layer"])
@pytest.mark.parametrize("api_version", [2, 3])
def test_every_weight_matters(kind, api_version):
    """All numbers of each weight, bias and other constant, one tensor at a time, off by a tenth."""
    spec, network = KINDS[kind]
    policy, profile = seasoned_policy(spec, **network), Profile(9, api_version)
    model = onnx_model(policy_graph(policy, spec, api_version))
    unnoticed = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor).copy()
        if values.dtype != np.float32 or tensor.name.endswith(IMMATERIAL):
            continue
        original = tensor.SerializeToString()
        values += 0.1 + 0.1 * np.abs(values)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        try:
            check_parity(model.SerializeToString(), policy, spec, profile, seed=0)
        except ExportError as error:
            assert "of the written model differs from the policy by" in str(error)  # noqa: PT017
        else:
            unnoticed.append(tensor.name)
        tensor.ParseFromString(original)
    assert not unnoticed


IMMATERIAL = (".value", "std", "penalty", "masked_logit", "least_probability", "key.bias", "padding_norm")
"""Facts; the noise; penalties, of which only the order matters; and keys' bias, which attention does not see."""


def test_a_memory_that_is_exchanged_is_found():
    """[cell, hidden] instead of [hidden, cell]: in the first step, by the memory afterwards."""
    spec, network = KINDS["memory"]
    policy = seasoned_policy(spec, **network)
    model = onnx_model(policy_graph(policy, spec))
    (after,) = (node for node in model.graph.node if node.output[0] == "body.lstm.after")
    after.input.extend(reversed([after.input.pop(), after.input.pop()][::-1]))
    with pytest.raises(ExportError, match=r"output recurrent_out .* differs .* in step 0"):
        check_parity(model.SerializeToString(), policy, spec, DEFAULT, seed=0)


def test_where_rounding_alone_makes_more_more_is_allowed():
    """Means that are differences of large numbers, which all but cancel: 1e-5 is then beyond float32."""
    spec, network = KINDS["vectors, both kinds of actions"]
    policy = seasoned_policy(spec, **network | {"normalize": False})
    weight = np.zeros_like(policy.head.mean.weight)
    weight[:, 0], weight[:, 1] = 300, -300
    policy = eqx.tree_at(lambda p: p.head.mean.weight, policy, weight)
    last = policy.body.dense.layers[-1]
    twins = np.array(last.weight)
    twins[1] = twins[0] * np.float32(1 + 1e-5)
    bias = np.array(last.bias)
    bias[1] = bias[0]
    policy = eqx.tree_at(
        lambda p: (p.body.dense.layers[-1].weight, p.body.dense.layers[-1].bias), policy, (twins, bias)
    )
    model = onnx_model(policy_graph(policy, spec))
    allowed = check_parity(model.SerializeToString(), policy, spec, DEFAULT, seed=0).allowed
    assert 1e-5 < allowed["deterministic_continuous_actions"] <= 1e-3
    change_constant(model, "head.mean.bias", lambda bias: bias + np.float32(0.1))
    with pytest.raises(ExportError, match=r"deterministic_continuous_actions .* differs"):
        check_parity(model.SerializeToString(), policy, spec, DEFAULT, seed=0)
