"""Randomness from outside, and models without what nobody asks for."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from mlagents.inference.noise import NoiseInput, NoiseSource, log_exponential, noise_as_inputs, normal
from mlagents.inference.pruning import keep_outputs


def test_noise_is_fresh_in_every_call_and_the_generators():
    def draws(rng, calls=40):
        source = NoiseSource([NoiseInput("a", 2, normal), NoiseInput("b", 3, log_exponential)])
        return [source.draw(rows, rng) for rows in [5, 7, 1, 300] * (calls // 4)]

    one, same = draws(np.random.default_rng(3)), draws(np.random.default_rng(3))
    other = draws(np.random.default_rng(4))
    for a, b, c in zip(one, same, other, strict=True):
        assert {name: x.shape[1] for name, x in a.items()} == {"a": 2, "b": 3}
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])
            assert not np.array_equal(a[name], c[name])
    numbers = np.concatenate([a["a"].ravel() for a in one])
    assert len(np.unique(numbers)) > 0.999 * numbers.size
    assert numbers.std() == pytest.approx(1, abs=0.05)


def test_another_generator_starts_anew():
    source = NoiseSource([NoiseInput("a", 2, normal)])
    first = source.draw(3, np.random.default_rng(1))["a"]
    source.draw(3, np.random.default_rng(2))
    np.testing.assert_array_equal(source.draw(3, np.random.default_rng(1))["a"], first)
    assert not source.draw(3, None)["a"].any()


@pytest.fixture
def sampler():
    """Samples from logits x by way of softmax and logarithm; two other outputs, one of them with a weight."""
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], axis=1),
        helper.make_node("Log", ["p"], ["log_p"]),
        helper.make_node("Multinomial", ["log_p"], ["sample"], dtype=TensorProto.INT64),
        helper.make_node("Mul", ["x", "weight"], ["product"]),
        helper.make_node("ArgMax", ["p"], ["best"], axis=1),
    ]
    port = helper.make_tensor_value_info
    outputs = [
        port("sample", TensorProto.INT64, ("batch", 1)),
        port("product", TensorProto.FLOAT, ("batch", 3)),
        port("best", TensorProto.INT64, ("batch", 1)),
    ]
    weight = numpy_helper.from_array(np.ones(3, np.float32), "weight")
    graph = helper.make_graph(nodes, "g", [port("x", TensorProto.FLOAT, ("batch", 3))], outputs, [weight])
    return helper.make_model(graph, ir_version=4, opset_imports=[helper.make_opsetid("", 9)])


def test_only_what_is_asked_for_stays(sampler):
    keep_outputs(sampler, ["sample"])
    assert [node.op_type for node in sampler.graph.node] == ["Softmax", "Log", "Multinomial"]
    assert [output.name for output in sampler.graph.output] == ["sample"]
    assert not sampler.graph.initializer
    onnx.checker.check_model(sampler, full_check=True)


def test_samples_from_logits_follow_the_probabilities(sampler):
    """Without softmax and logarithm, which change nothing; standard error of a probability: 0.0035."""
    keep_outputs(sampler, ["sample"])
    source = NoiseSource(noise_as_inputs(sampler))
    x = np.tile(np.log([2.0, 3.0, 5.0]), (20_000, 1)).astype(np.float32)
    feeds = source.draw(len(x), np.random.default_rng(0))
    (found,) = onnxruntime.InferenceSession(sampler.SerializeToString()).run(["sample"], {"x": x, **feeds})
    np.testing.assert_allclose(np.bincount(found[:, 0]) / len(x), [0.2, 0.3, 0.5], atol=0.018)
    sources = {node.input[0] for node in sampler.graph.node if node.op_type == "Sub"}
    assert sources == {"x"}
