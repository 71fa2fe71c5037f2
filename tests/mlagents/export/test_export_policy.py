"""Exported files: like Unity's own, equal to the policy for all kinds of networks, never half written."""

from __future__ import annotations

import errno
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mlagents.export import ExportError, export_policy
from mlagents.export.parity import SQUASHED_TOLERANCE, TOLERANCE


def ports(values):
    return [
        (
            value.name,
            value.type.tensor_type.elem_type,
            [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim],
        )
        for value in values
    ]


@pytest.mark.parametrize(
    ("name", "sizes", "continuous", "branches"), [("3DBall", [8], 2, ()), ("Basic", [20], 0, (3,))]
)
def test_the_file_looks_like_unitys(
    shared_data, tmp_path, make_spec, make_random_policy, name, sizes, continuous, branches
):
    spec = make_spec(sizes, continuous, branches)
    export_policy(make_random_policy(spec, normalize=name == "3DBall"), spec, tmp_path / "ours.onnx")
    ours = onnx.load(tmp_path / "ours.onnx")
    unitys = onnx.load(shared_data / "onnx" / f"{name}.onnx")
    assert ports(ours.graph.input) == ports(unitys.graph.input)
    for (*our_port, our_shape), (*unity_port, unity_shape) in zip(
        ports(ours.graph.output), ports(unitys.graph.output), strict=True
    ):
        assert our_port == unity_port
        # Unity's file has a generated name for the batch axis of argmax outputs
        assert our_shape == ["batch" if "dim_0" in str(size) else size for size in unity_shape]
    assert ours.ir_version == unitys.ir_version
    assert [(item.domain, item.version) for item in ours.opset_import] == [("", 9)]
    assert {node.op_type for node in ours.graph.node} <= {node.op_type for node in unitys.graph.node} | {"Slice"}
    assert ours.producer_name == "mlagents"


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    continuous=st.integers(0, 3),
    branches=st.lists(st.integers(1, 5), max_size=3),
    hidden_units=st.integers(1, 40),
    num_layers=st.integers(1, 3),
    normalize=st.booleans(),
    gain=st.sampled_from([1.0, 30.0]),
    seed=st.integers(0, 2**16),
    squashed=st.booleans(),
)
def test_the_file_does_what_the_policy_does(
    tmp_path_factory,
    make_spec,
    make_random_policy,
    sizes,
    continuous,
    branches,
    hidden_units,
    num_layers,
    normalize,
    gain,
    seed,
    squashed,
):
    assume(continuous or branches)
    spec = make_spec(sizes, continuous, branches)
    policy = make_random_policy(spec, hidden_units, num_layers, normalize, seed, gain, squashed)
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    report = export_policy(policy, spec, path, seed=seed)
    onnx.checker.check_model(str(path), full_check=True)
    outputs = ["deterministic_continuous_actions"] * bool(continuous)
    outputs += ["deterministic_discrete_actions"] * bool(branches)
    assert list(report.max_error) == outputs
    assert max(report.max_error.values()) <= (SQUASHED_TOLERANCE if squashed else TOLERANCE)
    assert report.opset == 9


def test_squashed_samples_follow_the_distribution(tmp_path, make_spec, make_random_policy):
    """Before tanh they have each row's own mean and deviation."""
    spec = make_spec([3], continuous=1)
    policy = make_random_policy(spec, squashed=True)
    export_policy(policy, spec, tmp_path / "model.onnx")
    rows = 20_000
    two = np.asarray(policy.normalizer.mean) + np.array([[1.0, 0.0, -2.0], [-2.0, 1.0, 2.0]], np.float32)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(["continuous_actions"], {"obs_0": np.repeat(two, rows, axis=0).astype(np.float32)})
    expected, _ = policy((jnp.asarray(two, jnp.float32),))
    for i, sampled in enumerate(np.split(np.arctanh(np.clip(found[:, 0], -0.9999999, 0.9999999)), 2)):
        std = float(np.exp(expected.log_std[i, 0]))
        assert sampled.mean() == pytest.approx(float(expected.mean[i, 0]), abs=5 * std / rows**0.5)
        assert sampled.std() == pytest.approx(std, rel=5 / (2 * rows) ** 0.5)


def test_sampled_actions_follow_the_distribution(tmp_path, make_spec, make_random_policy):
    """The file's samples of one observation against the policy's mean, deviation and probabilities."""
    spec = make_spec([3], continuous=1, branches=(4,))
    policy = make_random_policy(spec)
    policy = eqx.tree_at(lambda p: p.head.log_std, policy, jnp.log(jnp.array([0.3])))
    export_policy(policy, spec, tmp_path / "model.onnx")
    rows = 20_000
    x = np.tile(np.asarray(policy.normalizer.mean), (rows, 1)).astype(np.float32)
    masks = np.tile(np.array([1, 0, 1, 1], np.float32), (rows, 1))
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    continuous, discrete = session.run(["continuous_actions", "discrete_actions"], {"obs_0": x, "action_masks": masks})
    expected, _ = policy((jnp.asarray(x[:1]),), jnp.asarray(masks[:1] > 0))
    # standard errors: 0.3 / sqrt(20000) = 0.0021 of the mean, 0.0015 of the deviation, 0.0035 of a probability
    assert 3 * continuous.mean() == pytest.approx(float(expected.mean[0, 0]), abs=0.011)
    assert 3 * continuous.std() == pytest.approx(0.3, abs=0.008)
    frequencies = np.bincount(discrete[:, 0], minlength=4) / rows
    np.testing.assert_allclose(frequencies, np.exp(expected.log_probs[0][0]), atol=0.018)
    assert frequencies[1] == 0


def test_the_same_policy_gives_the_same_file(tmp_path, make_spec, make_random_policy):
    spec = make_spec([3], continuous=1, branches=(4,))
    for name in ("a.onnx", "b.onnx"):
        export_policy(make_random_policy(spec), spec, tmp_path / name)
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()


def test_missing_folders_are_made(tmp_path, make_spec, make_random_policy):
    spec = make_spec([3], continuous=1)
    export_policy(make_random_policy(spec), spec, str(tmp_path / "runs" / "one" / "Behavior.onnx"))
    assert [path.name for path in (tmp_path / "runs" / "one").iterdir()] == ["Behavior.onnx"]


def test_a_policy_gone_astray_leaves_the_old_file(tmp_path, make_spec, make_random_policy):
    spec = make_spec([3], continuous=1)
    policy = make_random_policy(spec)
    path = tmp_path / "model.onnx"
    export_policy(policy, spec, path)
    before = path.read_bytes()
    astray = eqx.tree_at(lambda p: p.head.mean.bias, policy, jnp.array([jnp.nan]))
    with pytest.raises(ExportError, match=r"model\.onnx: output deterministic_continuous_actions .* by nan"):
        export_policy(astray, spec, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_the_way_is_an_os_error(tmp_path, make_spec, make_random_policy):
    spec = make_spec([3], continuous=1)
    (tmp_path / "taken.onnx").mkdir()
    with pytest.raises(OSError, match="taken") as raised:
        export_policy(make_random_policy(spec), spec, tmp_path / "taken.onnx")
    assert raised.value.errno in (errno.EISDIR, errno.EACCES, errno.EPERM)
    assert [Path(path).name for path in tmp_path.iterdir()] == ["taken.onnx"]
