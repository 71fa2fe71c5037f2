"""Policies as .nn models, run by our reader and evaluator."""

from __future__ import annotations

import equinox as eqx
import jax
import numpy as np
import pytest

from mlagents.barracuda import Activation, LayerType, parse, read_barracuda, serialized
from mlagents.export import ExportError
from mlagents.export.barracuda.parity import check_barracuda_parity
from mlagents.export.barracuda.policy import export_barracuda
from mlagents.export.barracuda.writer import barracuda_model
from mlagents.inference import BarracudaModel
from mlagents.nn.build import make_policy
from mlagents.nn.normalizer import Normalizer
from mlagents.settings import NetworkSettings
from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)


def sensor(shape, index=0, kind=ObservationType.DEFAULT, dimensions=None):
    return ObservationSpec(shape, dimensions or (DimensionProperty.NONE,) * len(shape), kind, f"sensor {index}")


def spec_of(shapes, continuous=0, branches=()):
    return BehaviorSpec([sensor(shape, i) for i, shape in enumerate(shapes)], ActionSpec(continuous, branches))


def policy_for(spec, squashed=False, **network):
    """A policy with no bias of 0 and no flat distribution, which has seen data far from 0."""
    rng = np.random.default_rng(5)
    settings = NetworkSettings(**{"hidden_units": 16, "num_layers": 2} | network)
    policy = make_policy(rng, spec, settings, squashed)
    policy = jax.tree.map(lambda leaf: np.asarray(leaf + 0.1 * rng.standard_normal(leaf.shape), np.float32), policy)
    policy = eqx.tree_at(lambda p: p.head, policy, jax.tree.map(lambda leaf: 4 * leaf, policy.head))
    if policy.normalizer is not None:
        n = policy.normalizer.mean.size
        seen = Normalizer(
            np.float32(5 * rng.standard_normal(n)), np.full(n, 400, np.float32), np.array(100, np.float32)
        )
        policy = eqx.tree_at(lambda p: p.normalizer, policy, seen)
    return policy


ROWS = 16
MEMORY = {"memory": {"memory_size": 8, "sequence_length": 4}}
CASES = {
    "continuous": (spec_of([(5,), (3,)], 2), {}),
    "normalized": (spec_of([(5,), (3,)], 2), {"normalize": True}),
    "squashed": (spec_of([(4,)], 3), {"squashed": True, "normalize": True}),
    "one hidden layer": (spec_of([(4,)], 1), {"num_layers": 1}),
    "one branch": (spec_of([(6,)], 0, (3,)), {}),
    "three branches": (spec_of([(6,)], 0, (3, 2, 5)), {"normalize": True}),
    "memory": (spec_of([(6,)], 2), MEMORY),
    "memory and branches": (spec_of([(6,)], 0, (3, 2)), MEMORY | {"normalize": True}),
    "image": (spec_of([(3, 20, 22)], 0, (5,)), {}),
    "vector between images": (spec_of([(1, 36, 40), (4,), (3, 38, 36)], 2), {"vis_encode_type": "nature_cnn"}),
    "resnet": (spec_of([(3, 15, 17), (2,)], 2), {"vis_encode_type": "resnet"}),
    "match3": (spec_of([(4, 6, 5)], 0, (4,)), {"vis_encode_type": "match3"}),
    "a vector of size 0 beside an image": (spec_of([(0,), (3, 20, 22)], 2), {"normalize": True}),
    "a vector of size 0 beside another": (spec_of([(3,), (0,)], 2), {"normalize": True}),
    "fully connected": (spec_of([(2, 3, 4)], 1), {"vis_encode_type": "fully_connected"}),
}


