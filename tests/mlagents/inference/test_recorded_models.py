"""Models that Unity's toolkit trained."""

from __future__ import annotations

import numpy as np
import onnxruntime

from mlagents.inference import OnnxModel, evaluate
from mlagents_envs.registry import default_registry


def session_of(path):
    return onnxruntime.InferenceSession(path)


def test_3dball(shared_data, make_spec, make_steps, rng):
    path = shared_data / "onnx" / "3DBall.onnx"
    model = OnnxModel(path, make_spec([(8,)], 2))
    x = rng.normal(0, 1, (50, 8)).astype(np.float32)
    (expected,) = session_of(path).run(["deterministic_continuous_actions"], {"obs_0": x})
    np.testing.assert_allclose(model.act(make_steps([x]), True, rng).continuous, expected, atol=1e-6)
    sampled = model.act(make_steps([x]), False, rng).continuous
    assert (np.abs(sampled) <= 1).all()
    assert not np.allclose(sampled, expected)


def test_basic(shared_data, make_spec, make_steps, rng):
    path = shared_data / "onnx" / "Basic.onnx"
    model = OnnxModel(path, make_spec([(20,)], 0, (3,)))
    x = np.eye(20, dtype=np.float32)
    forbidden = rng.random((20, 3)) < 0.3
    forbidden[np.arange(20), rng.integers(0, 3, 20)] = False
    (expected,) = session_of(path).run(
        ["deterministic_discrete_actions"], {"obs_0": x, "action_masks": 1 - forbidden.astype(np.float32)}
    )
    steps = make_steps([x], [forbidden])
    np.testing.assert_array_equal(model.act(steps, True, rng).discrete, expected)
    for _ in range(50):
        chosen = model.act(steps, False, rng).discrete[:, 0]
        assert not forbidden[np.arange(20), chosen].any()


def play(shared_data, name, episodes, **options):
    env = default_registry[name].make(seed=1)
    try:
        models = {
            behavior: OnnxModel(shared_data / "onnx" / f"{name}.onnx", spec)
            for behavior, spec in env.behavior_specs.items()
        }
        (result,) = evaluate(env, models, episodes, **options).values()
    finally:
        env.close()
    assert result.episodes == episodes
    return result


def test_basic_reaches_its_benchmark(shared_data):
    assert play(shared_data, "Basic", 100).mean >= 0.93 - 1e-6


def test_3dball_balances_always(shared_data):
    result = play(shared_data, "3DBall", 100, deterministic=True)
    assert result.mean >= 99, result
