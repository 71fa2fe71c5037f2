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
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mlagents.export import PROFILES, ExportError, Profile, export_policy
from mlagents.export.parity.report import SQUASHED_TOLERANCE, TOLERANCE
from toys.policies import KINDS, MEMORY, behavior, seasoned_policy, sensor


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


SENSORS = st.one_of(
    st.tuples(st.integers(1, 4)),
    st.tuples(st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.integers(1, 2), st.integers(5, 8), st.integers(5, 7)),
)
NETWORKS = st.fixed_dictionaries(
    {
        "hidden_units": st.integers(1, 20),
        "num_layers": st.integers(1, 3),
        "normalize": st.booleans(),
        "vis_encode_type": st.sampled_from(["match3", "fully_connected"]),
        "memory": st.sampled_from([None, {"memory_size": 6, "sequence_length": 4}]),
        "goal_conditioning_type": st.sampled_from(["hyper", "none"]),
        "squashed": st.booleans(),
        "gain": st.sampled_from([1.0, 30.0]),
        "seed": st.integers(0, 2**16),
    }
)


ROUNDED = {
    "hidden_units": 13,
    "num_layers": 1,
    "normalize": False,
    "vis_encode_type": "match3",
    "memory": None,
    "goal_conditioning_type": "hyper",
    "squashed": False,
    "gain": 30.0,
    "seed": 0,
}
"""Large weights, so that rounding alone makes 1 to 2 parts in 100,000."""


@settings(max_examples=8, deadline=None)
@example(
    shapes=[(1,), (1, 5, 6)], goals=[False, True, False], continuous=2, branches=[1], network=ROUNDED, api_version=2
)
@given(
    shapes=st.lists(SENSORS, min_size=1, max_size=3),
    goals=st.lists(st.booleans(), min_size=3, max_size=3),
    continuous=st.integers(0, 3),
    branches=st.lists(st.integers(1, 5), max_size=3),
    network=NETWORKS,
    api_version=st.sampled_from([2, 3]),
)
def test_the_file_does_what_the_policy_does(
    tmp_path_factory, shapes, goals, continuous, branches, network, api_version
):
    """Any network for any behavior, in every operator set."""
    assume(continuous or branches)
    sensors = [sensor(*x, goal=goal and len(x) != 2) for x, goal in zip(shapes, goals, strict=False)]
    spec = behavior(*sensors, continuous=continuous, branches=branches)
    policy = seasoned_policy(spec, **network)
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    for opset in (9, 11, 13, 15, 18):
        report = export_policy(policy, spec, path, profile=Profile(opset, api_version), seed=network["seed"])
        onnx.checker.check_model(str(path), full_check=True)
        assert onnx.load(path).opset_import[0].version == report.opset == opset
        prefix = "deterministic_" if api_version == 3 else ""
        outputs = {f"{prefix}continuous_actions"} if continuous else set()
        outputs |= {f"{prefix}discrete_actions", "discrete_actions"} if branches else set()
        assert set(report.max_error) == outputs | ({"recurrent_out"} if network["memory"] else set())
        usual = SQUASHED_TOLERANCE if network["squashed"] else TOLERANCE
        assert max(report.max_error.values()) <= (usual if network["gain"] == 1.0 else 3 * usual)
        assert report.steps == (4 if network["memory"] else 1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_in_the_oldest_and_newest_form(tmp_path, kind):
    spec, network = KINDS[kind]
    policy = seasoned_policy(spec, **network)
    for profile in (Profile(9, 2), Profile(9, 3), Profile(18, 3)):
        report = export_policy(policy, spec, tmp_path / "model.onnx", profile=profile)
        assert all(0 <= error <= report.allowed[name] for name, error in report.max_error.items())


@pytest.mark.parametrize("name", PROFILES)
def test_profiles(tmp_path, make_spec, make_random_policy, name):
    """Sets as the packages' manuals give them; one file, with the batch axis open."""
    spec = make_spec([3], continuous=1)
    export_policy(make_random_policy(spec), spec, tmp_path / "model.onnx", profile=PROFILES[name])
    model = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    opset, version = {"barracuda1": (9, 2), "sentis1": (15, 3), "inference2": (15, 3)}.get(name, (9, 3))
    assert model.opset_import[0].version == opset
    assert model.ir_version == {9: 4, 15: 8}[opset]
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    assert session.run(["version_number"], {session.get_inputs()[0].name: np.zeros((5, 3), np.float32)})[0] == version


def test_a_critics_memory_stays_at_home(tmp_path, make_spec):
    spec = make_spec([3], continuous=1)
    policy = seasoned_policy(spec, **MEMORY)
    with_critic = eqx.tree_at(lambda p: p.critic_body, policy, policy.body, is_leaf=lambda x: x is None)
    assert with_critic.memory_size == 2 * policy.memory_size
    for name, one in (("a", policy), ("b", with_critic)):
        export_policy(one, spec, tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


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
