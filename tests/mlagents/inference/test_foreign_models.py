"""Models as other programs write them: weights beside the file, made for one agent, older operator sets."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from mlagents.inference import ModelError, OnnxModel
from mlagents.inference.widths import Widths


@pytest.fixture
def make_linear(make_model, make_facts):
    """Version 3: action = 2 obs_0 + [1, 2, 3]; the inputs' first axis is `batch`."""

    def make(batch="batch", nodes=None, **constants):
        nodes = nodes or [("Mul", ["obs_0", "two"], "twice", {}), ("Add", ["twice", "bias"], "continuous_actions", {})]
        values = make_facts(version_number=3, memory_size=0, continuous_action_output_shape=3, two=2, bias=[1, 2, 3])
        return make_model(nodes, {"obs_0": (batch, 3)}, {"continuous_actions": (batch, 3)}, values | constants)

    return make


def acted(path, make_spec, make_steps, rows):
    model = OnnxModel(path, make_spec([(3,)], 3))
    return model.act(make_steps([rows]), True, np.random.default_rng(0)).continuous.tolist()


ROWS = [[1, 1, 1], [2, 0, 0], [0, 0, 5]]
ANSWERS = [[3, 4, 5], [5, 2, 3], [1, 2, 13]]


def test_weights_in_a_file_beside_the_model(make_linear, make_spec, make_steps, tmp_path):
    model = onnx.load(make_linear())
    onnx.save_model(
        model, tmp_path / "split.onnx", save_as_external_data=True, location="split.onnx.data", size_threshold=0
    )
    assert (tmp_path / "split.onnx.data").is_file()
    assert acted(tmp_path / "split.onnx", make_spec, make_steps, ROWS) == ANSWERS
    (tmp_path / "split.onnx.data").unlink()
    with pytest.raises(
        ModelError, match=r"split\.onnx: the model keeps its weights in another file.*split\.onnx\.data"
    ):
        OnnxModel(tmp_path / "split.onnx", make_spec([(3,)], 3))


def test_weights_outside_of_the_folder_are_not_read(make_linear, make_spec, tmp_path):
    model = onnx.load(make_linear())
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, location="../secret")
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
    (tmp_path / "inner").mkdir()
    (tmp_path / "secret").write_bytes(bytes(100))
    (tmp_path / "inner" / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="in another file, which cannot be read"):
        OnnxModel(tmp_path / "inner" / "model.onnx", make_spec([(3,)], 3))


def test_a_model_for_one_agent_is_run_agent_by_agent(make_linear, make_spec, make_steps):
    assert acted(make_linear(batch=1), make_spec, make_steps, ROWS) == ANSWERS


def test_so_is_one_that_hides_it_in_its_graph(make_linear, make_spec, make_steps, capfd):
    nodes = [
        ("Reshape", ["obs_0", "one_row"], "row", {}),
        ("Mul", ["row", "two"], "twice", {}),
        ("Add", ["twice", "bias"], "continuous_actions", {}),
    ]
    path = make_linear(nodes=nodes, one_row=np.array([1, 3], np.int64))
    assert acted(path, make_spec, make_steps, ROWS) == ANSWERS
    assert capfd.readouterr().err == ""


def test_samples_of_a_model_for_one_agent_differ_between_agents(make_linear, make_spec, make_steps, rng):
    nodes = [
        ("RandomNormalLike", ["obs_0"], "noise", {"dtype": 1}),
        ("Add", ["obs_0", "noise"], "continuous_actions", {}),
    ]
    model = OnnxModel(make_linear(batch=1, nodes=nodes), make_spec([(3,)], 3))
    noise = model.act(make_steps([np.zeros((2000, 3))]), False, rng).continuous
    assert len(np.unique(noise)) > 5900
    assert noise.std() == pytest.approx(1, abs=0.05)


def test_a_model_for_four_agents_is_refused(make_linear, make_spec):
    with pytest.raises(ModelError, match="input obs_0 is for exactly 4 agents at once"):
        OnnxModel(make_linear(batch=4), make_spec([(3,)], 3))


def test_a_model_that_runs_for_nobody_is_refused_in_one_sentence(make_linear, make_spec):
    nodes = [("Reshape", ["obs_0", "five"], "row", {}), ("Identity", ["row"], "continuous_actions", {})]
    with pytest.raises(ModelError, match=r"model\.onnx: the model cannot be run for 1 agents: .*") as caught:
        OnnxModel(make_linear(nodes=nodes, five=np.array([1, 5], np.int64)), make_spec([(3,)], 3))
    assert "\n" not in str(caught.value)


