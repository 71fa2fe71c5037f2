"""Whole models."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mlagents.barracuda import (
    Activation,
    BarracudaError,
    BarracudaFile,
    Evaluator,
    Input,
    Layer,
    LayerType,
    Tensor,
    read_barracuda,
)


def row(*values):
    return np.array(values, np.float32).reshape(1, 1, 1, -1)


def test_golden_example(golden_model):
    evaluator = Evaluator(golden_model, ["action", "version_number", "x"])
    results = evaluator({"x": row(1, -1), "surplus": row(1)})
    assert {name: values.tolist() for name, values in results.items()} == {
        "action": [[[[-1.5, -2.5]]]],
        "version_number": [[[[2]]]],
        "x": [[[[1, -1]]]],
    }


def test_memory_goes_in_and_comes_out(counter_model):
    """y = 2 * 3 * (2 * (x + memory) + 1)."""
    evaluator = Evaluator(counter_model, ["y", "sum_h"])
    results = evaluator({"x": row(5), "old_h": row(2)})
    assert results["sum_h"].tolist() == [[[[7]]]]
    assert results["y"].tolist() == [[[[90]]]]


def noisy(names):
    """y = x + exp(log_std) * noise; beside it a layer that nobody can evaluate."""
    layers = (
        Layer("log_std", LayerType.LOAD, tensors=(Tensor.row("log_std", np.log([2, 3])),)),
        Layer("std", LayerType.ACTIVATION, ("log_std",), activation=Activation.EXP),
        Layer("noise", LayerType.RANDOM_NORMAL, ("log_std",)),
        Layer("each", LayerType.RANDOM_NORMAL, ("x",)),
        Layer("deviation", LayerType.MUL, ("each", "std")),
        Layer("y", LayerType.ADD, ("x", "deviation")),
        Layer("strange", 77, ("x",)),
    )
    return Evaluator(BarracudaFile((Input("x", (-1, 1, 1, 2)),), ("y",), (), layers), names)


def test_noise(rng):
    """Standard error of a deviation over 10,000: 0.7 %."""
    x = np.zeros((10_000, 1, 1, 2), np.float32)
    evaluator = noisy(["y"])
    assert not evaluator({"x": x})["y"].any()
    deviation = evaluator({"x": x}, rng)["y"].std(axis=(0, 1, 2))
    np.testing.assert_allclose(deviation, [2, 3], rtol=0.035)
    assert (evaluator({"x": x}, rng)["y"] != evaluator({"x": x}, rng)["y"]).all()


def test_noise_in_the_shape_of_a_constant_is_fresh_in_every_call(rng):
    evaluator = noisy(["noise", "std"])
    first, second = (evaluator({}, rng) for _ in range(2))
    assert (first["noise"] != second["noise"]).all()
    np.testing.assert_allclose(first["std"], row(2, 3), rtol=1e-6)


def test_only_what_is_needed_has_to_be_known():
    with pytest.raises(BarracudaError, match=r"layer 'strange', unknown \(type 77\)"):
        noisy(["strange"])


def test_faults_of_the_caller(golden_model):
    with pytest.raises(BarracudaError, match="the model has no layer actions"):
        Evaluator(golden_model, ["actions"])
    evaluator = Evaluator(golden_model, ["action"])
    with pytest.raises(BarracudaError, match=r"input 'x' of shape \[-1, 1, 1, 2\] is missing; given: y"):
        evaluator({"y": row(1)})
    for wrong in (row(1, 2, 3), row(1, 2)[0]):
        with pytest.raises(BarracudaError, match=r"input 'x' has shape \[.*\]; expected \['batch', 1, 1, 2\]"):
            evaluator({"x": wrong})


def test_a_model_that_names_nothing_twice(golden_model):
    with pytest.raises(BarracudaError, match="'d' is defined a second time"):
        Evaluator(dataclasses.replace(golden_model, layers=(*golden_model.layers, golden_model.layers[1])), ["action"])


def random_feeds(file, rng, rows):
    shapes = {item.name: item.shape for item in file.inputs} | {item.input: item.shape for item in file.memories}
    feeds = {name: rng.standard_normal((rows, *shape[1:])).astype(np.float32) for name, shape in shapes.items()}
    if "action_masks" in feeds:
        allowed = rng.random(feeds["action_masks"].shape) < 0.5
        allowed[..., 0] = True
        feeds["action_masks"] = allowed.astype(np.float32)
    if "prev_action" in feeds:
        feeds["prev_action"] = rng.integers(0, 5, feeds["prev_action"].shape).astype(np.float32)
    return feeds


@pytest.mark.parametrize("name", ["Basic", "GridWorld", "Hallway"])
def test_recorded_discrete_models(shared_data, rng, name):
    """Log-probabilities of one branch; masked actions keep 1e-7."""
    file = read_barracuda(shared_data / "nn" / f"{name}.nn")
    feeds = random_feeds(file, rng, 20)
    log_probs = Evaluator(file, ["action"])(feeds)["action"]
    probabilities = np.exp(log_probs.astype(np.float64))
    np.testing.assert_allclose(probabilities.sum(axis=3), 1, atol=2e-6)
    np.testing.assert_allclose(probabilities[feeds["action_masks"] == 0], 1e-7, rtol=1e-3)
    assert probabilities[feeds["action_masks"] == 1].min() > 1e-7
    assert probabilities.std(axis=0).max() > 0.01, "the observations have no influence"


def test_recorded_memory(shared_data, rng):
    """c' = c sigma(f) + sigma(i) tanh(j) is bounded by |c| + 1; h' = sigma(o) tanh(c') by 1."""
    file = read_barracuda(shared_data / "nn" / "Hallway.nn")
    feeds = random_feeds(file, rng, 20)
    (cell_in, hidden_in) = (memory.input for memory in file.memories)
    (cell, hidden) = (memory.output for memory in file.memories)
    results = Evaluator(file, [cell, hidden, "action"])(feeds)
    assert results[cell].shape == results[hidden].shape == (20, 1, 1, 64)
    assert (np.abs(results[cell]) <= np.abs(feeds[cell_in]) + 1).all()
    assert (np.abs(results[hidden]) <= 1).all()
    forgotten = Evaluator(file, ["action"])(feeds | {cell_in: 0 * feeds[cell_in], hidden_in: 0 * feeds[hidden_in]})
    assert not np.allclose(forgotten["action"], results["action"], atol=1e-3)


def test_one_row_at_a_time_gives_the_same(shared_data, rng):
    file = read_barracuda(shared_data / "nn" / "GridWorld.nn")
    feeds = random_feeds(file, rng, 3)
    evaluator = Evaluator(file, ["action"])
    together = evaluator(feeds)["action"]
    for i in range(3):
        alone = evaluator({name: values[i : i + 1] for name, values in feeds.items()})["action"]
        np.testing.assert_allclose(alone[0], together[i], atol=1e-5)
