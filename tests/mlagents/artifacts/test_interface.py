"""A policy comes back from its checkpoint, without environment or settings."""

from __future__ import annotations

import json

import jax
import numpy as np
import pytest

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.interface import KEY, interface, read_policy
from mlagents.artifacts.layout import Layout
from mlagents.nn.tensors import TensorMismatch, named_tensors
from mlagents.settings import NetworkSettings
from toys.policies import KINDS, seasoned_policy


def state_of(spec, policy, steps=3, **network):
    """As learners save it: with what only learners need beside the policy."""
    weights = {"body": policy.body, "head": policy.head, "value": np.ones((1, 4), np.float32)}
    tree = {"weights": weights, "normalizer": policy.normalizer, "adam": {"count": np.array(7)}}
    settings = NetworkSettings(**network)
    return {"tensors": named_tensors(tree), "steps": steps, KEY: interface(spec, settings, policy)}


@pytest.mark.parametrize("kind", KINDS)
def test_the_policy_comes_back(tmp_path, kind):
    spec, network = KINDS[kind]
    policy = seasoned_policy(spec, **network)
    settings = {"hidden_units": 16, "num_layers": 2} | {k: v for k, v in network.items() if k != "squashed"}
    checkpoints = Checkpoints(Layout("run", tmp_path))
    checkpoints.save({"B": state_of(spec, policy, **settings)}, {}, {})
    saved, step = read_policy(Checkpoints.open(Layout.of_folder(tmp_path / "run")), "B")
    assert step == 3
    assert saved.spec == spec
    assert saved.policy.head.squashed == policy.head.squashed
    assert jax.tree.structure(saved.policy) == jax.tree.structure(policy)
    for a, b in zip(jax.tree.leaves(saved.policy), jax.tree.leaves(policy), strict=True):
        np.testing.assert_array_equal(a, b)


def test_it_is_plain():
    spec, network = KINDS["all at once"]
    plain = interface(spec, NetworkSettings(memory=network["memory"]), seasoned_policy(spec, **network))
    assert json.loads(json.dumps(plain)) == plain


def test_a_checkpoint_of_an_older_version_is_told(tmp_path):
    spec, network = KINDS["squashed"]
    state = state_of(spec, seasoned_policy(spec, **network))
    del state[KEY]
    checkpoints = Checkpoints(Layout("run", tmp_path))
    checkpoints.save({"B": state}, {}, {})
    with pytest.raises(CheckpointError, match=r"B at step 3: the checkpoint does not say .*older version.*--resume"):
        read_policy(checkpoints, "B")


def test_weights_of_another_network_are_told(tmp_path):
    spec, network = KINDS["squashed"]
    checkpoints = Checkpoints(Layout("run", tmp_path))
    checkpoints.save({"B": state_of(spec, seasoned_policy(spec, **network), hidden_units=9)}, {}, {})
    with pytest.raises(
        TensorMismatch, match=r"behavior B at step 3(.*\n)+.*layers\.0\.bias: saved \[16\], this network has \[9\]"
    ):
        read_policy(checkpoints, "B")
