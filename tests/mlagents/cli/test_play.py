"""`mlagents play`."""

from __future__ import annotations

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper, save

from mlagents.cli.main import main


def write_model(path, version=3, width=2):
    """A model for the behavior Walker: its observation is its action."""
    facts = {"version_number": version, "memory_size": 0, "continuous_action_output_shape": width}
    graph = helper.make_graph(
        [helper.make_node("Identity", ["obs_0"], ["continuous_actions"])],
        "walker",
        [helper.make_tensor_value_info("obs_0", TensorProto.FLOAT, ("batch", width))],
        [helper.make_tensor_value_info("continuous_actions", TensorProto.FLOAT, ("batch", width))],
        [numpy_helper.from_array(np.array([value], np.float32), name) for name, value in facts.items()],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    save(helper.make_model(graph, ir_version=4, opset_imports=[helper.make_opsetid("", 9)]), path)


def test_a_table_for_programs(entry, capsys):
    """Episodes of 4 decisions at 0.5 each and 0.5 at the end."""
    assert main(["play", "TwoBehaviors", "--model", "random", "--episodes", "3", "--num-areas", "2"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "behavior\tmean reward\tstd\tepisodes\tmean length\tbenchmark",
        "Walker?team=0\t2.500\t0.000\t3\t4.0\t2.5",
        "Chooser?team=1\t2.500\t0.000\t3\t4.0\t2.5",
    ]
    assert entry.arguments == {"seed": 0, "num_areas": 2}
    assert entry.made.closed


def test_json(entry, capsys):
    arguments = ["--model", "random", "--episodes", "2", "--seed", "5", "--json", "--deterministic"]
    assert main(["play", "TwoBehaviors", *arguments]) == 0
    report = json.loads(capsys.readouterr().out)
    behavior = {"mean": 2.5, "std": 0.0, "episodes": 2, "mean_length": 4.0, "group_mean": 0.0}
    assert report == {
        "environment": "TwoBehaviors",
        "deterministic": True,
        "seed": 5,
        "interrupted": False,
        "benchmark": 2.5,
        "behaviors": {"Walker?team=0": behavior, "Chooser?team=1": behavior},
    }
    assert entry.arguments["seed"] == 5


def test_ctrl_c_prints_what_was_played(entry, capsys):
    entry.steps_until_interrupt = 9
    assert main(["play", "TwoBehaviors", "--model", "random"]) == 130
    captured = capsys.readouterr()
    assert captured.out.splitlines()[1] == "Walker?team=0\t2.500\t0.000\t2\t4.0\t2.5"
    assert captured.err.startswith("interrupted")
    assert entry.made.closed


def test_ctrl_c_before_the_first_end(entry, capsys):
    entry.steps_until_interrupt = 2
    assert main(["play", "TwoBehaviors", "--model", "random"]) == 130
    assert capsys.readouterr().out == "no episode has ended\n"


def refused(capsys, *arguments, exit_code=2):
    assert main(["play", "TwoBehaviors", *arguments]) == exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


def test_no_model(entry, capsys):
    assert refused(capsys) == ("error: no trained model comes with TwoBehaviors; give --model FILE, RUN or random\n")
    assert entry.made.closed


def test_one_file_for_two_behaviors(entry, capsys):
    message = refused(capsys, "--model", "Walker.onnx")
    assert "Walker.onnx is one model, but TwoBehaviors has behaviors Chooser, Walker; give a run" in message
    assert "a folder with Chooser.onnx, Walker.onnx" in message


def test_no_such_run(entry, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = refused(capsys, "--model", "first")
    assert message.startswith("error: there is no model or run 'first'; looked for the folders first, models")


@pytest.mark.parametrize("base", ["models", "results", "."])
def test_a_run_lacks_a_behavior(entry, capsys, tmp_path, monkeypatch, base):
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / base / "first" / "Walker.onnx")
    message = refused(capsys, "--model", "first")
    assert "expected Chooser.onnx in the folder" in message
    assert "found Walker.onnx" in message


def test_the_models_of_a_run(entry, capsys, tmp_path, monkeypatch):
    """Each behavior gets the file of its own name: here the second one does not fit."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "models" / "first" / "Walker.onnx")
    write_model(tmp_path / "models" / "first" / "Chooser.onnx")
    message = refused(capsys, "--model", "first", exit_code=1)
    assert message.startswith("error: behavior 'Chooser?team=1': ")
    assert "Chooser.onnx: the model has 2 continuous actions, the behavior has 0" in message


def test_a_file(shared_data, capsys):
    path = str(shared_data / "onnx" / "Basic.onnx")
    assert main(["play", "Basic", "--model", path, "--episodes", "5", "--json"]) == 0
    (behavior,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    assert behavior["mean"] == pytest.approx(0.93)


def test_a_file_of_2020(shared_data, capsys):
    path = str(shared_data / "nn" / "Basic.nn")
    assert main(["play", "Basic", "--model", path, "--episodes", "5", "--json"]) == 0
    (behavior,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    assert behavior["mean"] == pytest.approx(0.93)


def test_of_two_formats_onnx_is_taken(entry, capsys, tmp_path):
    """Chooser.nn is read where there is no Chooser.onnx; both are no models, as the messages say."""
    write_model(tmp_path / "Walker.onnx")
    for name in ("Walker.nn", "Chooser.nn"):
        (tmp_path / name).write_bytes(b"")
    message = refused(capsys, "--model", str(tmp_path), exit_code=1)
    assert "Chooser.nn: the file ends at byte 0" in message
    (tmp_path / "Chooser.onnx").write_bytes(b"")
    message = refused(capsys, "--model", str(tmp_path), exit_code=1)
    assert "Chooser.onnx: this is not an ONNX model" in message


def test_an_environment_of_another_library(capsys):
    pytest.importorskip("gymnasium")
    assert main(["play", "gym:CartPole-v1", "--model", "random", "--episodes", "3", "--num-areas", "2", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["environment"] == "gym:CartPole-v1"
    behavior = report["behaviors"]["CartPole?team=0"]
    assert behavior["mean"] == behavior["mean_length"] >= 8  # a reward of 1 for every step
    assert main(["play", "gym:CartPole-v1"]) == 2
    assert "no trained model comes with gym:CartPole-v1; give --model" in capsys.readouterr().err
    assert main(["play", "gym:CartPol-v1", "--model", "random"]) == 1
    assert "CartPole" in capsys.readouterr().err


@pytest.mark.parametrize(("option", "value"), [("--episodes", "0"), ("--episodes", "many"), ("--seed", "-1")])
def test_numbers_are_checked(capsys, option, value):
    with pytest.raises(SystemExit) as raised:
        main(["play", "Basic", option, value])
    assert raised.value.code == 2
    assert f"argument {option}: expected" in capsys.readouterr().err


def test_programs_that_run_elsewhere_cannot_be_seen(entry, capsys, tmp_path) -> None:
    assert main(["play", "TwoBehaviors", "--model", "random", "--screenshot", str(tmp_path / "picture.png")]) == 2
    assert "TwoBehaviors runs outside of this toolkit, which cannot see it" in capsys.readouterr().err
    assert entry.made.closed
