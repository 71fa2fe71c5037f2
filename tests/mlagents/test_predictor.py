"""`mlagents.load`, and what it costs to import `mlagents`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import mlagents
from mlagents.inference import ModelError
from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec
from mlagents_envs.registry import default_registry

BASIC = default_registry["Basic"].pretrained


def write_hybrid(path: Path) -> None:
    """Version 3: continuous = obs_1 (2 numbers), discrete = the largest of obs_0 (3 numbers)."""
    facts = {"version_number": [3], "memory_size": [0], "continuous_action_output_shape": [2]}
    facts["discrete_action_output_shape"] = [3]
    nodes = [
        helper.make_node("Identity", ["obs_1"], ["continuous_actions"]),
        helper.make_node("ArgMax", ["obs_0"], ["discrete_actions"], axis=1, keepdims=1),
    ]
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ("b", k)) for n, k in (("obs_1", 2), ("obs_0", 3))]
    outputs = [
        helper.make_tensor_value_info("continuous_actions", TensorProto.FLOAT, ("b", 2)),
        helper.make_tensor_value_info("discrete_actions", TensorProto.INT64, ("b", 1)),
    ]
    constants = [numpy_helper.from_array(np.float32(value), name) for name, value in facts.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, constants)
    onnx.save(helper.make_model(graph, ir_version=4, opset_imports=[helper.make_opsetid("", 9)]), path)


def test_importing_mlagents_loads_nothing():
    code = (
        "import mlagents, sys; print(mlagents.__version__);"
        "assert not {'jax', 'numpy', 'onnxruntime', 'pydantic'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert result.stdout.strip() == mlagents.__version__
    with pytest.raises(AttributeError, match="no_such_name"):
        mlagents.no_such_name  # noqa: B018


def test_basic_walks_to_the_right():
    model = mlagents.load(BASIC)
    assert model.behavior_spec.action_spec == ActionSpec(0, (3,))
    assert [spec.shape for spec in model.behavior_spec.observation_specs] == [(20,)]
    start = np.eye(20, dtype=np.float32)[10]
    assert model.predict(start).tolist() == [2]
    assert model.predict([start]).tolist() == [2]
    assert model.predict(np.tile(start, (4, 1))).tolist() == [[2]] * 4
    assert model.predict(start, [[False, False, True]]).tolist() != [2]
    assert "Basic.onnx" in repr(model)
    assert "(20,)" in repr(model)


def test_samples_differ_and_are_the_seeds():
    def samples(seed):
        model = mlagents.load(default_registry["GridWorld"].pretrained, seed=seed)
        (shape,) = [spec.shape for spec in model.behavior_spec.observation_specs]
        return model.predict(np.zeros((200, *shape)), deterministic=False)[:, 0].tolist()

    assert len(set(samples(1))) > 1
    assert samples(1) == samples(1) != samples(2)


def test_both_kinds_of_actions_and_several_observations(tmp_path):
    write_hybrid(tmp_path / "Both.onnx")
    model = mlagents.load(tmp_path / "Both.onnx")
    assert [spec.name for spec in model.behavior_spec.observation_specs] == ["obs_0", "obs_1"]
    actions = model.predict([[0, 5, 1], [0.25, -0.5]])
    assert isinstance(actions, ActionTuple)
    assert actions.continuous.tolist() == [[0.25, -0.5]]
    assert actions.discrete.tolist() == [[1]]
    with pytest.raises(ValueError, match=r"\['obs_0', 'obs_1'\] of shapes \[\(3,\), \(2,\)\].*got \[\(3,\), \(3,\)\]"):
        model.predict([[0, 5, 1], [0, 0, 0]])


def test_runs_and_folders(tmp_path, monkeypatch):
    folder = tmp_path / "results" / "first"
    folder.mkdir(parents=True)
    write_hybrid(folder / "Both.onnx")
    monkeypatch.chdir(tmp_path)
    assert mlagents.load("first").path == Path("results/first/Both.onnx")
    assert mlagents.load(folder, "Both").path == folder / "Both.onnx"
    write_hybrid(folder / "a%2Fb.onnx")
    assert mlagents.load("first", "a/b").path.name == "a%2Fb.onnx"
    for arguments, message in (
        (["first"], "models of Both, a%2Fb; a behavior was not named"),
        (["first", "Walk"], "none of the behavior 'Walk'"),
        (["second"], "no model or run 'second'; looked for second, models/second, results/second"),
        (["first/Walk.onnx"], "No such file"),
    ):
        with pytest.raises(ModelError, match=message):
            mlagents.load(*arguments)


def test_a_spec_that_does_not_fit_is_refused():
    with pytest.raises(ModelError, match="the behavior has"):
        mlagents.load(BASIC, behavior_spec=BehaviorSpec([], ActionSpec(2, ())))
