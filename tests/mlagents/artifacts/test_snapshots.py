from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.artifacts.checkpoints import CheckpointError
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.players import load_player
from mlagents.artifacts.snapshots import Snapshots, read_snapshot
from mlagents.data.segments import WeightsId
from mlagents.inference import ModelError, ModelMismatch
from mlagents.rollout.collected import Weights
from mlagents.settings import NetworkSettings
from toys.contest import Race
from toys.policies import behavior, seasoned_policy

SPEC = behavior((2,), branches=(2,))
NETWORK = NetworkSettings(hidden_units=16, num_layers=2)


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(Layout("r", tmp_path))


def save(snapshots, number, seed=0, name="Runner"):
    policy = seasoned_policy(SPEC, seed)
    snapshots.save(WeightsId(name, number), Weights(policy, 7 + number), 100 * number, SPEC, NETWORK)
    return policy


def assert_same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_was_saved_is_loaded(snapshots):
    policies = [save(snapshots, number, seed=number) for number in range(3)]
    save(snapshots, 0, name="Other/Name")
    found = snapshots.load("Runner", seasoned_policy(SPEC, 99))
    assert list(found) == [0, 1, 2]
    assert [weights.version for weights in found.values()] == [7, 8, 9]
    for policy, weights in zip(policies, found.values(), strict=True):
        assert_same(policy, weights.policy)
    assert list(snapshots.load("Other/Name", policies[0])) == [0]
    assert snapshots.load("Nobody", policies[0]) == {}


def test_damaged_files_and_other_networks_are_said_and_left_out(snapshots, caplog):
    for number in range(3):
        save(snapshots, number)
    path = snapshots.files("Runner")[1]
    path.write_bytes(path.read_bytes()[:-10])
    assert list(snapshots.load("Runner", seasoned_policy(SPEC))) == [0, 2]
    assert "Runner-1.safetensors cannot be used as an opponent" in caplog.text
    assert snapshots.load("Runner", seasoned_policy(SPEC, hidden_units=8)) == {}


def test_prune_keeps_what_is_played_with(snapshots):
    for number in range(5):
        save(snapshots, number)
        save(snapshots, number, name="Other")
    snapshots.prune({"Runner"}, {WeightsId("Runner", 1), WeightsId("Runner", 4), WeightsId("Other", 0)})
    assert list(snapshots.files("Runner")) == [1, 4]
    assert len(snapshots.files("Other")) == 5


def test_a_snapshot_is_a_policy_by_itself_and_a_player(snapshots):
    policy = save(snapshots, 3)
    path = snapshots.files("Runner")[3]
    assert_same(read_snapshot(path).policy, policy)
    env = Race()
    env.reset()
    player = load_player(path, "Runner?team=0", SPEC, env)
    steps = env.get_steps("Runner?team=0")[0]
    assert player.act(steps, True, np.random.default_rng(0)).discrete.shape == (len(steps), 1)


def test_players_that_are_none(snapshots, tmp_path):
    save(snapshots, 0)
    path, name = snapshots.files("Runner")[0], "Runner?team=0"
    with pytest.raises(ModelMismatch, match=r"is for observations \[2\] and .* the behavior has observations \[3\]"):
        load_player(path, name, behavior((3,), branches=(2,)), Race())
    with pytest.raises(ModelError, match="is no player"):
        load_player(tmp_path / "x.txt", name, SPEC, Race())
    with pytest.raises(ModelError, match="does not exist"):
        load_player(tmp_path / "x.safetensors", name, SPEC, Race())
    with pytest.raises(ModelError, match="'heuristic' is for environments of mlagents_sim"):
        load_player("heuristic", name, SPEC, object())
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="not readable as a snapshot"):
        load_player(path, name, SPEC, Race())