@pytest.mark.parametrize("case", CASES)
def test_the_file_does_what_the_policy_does(case, tmp_path):
    spec, network = CASES[case]
    report = export_barracuda(policy_for(spec, **network), spec, tmp_path / "folder" / "model.nn")
    errors = report.max_error
    assert set(errors) == {"action"} | ({"recurrent_out_c", "recurrent_out_h"} if "memory" in network else set())
    larger = network.get("squashed") or network.get("vis_encode_type") == "resnet"  # actions of tens, or deep sums
    assert max(errors.values()) <= (3e-5 if larger else 1e-5)


def steps_of(observations, masks=None):
    n = len(observations[0])
    return DecisionSteps(observations, np.zeros(n, np.float32), np.arange(n, dtype=np.int32), masks)


def test_it_plays(tmp_path):
    """Through the whole way: file, reader, feeds, memory over several steps."""
    spec, network = CASES["memory and branches"]
    policy = policy_for(spec, **network)
    export_barracuda(policy, spec, tmp_path / "model.nn")
    model = BarracudaModel(tmp_path / "model.nn", spec)
    rng = np.random.default_rng(0)
    memory = np.zeros((ROWS, 8), np.float32)
    choices = []
    for _ in range(10):
        x = 20 * rng.standard_normal((ROWS, 6), np.float32)
        forbidden = np.tile([False, True, False], (ROWS, 1))
        masks = [forbidden, np.zeros((ROWS, 2), bool)]
        expected, memory = policy((x,), ~np.concatenate(masks, axis=1), memory)
        chosen = model.act(steps_of([x], masks), True, rng).discrete
        choices.append(chosen)
        for branch, log_probs in enumerate(expected.log_probs):
            np.testing.assert_array_equal(chosen[:, branch], np.asarray(log_probs).argmax(axis=1))
    assert all(np.concatenate(choices).std(axis=0) > 0)


def test_sampled_actions_have_the_policys_spread(tmp_path):
    """Standard error of a deviation over 20,000 samples: 0.5 %."""
    spec = spec_of([(4,)], 2)
    policy = eqx.tree_at(lambda p: p.head.log_std, policy_for(spec), np.log(np.float32([0.1, 0.3])))
    policy = eqx.tree_at(lambda p: p.head.mean.weight, policy, 0 * policy.head.mean.weight)
    export_barracuda(policy, spec, tmp_path / "model.nn")
    model = BarracudaModel(tmp_path / "model.nn", spec)
    sampled = model.act(steps_of([np.zeros((20_000, 4), np.float32)]), False, np.random.default_rng(0)).continuous
    np.testing.assert_allclose(sampled.std(axis=0), [0.1 / 3, 0.3 / 3], rtol=0.025)


def test_rare_actions_are_exact():
    """Only an action of probability 1e-6 is allowed: it gets all of it, to the last digit."""
    spec = spec_of([(4,)], 0, (2,))
    policy = policy_for(spec)
    policy = eqx.tree_at(lambda p: p.head.logits[0].weight, policy, 0 * policy.head.logits[0].weight)
    policy = eqx.tree_at(lambda p: p.head.logits[0].bias, policy, np.log(np.float32([1e-6, 1])))
    report = check_barracuda_parity(serialized(barracuda_model(policy, spec)), policy, spec, seed=0)
    assert report.max_error["action"] <= 1e-7


@pytest.mark.parametrize(
    ("name", "spec", "kinds_of_their_own"),
    [
        ("3DBall", spec_of([(8,)], 2), set()),
        ("Basic", spec_of([(20,)], 0, (3,)), {LayerType.SUB}),
    ],
)
def test_unity_wrote_the_same_interface(shared_data, name, spec, kinds_of_their_own):
    """Same inputs, shapes and facts as in the recorded file, and hardly a type of layer that is not in it, too."""
    ours = barracuda_model(policy_for(spec, normalize=name == "3DBall"), spec)
    theirs = read_barracuda(shared_data / "nn" / f"{name}.nn")
    assert ours.inputs == theirs.inputs
    assert ours.memories == theirs.memories
    facts = [tensor.name for tensor in ours.layers[0].tensors[:4]]
    assert facts == [tensor.name for tensor in theirs.layers[0].tensors[:4]]
    for fact in facts:
        np.testing.assert_array_equal(ours.constants()[fact], theirs.constants()[fact])
    assert {layer.type for layer in ours.layers} - {layer.type for layer in theirs.layers} == kinds_of_their_own
    last = ours.layers[-1]
    assert (last.name, last.type, last.activation) == ("action", LayerType.ACTIVATION, Activation.LINEAR)
    assert "action" in ours.outputs


