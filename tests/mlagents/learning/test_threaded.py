"""Updates in a thread: the same arithmetic, one update later, whatever is saved on the way."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.algorithms.ppo.learner import PPOLearner
from mlagents.learning.protocols import NonFiniteUpdate
from mlagents.learning.threaded import ThreadedLearner
from mlagents.reward_signals.stack import RewardSignals
from mlagents.settings import BehaviorSettings
from mlagents.training.build import make_learner
from toys.segments import make_walk_segment
from toys.training import greedy_returns, make_loop, ppo_settings, sac_settings
from toys.walk import OPTIMUM, Walk

SPEC = Walk("hybrid").behavior_specs["Walk?team=0"]
SMALL = {"buffer_size": 128, "num_epoch": 1}


def new_ppo():
    settings = ppo_settings(10_000, SMALL, network_settings={"hidden_units": 8, "num_layers": 1})
    return PPOLearner("Walk", SPEC, settings, RewardSignals("Walk", SPEC, settings.reward_signals, 0), 0)


def segment(seed, reward=None):
    return make_walk_segment(60, np.random.default_rng(seed), reward)


def buffers():
    """Three full buffers."""
    return [[segment(3 * buffer + i) for i in range(3)] for buffer in range(3)]


def weights(learner):
    return {name: array for name, array in learner.state_dict()["tensors"].items() if name.startswith("weights.")}


def assert_same(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def bias(policy):
    return np.asarray(policy.body.dense.layers[0].bias)


def test_updates_are_those_of_the_learner_one_later():
    plain, threaded = new_ppo(), ThreadedLearner(new_ppo())
    told, biases = [], [bias(plain.snapshot())]
    for number, buffer in enumerate(buffers()):
        plain.extend(buffer)
        told.append(plain.update())
        biases.append(bias(plain.snapshot()))
        threaded.extend(buffer)
        assert threaded.ready()
        found = threaded.update()
        assert found == (told[number - 1] if number else {})
        assert threaded.version == number
        np.testing.assert_array_equal(bias(threaded.snapshot()), biases[number])
        assert not threaded.ready()
        assert threaded.steps == plain.steps == 180 * (number + 1)
    assert_same(weights(threaded), weights(plain))
    np.testing.assert_array_equal(bias(threaded.snapshot()), biases[3])


def test_saving_changes_nothing_of_what_comes_after():
    saved, other = ThreadedLearner(new_ppo()), ThreadedLearner(new_ppo())
    for number, buffer in enumerate(buffers()):
        found = []
        for learner in (saved, other):
            learner.extend(buffer[:2])
            if learner is saved:
                learner.state_dict(experience=True)
            assert not learner.ready()
            learner.extend(buffer[2:])
            assert learner.ready()
            found.append(learner.update())
        assert found[0] == found[1]
        assert saved.version == other.version == number
    assert_same(weights(saved), weights(other))


def test_what_waits_for_the_thread_is_a_copy():
    """The sampler writes over what it has handed on when it collects again."""
    plain, threaded = new_ppo(), ThreadedLearner(new_ppo())
    for buffer in buffers():
        plain.extend(buffer)
        plain.update()
        threaded.extend(buffer)
        for handed_on in buffer:
            handed_on.columns.reward[:] = 1e6
        threaded.update()
    first = next(iter(weights(plain)))
    assert np.isfinite(weights(threaded)[first]).all()
    assert_same(weights(threaded), weights(plain))


def test_a_fault_is_told_when_the_next_update_begins_and_learning_goes_on():
    threaded = ThreadedLearner(new_ppo())
    threaded.extend([segment(i, reward=np.inf) for i in range(3)])
    threaded.update()
    threaded.extend([segment(i) for i in range(3, 6)])
    with pytest.raises(NonFiniteUpdate):
        threaded.update()
    assert threaded.version == 0
    threaded.extend([segment(i) for i in range(6, 9)])
    assert threaded.update()["Losses/Value Loss"] > 0
    assert threaded.version == 1


def test_state_and_weights_of_others_are_taken_over():
    threaded, other = ThreadedLearner(new_ppo()), ThreadedLearner(new_ppo())
    for buffer in buffers():
        threaded.extend(buffer)
        threaded.update()
    state = threaded.state_dict(experience=True)
    other.load_state_dict(state)
    assert (other.steps, other.version) == (540, 3)
    assert_same(weights(other), weights(threaded))
    another = ThreadedLearner(new_ppo())
    another.initialize_from(state)
    assert (another.steps, another.version) == (0, 0)
    assert_same(weights(another), weights(threaded))


def settings_of(algorithm):
    if algorithm == "sac":
        return sac_settings(4_000, threaded=True)
    return ppo_settings(8_000, threaded=True)


@pytest.mark.parametrize("algorithm", ["ppo", pytest.param("sac", marks=pytest.mark.slow)])
def test_it_learns_and_repeats_itself(algorithm):
    policies = []
    for _ in range(2 if algorithm == "ppo" else 1):
        loop = make_loop(Walk("discrete"), settings_of(algorithm))
        loop.run(lambda: False)
        (behavior,) = loop.behaviors.values()
        assert isinstance(behavior.learner, ThreadedLearner)
        behavior.learner.state_dict()
        policies.append(behavior.learner.snapshot())
    assert np.mean(greedy_returns(Walk("discrete"), policies[0])) >= 0.95 * OPTIMUM
    np.testing.assert_array_equal(bias(policies[0]), bias(policies[-1]))


def test_the_setting_asks_for_it():
    for threaded in (True, False):
        learner = make_learner("Walk", SPEC, BehaviorSettings(threaded=threaded), 0)
        assert isinstance(learner, ThreadedLearner) == threaded
