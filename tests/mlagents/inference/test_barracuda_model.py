"""Models from .nn files."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.barracuda import Activation, BarracudaFile, Input, Layer, LayerType, Memory, Tensor, serialized
from mlagents.inference import BarracudaModel, ModelError, ModelMismatch, OnnxModel, evaluate, load_model
from mlagents_envs.registry import default_registry


def load(**constants):
    """A load layer with one constant per argument."""
    tensors = tuple(Tensor.row(name, value) for name, value in constants.items())
    return Layer(next(iter(constants)), LayerType.LOAD, tensors=tensors)


def facts(size, *, continuous=True, memory_size=0, version_number=2, **more):
    return load(
        action_output_shape=size,
        memory_size=memory_size,
        version_number=version_number,
        is_continuous_control=int(continuous),
        **more,
    )


def vector(name, size):
    return Input(name, (-1, 1, 1, size))


@pytest.fixture
def write(tmp_path):
    def write(inputs, layers, memories=(), outputs=("action",)):
        path = tmp_path / "model.nn"
        path.write_bytes(serialized(BarracudaFile(tuple(inputs), outputs, tuple(memories), tuple(layers))))
        return path

    return write


@pytest.fixture
def continuous(write):
    """Action = -vector_observation of three, plus half of what a noise layer draws."""
    return write(
        [vector("vector_observation", 3)],
        [
            facts(3, half=0.5),
            Layer("mean", LayerType.ACTIVATION, ("vector_observation",), activation=Activation.NEG),
            Layer("noise", LayerType.RANDOM_NORMAL, ("mean",)),
            Layer("deviation", LayerType.MUL, ("noise", "half")),
            Layer("action", LayerType.ADD, ("mean", "deviation")),
        ],
    )


def test_continuous_actions(continuous, make_spec, make_steps, rng):
    """All vector sensors come in as one, in their order; standard error of a deviation over 6,000: 0.9 %."""
    model = BarracudaModel(continuous, make_spec([(2,), (1,)], 3))
    actions = model.act(make_steps([[[1, 2], [4, 5]], [[3], [6]]]), True, rng)
    assert actions.continuous.tolist() == [[-1, -2, -3], [-4, -5, -6]]
    assert actions.discrete.shape == (2, 0)
    noise = model.act(make_steps([np.zeros((2000, 2)), np.zeros((2000, 1))]), False, rng).continuous
    assert noise.std() == pytest.approx(0.5, rel=0.045)


def test_samples_are_the_generators(continuous, make_spec, make_steps):
    model = BarracudaModel(continuous, make_spec([(3,)], 3))
    steps = make_steps([np.ones((4, 3))])
    one, same, other = (model.act(steps, False, np.random.default_rng(seed)).continuous.tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_noise_as_an_input(write, make_spec, make_steps, rng):
    path = write(
        [vector("vector_observation", 2), vector("epsilon", 2)],
        [facts(2), Layer("action", LayerType.ADD, ("vector_observation", "epsilon"))],
    )
    model = BarracudaModel(path, make_spec([(2,)], 2))
    steps = make_steps([np.tile([1.0, 2.0], (5000, 1))])
    assert model.act(steps, True, rng).continuous[0].tolist() == [1, 2]
    noise = model.act(steps, False, rng).continuous - [1, 2]
    assert noise.std() == pytest.approx(1, abs=0.04)


@pytest.fixture
def discrete(write):
    """Log-probabilities of 3 + 2 actions are vector_observation, times the mask."""
    return write(
        [vector("vector_observation", 5), vector("action_masks", 5)],
        [facts(5, continuous=False), Layer("action", LayerType.MUL, ("vector_observation", "action_masks"))],
    )


def test_discrete_actions(discrete, make_spec, make_steps, rng):
    model = BarracudaModel(discrete, make_spec([(5,)], 0, (3, 2)))
    x = np.array([[1, 3, 2, 5, 4], [9, 8, 7, 1, 2]])
    best = model.act(make_steps([x]), True, rng)
    assert best.discrete.tolist() == [[1, 0], [0, 1]]
    assert best.discrete.dtype == np.int32
    assert best.continuous.shape == (2, 0)
    rows = 20_000
    many = make_steps([np.tile(np.log([0.2, 0.3, 0.5, 0.9, 0.1]), (rows, 1))])
    actions = model.act(many, False, rng).discrete
    np.testing.assert_allclose(np.bincount(actions[:, 0]) / rows, [0.2, 0.3, 0.5], atol=0.018)
    np.testing.assert_allclose(np.bincount(actions[:, 1]) / rows, [0.9, 0.1], atol=0.011)


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_masked_action_is_never_taken(discrete, make_spec, make_steps, rng, deterministic):
    """Even where the model likes it best: a mask makes these log-probabilities 0, the others are below."""
    model = BarracudaModel(discrete, make_spec([(5,)], 0, (3, 2)))
    x = np.tile([-1, -2, -3, -1, -2], (200, 1))
    masks = [np.tile([True, False, False], (200, 1)), np.tile([True, False], (200, 1))]
    chosen = model.act(make_steps([x], masks), deterministic, rng).discrete
    assert set(chosen[:, 0].tolist()) == ({1} if deterministic else {1, 2})
    assert set(chosen[:, 1].tolist()) == {1}


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 3, 3)])
def test_images_have_their_channels_last(write, make_spec, make_steps, rng, shape):
    """The action is the pixel in row 1, column 2 of the second image."""
    channels, height, width = shape
    path = write(
        [Input("visual_observation_0", (-1, 2, 2, 1)), Input("visual_observation_1", (-1, height, width, channels))],
        [
            facts(channels),
            Layer(
                "action",
                LayerType.STRIDED_SLICE,
                ("visual_observation_1",),
                pads=(0, 1, 2, 0),
                pool_size=(0, 0, 0, 0),
                strides=(1, 0, 0, 1),
            ),
        ],
    )
    model = BarracudaModel(path, make_spec([(1, 2, 2), shape], channels))
    images = rng.random((2, *shape)).astype(np.float32)
    actions = model.act(make_steps([np.zeros((2, 1, 2, 2)), images]), True, rng)
    np.testing.assert_array_equal(actions.continuous, images[:, :, 1, 2])


@pytest.fixture
def counters(write):
    """Two memories, one of 1 and one of 2 numbers; both grow, by 1 and by 10. The action is all that is remembered."""
    return write(
        [vector("vector_observation", 3), vector("recurrent_in", 4)],
        [
            facts(3, memory_size=4, one=1, ten=10),
            Layer("new_c", LayerType.ADD, ("old_c", "one")),
            Layer("new_h", LayerType.ADD, ("old_h", "ten")),
            Layer("both", LayerType.CONCAT, ("old_c", "old_h"), axis=3),
            Layer("action", LayerType.ADD, ("both", "vector_observation")),
        ],
        [Memory((1, 1, 1, 1), "old_c", "new_c"), Memory((1, 1, 1, 2), "old_h", "new_h")],
    )


def test_memory_belongs_to_the_agent_until_its_episode_ends(counters, make_spec, make_steps, rng):
    model = BarracudaModel(counters, make_spec([(3,)], 3))

    def act(*agents):
        return model.act(make_steps([np.zeros((len(agents), 3))], agents=agents), True, rng).continuous.tolist()

    assert act(7, 3) == [[0, 0, 0], [0, 0, 0]]
    assert act(3) == [[1, 10, 10]]
    assert act(5, 3, 7) == [[0, 0, 0], [2, 20, 20], [1, 10, 10]]
    model.forget(np.array([3, 99], np.int32))
    assert act(3, 7) == [[0, 0, 0], [2, 20, 20]]


def test_previous_actions_and_sequence_length(write, make_spec, make_steps, rng):
    """The best action is the previous one + the length of a sequence, which is 1."""
    path = write(
        [vector("vector_observation", 4), vector("prev_action", 1), vector("sequence_length", 1)],
        [
            facts(4, continuous=False, iota=[0, 1, 2, 3]),
            Layer("next", LayerType.ADD, ("prev_action", "sequence_length")),
            Layer("off", LayerType.SUB, ("iota", "next")),
            Layer("square", LayerType.MUL, ("off", "off")),
            Layer("negative", LayerType.ACTIVATION, ("square",), activation=Activation.NEG),
            Layer("action", LayerType.ADD, ("negative", "vector_observation")),
        ],
    )
    model = BarracudaModel(path, make_spec([(4,)], 0, (4,)))

    def act(*agents):
        return model.act(make_steps([np.zeros((len(agents), 4))], agents=agents), True, rng).discrete[:, 0].tolist()

    assert act(4) == [1]
    assert act(4, 6) == [2, 1]
    model.forget([4])
    assert act(4, 6) == [1, 2]


def test_a_model_that_does_not_look(write, make_spec, make_steps, rng):
    """Its result has a batch of one, whatever the number of agents."""
    layers = [facts(2, pair=[3, 4]), Layer("action", LayerType.ACTIVATION, ("pair",))]
    model = BarracudaModel(write([vector("vector_observation", 1)], layers), make_spec([(1,)], 2))
    assert model.act(make_steps([np.zeros((2, 1))]), True, rng).continuous.tolist() == [[3, 4], [3, 4]]


def test_no_agents(discrete, make_spec, make_steps, rng):
    model = BarracudaModel(discrete, make_spec([(5,)], 0, (3, 2)))
    assert model.act(make_steps([np.zeros((0, 5))]), False, rng).discrete.shape == (0, 2)


@pytest.mark.parametrize(
    ("shapes", "size", "branches", "message"),
    [
        ([(2,)], 3, (), r"input vector_observation expects shape \[3\] for each agent; the behavior gives \[2\]"),
        (
            [(1, 3, 3)],
            3,
            (),
            r"nothing in this behavior fits the model's input 'vector_observation' of shape \[3\]; it has obs_0 \[",
        ),
        (
            [(3,), (1, 4, 5)],
            3,
            (),
            r"no input obs_1 or visual_observation_0 for observation 1 \(sensor 1\) of shape \[1, 4, 5\]; its inputs:"
            r" vector_observation",
        ),
        ([(3,)], 2, (), "the model has 3 continuous actions, the behavior has 2"),
        ([(3,)], 0, (3,), "the model has 3 continuous actions, the behavior has 0"),
        ([(3,)], 3, (3,), r"the model has discrete branches \(\), the behavior has \(3,\)"),
    ],
)
def test_a_model_for_another_behavior(continuous, make_spec, shapes, size, branches, message):
    with pytest.raises(ModelMismatch, match=message) as raised:
        BarracudaModel(continuous, make_spec(shapes, size, branches))
    assert str(raised.value).startswith(str(continuous))


def test_images_of_another_size(write, make_spec):
    layers = [facts(1), Layer("action", LayerType.REDUCE_SUM, ("visual_observation_0",))]
    path = write([Input("visual_observation_0", (-1, 4, 5, 3))], layers)
    with pytest.raises(
        ModelMismatch, match=r"expects shape \[4, 5, 3\] for each agent; the behavior gives \[5, 6, 1\]"
    ):
        BarracudaModel(path, make_spec([(1, 5, 6)], 1))


def test_other_branches(discrete, make_spec):
    with pytest.raises(ModelMismatch, match=r"branches \(5,\), the behavior has \(2, 2\)"):
        BarracudaModel(discrete, make_spec([(5,)], 0, (2, 2)))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([load(version_number=2)], "not an agent's model: its constant 'action_output_shape' is missing"),
        ([load(memory_size=0)], "not an agent's model: its constant 'version_number' is missing. Expected a model"),
        ([facts(1, version_number=3)], "of API version 3; .nn models of version 2 are read"),
        ([facts(1, memory_size=-1)], "its constant 'memory_size' is missing"),
        ([facts(1, memory_size=np.nan)], "its constant 'memory_size' is nan"),
    ],
)
def test_files_that_are_no_agents(write, make_spec, layers, message):
    layers.append(Layer("action", LayerType.ACTIVATION, ("vector_observation",)))
    path = write([vector("vector_observation", 1)], layers)
    with pytest.raises(ModelError, match=message) as raised:
        BarracudaModel(path, make_spec([(1,)], 1))
    assert str(raised.value).startswith(str(path))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], "the model cannot be run: the model has no layer action"),
        ([Layer("action", 77, ("vector_observation",))], r"cannot be run: layer 'action', unknown \(type 77\)"),
        (
            [Layer("action", LayerType.CONCAT, ("vector_observation",) * 2, axis=3)],
            r"the output action has shape \[1, 1, 4\] for each agent; the model promises \[1, 1, 2\]",
        ),
    ],
)
def test_models_that_cannot_run(write, make_spec, layers, message):
    path = write([vector("vector_observation", 2)], [facts(2), *layers], outputs=())
    with pytest.raises(ModelError, match=message):
        BarracudaModel(path, make_spec([(2,)], 2))


def test_memories_have_to_fit_memory_size(write, make_spec):
    layers = [facts(1, memory_size=1), Layer("action", LayerType.ADD, ("vector_observation", "old_h"))]
    path = write([vector("vector_observation", 1)], layers, [Memory((1, 1, 1, 2), "old_h", "action")])
    with pytest.raises(ModelError, match="have 2 numbers; expected at most 1, its constant memory_size"):
        BarracudaModel(path, make_spec([(1,)], 1))


def test_a_missing_file(tmp_path, make_spec):
    with pytest.raises(ModelError, match=r"none\.nn: No such file or directory; expected a \.nn model"):
        BarracudaModel(tmp_path / "none.nn", make_spec([(3,)], 3))


def test_every_cut_of_a_file_is_refused(continuous, tmp_path, make_spec):
    data = continuous.read_bytes()
    spec = make_spec([(3,)], 3)
    for stop in range(0, len(data), 7):
        (tmp_path / "cut.nn").write_bytes(data[:stop])
        with pytest.raises(ModelError, match=r"cut\.nn"):
            BarracudaModel(tmp_path / "cut.nn", spec)


def test_the_suffix_tells_the_format(continuous, make_spec, make_model, make_facts):
    spec = make_spec([(3,)], 3)
    assert isinstance(load_model(continuous, spec), BarracudaModel)
    onnx = make_model(
        [("Neg", ["obs_0"], "continuous_actions", {})],
        {"obs_0": ("batch", 3)},
        {"continuous_actions": ("batch", 3)},
        make_facts(version_number=3, continuous_action_output_shape=3),
    )
    assert isinstance(load_model(str(onnx), spec), OnnxModel)


@pytest.mark.parametrize(
    ("name", "shapes", "branches"),
    [("GridWorld", [(3, 64, 84)], (5,)), ("Hallway", [(108,)], (5,)), ("Basic", [(20,)], (3,))],
)
def test_recorded_discrete_models_never_take_a_masked_action(
    shared_data, make_spec, make_steps, rng, name, shapes, branches
):
    model = BarracudaModel(shared_data / "nn" / f"{name}.nn", make_spec(shapes, 0, branches))
    rows = 16
    forbidden = rng.random((rows, *branches)) < 0.5
    forbidden[np.arange(rows), rng.integers(0, branches[0], rows)] = False
    for _ in range(3):
        observations = [rng.random((rows, *shape)) for shape in shapes]
        chosen = model.act(make_steps(observations, [forbidden]), False, rng).discrete[:, 0]
        assert not forbidden[np.arange(rows), chosen].any()


def test_the_recorded_memory_matters(shared_data, make_spec, make_steps, rng):
    """Two agents see the same, but one of them forgets at once."""
    model = BarracudaModel(shared_data / "nn" / "Hallway.nn", make_spec([(108,)], 0, (5,)))
    chosen = []
    for observation in rng.random((60, 108)) < 0.1:
        chosen.append(model.act(make_steps([[observation] * 2], agents=[1, 2]), True, rng).discrete[:, 0].tolist())
        model.forget([2])
    assert chosen[0][0] == chosen[0][1]
    assert 1 <= sum(first != second for first, second in chosen) <= 30


def play(shared_data, name, episodes, **options):
    env = default_registry[name].make(seed=1)
    try:
        path = shared_data / "nn" / f"{name}.nn"
        models = {behavior: BarracudaModel(path, spec) for behavior, spec in env.behavior_specs.items()}
        (result,) = evaluate(env, models, episodes, **options).values()
    finally:
        env.close()
    assert result.episodes == episodes
    return result


def test_basic_reaches_its_benchmark(shared_data):
    assert play(shared_data, "Basic", 100).mean >= 0.93 - 1e-6


def test_3dball_balances_always(shared_data):
    result = play(shared_data, "3DBall", 24, deterministic=True)
    assert result.mean >= 99, result