def test_memory_is_named_as_unity_wants_it():
    spec, network = CASES["memory"]
    model = barracuda_model(policy_for(spec, **network), spec)
    assert [(m.input, m.output, m.shape) for m in model.memories] == [
        ("recurrent_in_c", "recurrent_out_c", (1, 1, 1, 4)),
        ("recurrent_in_h", "recurrent_out_h", (1, 1, 1, 4)),
    ]
    assert model.constants()["memory_size"].flat[0] == 8


def test_the_files_statistics_are_the_normalizers():
    spec, network = CASES["normalized"]
    policy = policy_for(spec, **network)
    constants = barracuda_model(policy, spec).constants()
    np.testing.assert_array_equal(constants["running_mean"].ravel(), policy.normalizer.mean)
    np.testing.assert_array_equal(constants["running_variance"].ravel(), policy.normalizer.m2)
    assert constants["normalization_steps"].flat[0] == 99


def with_entities():
    dimensions = (DimensionProperty.VARIABLE_SIZE, DimensionProperty.NONE)
    return BehaviorSpec([sensor((3,)), sensor((4, 5), 1, dimensions=dimensions)], ActionSpec(1, ()))


def with_goal():
    return BehaviorSpec([sensor((3,)), sensor((2,), 1, ObservationType.GOAL_SIGNAL)], ActionSpec(1, ()))


@pytest.mark.parametrize(
    ("spec", "network", "message"),
    [
        (
            spec_of([(4,)], 2, (3,)),
            {},
            r"either continuous or discrete actions; the behavior has 2 continuous ones and branches \(3,\)",
        ),
        (with_entities(), {}, "cannot observe entities"),
        (spec_of([(0,)], 2), {}, "needs an observation; all of the behavior have size 0"),
        (with_goal(), {"goal_conditioning_type": "hyper"}, "cannot have goal conditioning by a hypernetwork"),
    ],
)
def test_what_the_format_cannot_express(tmp_path, spec, network, message):
    path = tmp_path / "model.nn"
    with pytest.raises(ExportError, match=message) as raised:
        export_barracuda(policy_for(spec, **network), spec, path)
    assert str(raised.value).startswith(f"{path}: ")
    assert not path.exists()


def test_a_policy_for_another_behavior():
    with pytest.raises(
        ExportError, match=r"are \(4, 0, \(2, \(\)\)\) in the policy and \(5, 0, \(0, \(3,\)\)\) in the"
    ):
        barracuda_model(policy_for(spec_of([(4,)], 2)), spec_of([(5,)], 0, (3,)))


@pytest.mark.parametrize("case", ["normalized", "three branches", "memory", "image"])
def test_a_wrong_weight_is_noticed(case):
    """The first weight of every dense layer and convolution, one at a time."""
    spec, network = CASES[case]
    policy = policy_for(spec, **network)
    data = serialized(barracuda_model(policy, spec))
    layers = [layer for layer in parse(data).layers if layer.tensors and layer.type != LayerType.LOAD]
    unnoticed = []
    for layer in layers:
        original = layer.tensors[0].values.tobytes()
        assert data.count(original) == 1
        changed = np.frombuffer(original, np.float32).copy()
        changed[0] += 0.1
        try:
            check_barracuda_parity(data.replace(original, changed.tobytes()), policy, spec, seed=0)
        except ExportError as error:
            assert "of the written model differs from the policy by" in str(error)  # noqa: PT017
            continue
        unnoticed.append(layer.name)
    assert not unnoticed
