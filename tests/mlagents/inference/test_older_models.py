"""Models of API version 2: from Unity package 1.x (by PyTorch) and from spring 2020 (by TensorFlow)."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.inference import ModelMismatch, OnnxModel


def test_continuous(make_model, make_facts, make_spec, make_steps, rng):
    """All vector sensors, in order, come in as one."""
    model = OnnxModel(
        make_model(
            [("Neg", ["vector_observation"], "action", {})],
            {"vector_observation": ("batch", 3)},
            {"action": ("batch", 3)},
            make_facts(version_number=2, memory_size=0, is_continuous_control=1, action_output_shape=3),
        ),
        make_spec([(2,), (1,)], 3),
    )
    actions = model.act(make_steps([[[1, 2], [4, 5]], [[3], [6]]]), False, rng)
    assert actions.continuous.tolist() == [[-1, -2, -3], [-4, -5, -6]]


@pytest.fixture
def log_probabilities(make_model, make_facts):
    """Log-probabilities of 3 + 2 actions are vector_observation, times the mask."""
    return make_model(
        [("Mul", ["vector_observation", "action_masks"], "action", {})],
        {"vector_observation": ("batch", 5), "action_masks": ("batch", 5)},
        {"action": ("batch", 5)},
        make_facts(version_number=2, memory_size=0, is_continuous_control=0, action_output_shape=5),
    )


def test_discrete_outputs_are_log_probabilities(log_probabilities, make_spec, make_steps, rng):
    model = OnnxModel(log_probabilities, make_spec([(5,)], 0, (3, 2)))
    x = np.array([[1, 3, 2, 5, 4], [9, 8, 7, 1, 2]])
    assert model.act(make_steps([x]), True, rng).discrete.tolist() == [[1, 0], [0, 1]]
    masks = [[[False, True, False], [False] * 3], [[False, False], [False, True]]]
    assert model.act(make_steps([x], masks), True, rng).discrete.tolist() == [[2, 0], [0, 0]]
    rows = 20_000
    many = make_steps([np.tile(np.log([0.2, 0.3, 0.5, 0.9, 0.1]), (rows, 1))])
    actions = model.act(many, False, rng).discrete
    np.testing.assert_allclose(np.bincount(actions[:, 0]) / rows, [0.2, 0.3, 0.5], atol=0.018)
    np.testing.assert_allclose(np.bincount(actions[:, 1]) / rows, [0.9, 0.1], atol=0.011)


def test_only_the_sum_of_branches_is_known(log_probabilities, make_spec):
    OnnxModel(log_probabilities, make_spec([(5,)], 0, (2, 3)))
    with pytest.raises(ModelMismatch, match=r"branches \(5,\), the behavior has \(3, 3\)"):
        OnnxModel(log_probabilities, make_spec([(5,)], 0, (3, 3)))


@pytest.mark.parametrize("layout", ["channels first", "channels last"])
def test_images_in_both_layouts(make_model, make_facts, make_spec, make_steps, rng, layout):
    """The second image, 3 channels of 4 x 5: the action is the pixel in row 1, column 2."""
    channels_first = layout == "channels first"
    axes = [2, 3] if channels_first else [1, 2]
    shape = ("batch", 3, 4, 5) if channels_first else ("batch", 4, 5, 3)
    constants = make_facts(version_number=2, is_continuous_control=1, action_output_shape=3)
    model = OnnxModel(
        make_model(
            [
                ("Slice", ["visual_observation_1"], "pixel", {"axes": axes, "starts": [1, 2], "ends": [2, 3]}),
                ("Reshape", ["pixel", "flat"], "action", {}),
            ],
            {"visual_observation_1": shape, "visual_observation_0": ("batch", 1, 2, 2)},
            {"action": ("batch", 3)},
            constants | {"flat": np.array([-1, 3], np.int64)},
        ),
        make_spec([(1, 2, 2), (3, 4, 5)], 3),
    )
    images = rng.random((2, 3, 4, 5)).astype(np.float32)
    actions = model.act(make_steps([np.zeros((2, 1, 2, 2)), images]), True, rng)
    np.testing.assert_array_equal(actions.continuous, images[:, :, 1, 2])


@pytest.fixture
def tensorflow(make_model):
    """Spring 2020: names with a port, integer facts of rank 4 that are no outputs, noise from outside."""
    return make_model(
        [("Add", ["vector_observation:0", "epsilon:0"], "action:0", {})],
        {"vector_observation:0": ("batch", 2), "epsilon:0": ("batch", 2)},
        {"action:0": ("batch", 2)},
        {
            name: np.full((1, 1, 1, 1), value, np.int32)
            for name, value in {
                "version_number": 2,
                "memory_size": 0,
                "is_continuous_control": 1,
                "action_output_shape": 2,
            }.items()
        },
        as_outputs=False,
    )


def test_noise_from_outside(tensorflow, make_spec, make_steps, rng):
    model = OnnxModel(tensorflow, make_spec([(2,)], 2))
    steps = make_steps([np.tile([[1.0, 2.0]], (5000, 1))])
    assert model.act(steps, True, rng).continuous[0].tolist() == [1, 2]
    noise = model.act(steps, False, rng).continuous - [1, 2]
    assert noise.std() == pytest.approx(1, abs=0.04)


def test_previous_actions_and_flat_memory(make_model, make_spec, make_steps, rng):
    """The best action is the previous one + 1; memory is [batch, 2] and counts, with sequences of length 1."""
    facts = {"version_number": 2, "memory_size": 2, "is_continuous_control": 0, "action_output_shape": 4}
    constants = {name: np.full((1, 1, 1, 1), value, np.int32) for name, value in facts.items()}
    constants |= {"iota": np.arange(4, dtype=np.float32)[None] - 1}
    model = OnnxModel(
        make_model(
            [
                ("Cast", ["prev_action:0"], "previous", {"to": 1}),
                ("Sub", ["iota", "previous"], "off", {}),
                ("Mul", ["off", "off"], "square", {}),
                ("Neg", ["square"], "action:0", {}),
                ("Cast", ["sequence_length:0"], "length", {"to": 1}),
                ("Add", ["recurrent_in:0", "length"], "recurrent_out:0", {}),
            ],
            {
                "vector_observation:0": ("batch", 1),
                "prev_action:0": (("batch", 1), 6),
                "recurrent_in:0": ("batch", 2),
                "sequence_length:0": ((1,), 6),
            },
            {"action:0": ("batch", 4), "recurrent_out:0": ("batch", 2)},
            constants,
            as_outputs=False,
        ),
        make_spec([(1,)], 0, (4,)),
    )

    def act(*agents):
        steps = make_steps([np.zeros((len(agents), 1))], agents=agents)
        return model.act(steps, True, rng).discrete[:, 0].tolist()

    assert act(4) == [1]
    assert act(4, 6) == [2, 1]
    model.forget([4])
    assert act(4, 6) == [1, 2]
