"""Nothing starts equal by accident."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from mlagents.learning.streams import stream
from mlagents.settings import BehaviorSettings
from mlagents.training.build import make_learner
from toys.specs import behavior


def first(seed, name, part):
    return stream(seed, name, part).integers(2**62)


def test_streams_of_other_seeds_behaviors_and_parts_differ_and_the_same_is_the_same():
    keys = list(itertools.product((0, 1), ("Listen", "Silent", "a"), ("policy", "curiosity", "")))
    drawn = [first(*key) for key in keys]
    assert len(set(drawn)) == len(keys)
    assert [first(*key) for key in keys] == drawn


def test_name_and_part_do_not_run_into_each_other():
    assert first(0, "ab", "c") != first(0, "a", "bc")


def weights_of(name, **changes):
    """Return every weight matrix of a new learner, by name."""
    curiosity = {"curiosity": {"network_settings": {"hidden_units": 128}}}
    sections = {"reward_signals": {"extrinsic": {}} | curiosity} | changes
    learner = make_learner(name, behavior(3, continuous=2), BehaviorSettings.model_validate(sections), seed=0)
    tensors = learner.state_dict()["tensors"]
    return {k: v for k, v in tensors.items() if k.endswith("weight") and "weights." in k}


@pytest.mark.parametrize("trainer_type", ["ppo", "sac"])
def test_no_two_networks_of_a_run_start_equal(trainer_type):
    """Anagrams of a behavior's name, too; and the encoder of curiosity is not the policy's body."""
    found = [weights_of(name, trainer_type=trainer_type) for name in ("Listen", "Silent")]
    every = [matrix for weights in found for matrix in weights.values() if matrix.size > 10]
    same_shape = [(a, b) for a, b in itertools.combinations(every, 2) if a.shape == b.shape]
    assert len(same_shape) > 20
    assert not any(np.array_equal(a, b) for a, b in same_shape)
