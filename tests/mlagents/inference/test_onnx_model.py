"""Models of version 3, and what is wrong with files."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.inference import ModelError, ModelMismatch, OnnxModel


@pytest.fixture
def make_continuous(make_model, make_facts):
    """Version 3: mean = 2 obs_0 + obs_1, deviation 0.5."""

    def make(**options):
        nodes = [
            ("Add", ["obs_0", "obs_0"], "twice", {}),
            ("Add", ["twice", "obs_1"], "mean", {}),
            ("RandomNormalLike", ["mean"], "noise", {"dtype": 1}),
            ("Mul", ["noise", "half"], "deviation", {}),
            ("Add", ["mean", "deviation"], "continuous_actions", {}),
        ]
        constants = make_facts(version_number=3, memory_size=0, continuous_action_output_shape=2, half=0.5)
        inputs = {"obs_0": ("batch", 2), "obs_1": ("batch", 2)}
        return make_model(nodes, inputs, {"continuous_actions": ("batch", 2)}, constants | options)

    return make


@pytest.fixture
def make_discrete(make_model, make_facts):
    """Version 3: log-probabilities of two branches, 3 and 2 wide, are obs_0, less 1000 where masked."""

    def make(**options):
        nodes = [
            ("Sub", ["action_masks", "one"], "forbidden", {}),
            ("Mul", ["forbidden", "thousand"], "penalty", {}),
            ("Add", ["obs_0", "penalty"], "log_probs", {}),
            ("Slice", ["log_probs"], "first", {"axes": [1], "starts": [0], "ends": [3]}),
            ("Slice", ["log_probs"], "second", {"axes": [1], "starts": [3], "ends": [5]}),
            ("Multinomial", ["first"], "a", {"dtype": 7}),
            ("Multinomial", ["second"], "b", {"dtype": 7}),
            ("Concat", ["a", "b"], "discrete_actions", {"axis": 1}),
        ]
        constants = make_facts(
            version_number=3, memory_size=0, discrete_action_output_shape=[[3, 2]], one=1, thousand=1000
        )
        inputs = {"obs_0": ("batch", 5), "action_masks": ("batch", 5)}
        outputs = {"discrete_actions": (("batch", 2), 7)}
        return make_model(nodes, inputs, outputs, constants | options)

    return make


def test_continuous_actions(make_continuous, make_spec, make_steps, rng):
    model = OnnxModel(make_continuous(), make_spec([(2,), (2,)], 2))
    steps = make_steps([[[1, 2], [3, 4], [0, 0]], [[10, 10], [20, 20], [0, 0]]])
    best = model.act(steps, True, rng)
    assert best.continuous.tolist() == [[12, 14], [26, 28], [0, 0]]
    assert best.discrete.shape == (3, 0)
    deviation = np.stack([model.act(steps, False, rng).continuous for _ in range(2000)]) - best.continuous
    # standard errors over 12,000 numbers: 0.0046 of the mean, 0.0032 of the deviation
    assert deviation.mean() == pytest.approx(0, abs=0.023)
    assert deviation.std() == pytest.approx(0.5, abs=0.016)


def test_samples_are_the_generators(make_continuous, make_spec, make_steps):
    model = OnnxModel(make_continuous(), make_spec([(2,), (2,)], 2))
    steps = make_steps([np.ones((4, 2))] * 2)
    one, same, other = (model.act(steps, False, np.random.default_rng(seed)).continuous.tolist() for seed in (1, 1, 2))
    assert one == same != other


def test_discrete_actions(make_discrete, make_spec, make_steps, rng):
    model = OnnxModel(make_discrete(), make_spec([(5,)], 0, (3, 2)))
    log_probs = np.log([[0.5, 0.3, 0.2, 0.1, 0.9]])
    best = model.act(make_steps([log_probs]), True, rng)
    assert best.discrete.tolist() == [[0, 1]]
    assert best.discrete.dtype == np.int32
    assert best.continuous.shape == (1, 0)
    masked = make_steps([log_probs], [[[True, False, False]], [[False, True]]])
    assert model.act(masked, True, rng).discrete.tolist() == [[1, 0]]


def test_discrete_samples_follow_the_probabilities(make_discrete, make_spec, make_steps, rng):
    model = OnnxModel(make_discrete(), make_spec([(5,)], 0, (3, 2)))
    rows = 20_000
    steps = make_steps(
        [np.tile(np.log([0.5, 0.3, 0.2, 0.1, 0.9]), (rows, 1))],
        [np.tile([True, False, False], (rows, 1)), np.zeros((rows, 2))],
    )
    actions = model.act(steps, False, rng).discrete
    # 0.5 is masked, 0.3 and 0.2 remain: 0.6 and 0.4; standard error 0.0035
    np.testing.assert_allclose(np.bincount(actions[:, 0], minlength=3) / rows, [0, 0.6, 0.4], atol=0.018)
    np.testing.assert_allclose(np.bincount(actions[:, 1], minlength=2) / rows, [0.1, 0.9], atol=0.011)


def test_no_agents(make_discrete, make_spec, make_steps, rng):
    actions = OnnxModel(make_discrete(), make_spec([(5,)], 0, (3, 2))).act(make_steps([np.zeros((0, 5))]), False, rng)
    assert actions.discrete.shape == (0, 2)
    assert actions.continuous.shape == (0, 0)


@pytest.fixture
def counter(make_model, make_facts):
    """Version 3 with memory: takes what it remembers as its action, and remembers 1 more each time."""
    nodes = [
        ("Add", ["recurrent_in", "one"], "recurrent_out", {}),
        ("Reshape", ["recurrent_in", "shape"], "flat", {}),
        ("Add", ["flat", "obs_0"], "continuous_actions", {}),
    ]
    constants = make_facts(version_number=3, memory_size=2, continuous_action_output_shape=2, one=1)
    constants["shape"] = np.array([-1, 2], np.int64)
    inputs = {"obs_0": ("batch", 2), "recurrent_in": ("batch", 1, 2)}
    outputs = {"continuous_actions": ("batch", 2), "recurrent_out": ("batch", 1, 2)}
    return make_model(nodes, inputs, outputs, constants)


def test_memory_belongs_to_the_agent_until_its_episode_ends(counter, make_spec, make_steps, rng):
    model = OnnxModel(counter, make_spec([(2,)], 2))

    def act(*agents):
        zeros = np.zeros((len(agents), 2))
        return model.act(make_steps([zeros], agents=agents), True, rng).continuous[:, 0].tolist()

    assert act(7, 3) == [0, 0]
    assert act(3) == [1]
    assert act(5, 3, 7) == [0, 2, 1]
    model.forget(np.array([3, 99], np.int32))
    assert act(3, 7) == [0, 2]


@pytest.mark.parametrize(
    ("shapes", "continuous", "branches", "message"),
    [
        ([(3,), (2,)], 2, (), r"input obs_0 expects shape \[2\] for each agent; the behavior gives \[3\]"),
        ([(2,), (2, 2)], 2, (), r"input obs_1 expects shape \[2\] for each agent; the behavior gives \[2, 2\]"),
        (
            [(2,)],
            2,
            (),
            r"nothing in this behavior fits the model's input 'obs_1' of shape \[2\]; it has obs_0 \[2\], vec",
        ),
        (
            [(2,), (2,), (1, 4, 4)],
            2,
            (),
            r"no input obs_2 or visual_observation_0 for observation 2 \(sensor 2\) of shape \[1, 4, 4\]; its"
            r" inputs: obs_0, obs_1",
        ),
        ([(2,), (2,)], 3, (), r"the model has 2 continuous actions, the behavior has 3"),
        ([(2,), (2,)], 2, (3,), r"the model has discrete branches \(\), the behavior has \(3,\)"),
    ],
)
def test_a_model_for_another_behavior(make_continuous, make_spec, shapes, continuous, branches, message):
    path = make_continuous()
    with pytest.raises(ModelMismatch, match=message) as raised:
        OnnxModel(path, make_spec(shapes, continuous, branches))
    assert str(raised.value).startswith(path)


def test_other_branches(make_discrete, make_spec):
    with pytest.raises(ModelMismatch, match=r"branches \(3, 2\), the behavior has \(2, 3\)"):
        OnnxModel(make_discrete(), make_spec([(5,)], 0, (2, 3)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory; expected an .onnx model"),
        (b"", "this is not an ONNX model: it holds no operations"),
        (b"not a model at all " * 20, "this is not an ONNX model, or the file is damaged"),
        (b"\x10\x00\x00\x00\x00\x00\x00\x00", "this is not an ONNX model"),
    ],
)
def test_files_that_are_no_models(tmp_path, make_spec, content, message):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ModelError, match=message) as raised:
        OnnxModel(path, make_spec([(2,)], 2))
    assert str(raised.value).startswith(str(path))


def test_a_folder_is_no_model(tmp_path, make_spec):
    with pytest.raises(ModelError, match="expected an"):
        OnnxModel(tmp_path, make_spec([(2,)], 2))


def test_every_cut_of_a_file_is_refused(make_continuous, tmp_path, make_spec):
    """A download that stopped anywhere gives a ModelError, never another exception."""
    with open(make_continuous(), "rb") as file:
        data = file.read()
    spec = make_spec([(2,), (2,)], 2)
    for stop in range(0, len(data), 7):
        (tmp_path / "cut.onnx").write_bytes(data[:stop])
        with pytest.raises(ModelError, match=r"cut\.onnx"):
            OnnxModel(tmp_path / "cut.onnx", spec)


def test_an_onnx_file_that_is_no_agent(make_model, make_spec):
    path = make_model([("Neg", ["obs_0"], "y", {})], {"obs_0": ("batch", 2)}, {"y": ("batch", 2)}, {})
    with pytest.raises(ModelError, match="no constant 'version_number'"):
        OnnxModel(path, make_spec([(2,)], 2))


def test_a_version_that_is_not_known(make_continuous, make_spec, make_facts):
    with pytest.raises(ModelError, match="API version 4; versions 2 and 3 can be read"):
        OnnxModel(make_continuous(**make_facts(version_number=4)), make_spec([(2,), (2,)], 2))


def test_a_model_that_cannot_run(make_model, make_facts, make_spec):
    constants = make_facts(version_number=3, continuous_action_output_shape=2)
    path = make_model(
        [("NoSuchOperator", ["obs_0"], "continuous_actions", {})],
        {"obs_0": ("batch", 2)},
        {"continuous_actions": ("batch", 2)},
        constants,
    )
    with pytest.raises(ModelError, match=r"the model cannot be run: .*NoSuchOperator"):
        OnnxModel(path, make_spec([(2,)], 2))


def test_a_model_without_actions(make_model, make_facts, make_spec):
    constants = make_facts(version_number=3, continuous_action_output_shape=2)
    path = make_model([("Neg", ["obs_0"], "y", {})], {"obs_0": ("batch", 2)}, {"y": ("batch", 2)}, constants)
    with pytest.raises(ModelError, match=r"no output continuous_actions or action; it has y"):
        OnnxModel(path, make_spec([(2,)], 2))