def test_an_output_of_another_width_is_refused(make_linear, make_spec):
    nodes = [("Concat", ["obs_0", "obs_0"], "continuous_actions", {"axis": 1})]
    with pytest.raises(ModelError, match=r"continuous_actions has shape \[1, 6\] for 1 agents; expected 3 numbers"):
        OnnxModel(make_linear(nodes=nodes), make_spec([(3,)], 3))


@pytest.mark.parametrize("with_bias", [True, False])
def test_noise_behind_an_axis_that_older_operator_sets_do_not_know(
    make_model, make_facts, make_spec, make_steps, rng, with_bias
):
    """Opset 9: Concat along axis -1, which shape inference gives up on, then Gemm, then noise of the action's shape."""
    weights = {"w": np.eye(2, 4, dtype=np.float32), "b": np.float32([10, 20])}
    mean = [("Concat", ["obs_0", "obs_1"], "joined", {"axis": -1})]
    inputs = ["joined", "w", "b"] if with_bias else ["joined", "w", "zero"]
    mean += [("Gemm", inputs, "mean", {"transB": 1}), ("Tanh", ["mean"], "squashed", {})]
    nodes = [
        *mean,
        ("RandomNormalLike", ["squashed"], "noise", {"dtype": 1}),
        ("Add", ["mean", "noise"], "continuous_actions", {}),
    ]
    path = make_model(
        nodes,
        {"obs_0": ("batch", 2), "obs_1": ("batch", 2)},
        {"continuous_actions": ("batch", "unknown")},
        make_facts(version_number=3, memory_size=0, continuous_action_output_shape=2, zero=0) | weights,
    )
    model = OnnxModel(path, make_spec([(2,), (2,)], 2))
    steps = make_steps([np.tile([[1.0, 2.0]], (2000, 1)), np.zeros((2000, 2))])
    expected = [11, 22] if with_bias else [1, 2]
    assert model.act(steps, True, rng).continuous[0].tolist() == expected
    noise = model.act(steps, False, rng).continuous - expected
    assert noise.std() == pytest.approx(1, abs=0.08)
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.1


def test_widths_of_tensors_whose_shape_is_not_known():
    nodes = [
        helper.make_node("Concat", ["x", "x"], ["c"], axis=-1),
        helper.make_node("MatMul", ["c", "w"], ["m"]),
        helper.make_node("Add", ["m", "one"], ["a"]),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Gemm", ["c", "w"], ["g"]),
        helper.make_node("Mystery", ["r"], ["y"]),
    ]
    constants = [numpy_helper.from_array(np.zeros((4, 7), np.float32), "w")]
    constants.append(numpy_helper.from_array(np.float32(1), "one"))
    widths = Widths(helper.make_graph(nodes, "g", [], [], constants))
    found = {name: widths.of(name) for name in ("w", "one", "c", "m", "a", "r", "g", "y", "nowhere")}
    assert found == {"w": 7, "one": 1, "c": None, "m": 7, "a": 7, "r": 7, "g": 7, "y": None, "nowhere": None}


@pytest.fixture
def make_branches(make_model, make_facts):
    """Version 2, branches of 3 and 2: `action` has all log-probabilities, `discrete_actions` has `other` of them."""

    def make(other=2, width=5):
        nodes = [
            ("Slice", ["vector_observation"], "action", {"axes": [1], "starts": [0], "ends": [width]}),
            ("Slice", ["vector_observation"], "discrete_actions", {"axes": [1], "starts": [0], "ends": [other]}),
        ]
        facts = make_facts(version_number=2, memory_size=0, is_continuous_control=0, action_output_shape=5)
        outputs = {"action": ("batch", width), "discrete_actions": ("batch", other)}
        return make_model(nodes, {"vector_observation": ("batch", 6)}, outputs, facts)

    return make


def test_several_branches_of_version_2_are_in_action(make_branches, make_spec, make_steps, rng):
    model = OnnxModel(make_branches(), make_spec([(6,)], 0, (3, 2)))
    x = [[1, 3, 2, 5, 4, 0], [9, 8, 7, 1, 2, 0]]
    assert model.act(make_steps([x]), True, rng).discrete.tolist() == [[1, 0], [0, 1]]


def test_its_width_is_checked(make_branches, make_spec):
    with pytest.raises(ModelError, match=r"the output action has shape \[1, 4\] for 1 agents; expected 5 numbers"):
        OnnxModel(make_branches(width=4), make_spec([(6,)], 0, (3, 2)))
