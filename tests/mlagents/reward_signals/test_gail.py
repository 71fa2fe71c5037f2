"""GAIL: what it rewards, what it says, what survives a checkpoint, and demonstrations that do not fit."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.data.segments import FlatSegments
from mlagents.learning.protocols import Intrinsic, NonFiniteUpdate
from mlagents.nn.tensors import named_tensors, with_tensors
from mlagents.reward_signals.gail import GAIL
from mlagents.reward_signals.stack import RewardSignals
from mlagents.settings import BehaviorSettings, GAILSettings
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import Demonstration, DemonstrationError, Episode, save_demonstration
from toys.segments import make_segment
from toys.specs import behavior

SPEC = behavior(3, continuous=1, branches=(2,))


def demo(path, seen, spec=SPEC, ended=True):
    """One episode of the expert, whose actions are the signs of what it sees first."""
    seen, steps = np.float32(seen), len(seen) - 1
    action = ActionTuple(np.sign(seen[:-1, :1]), np.int32(seen[:-1, :1] > 0))
    masks, zeros = [np.zeros((steps, 2), np.bool_)], np.zeros(steps, np.float32)
    episode = Episode([seen], action, masks, 0.0, zeros, zeros, ended, False)
    save_demonstration(Demonstration("made", "B?team=0", spec, (episode,)), path)
    return path


def rows_of(seen, squashed=False, reach=3.0):
    """The policy's: the same behavior, in its own numbers."""
    seen, steps = np.float32(seen), len(seen) - 1
    rows = FlatSegments(SPEC, 100, squashed=squashed)
    sign = np.sign(seen[:-1, :1])
    rows.extend(
        make_segment(
            (seen,),
            np.zeros((steps, 0), np.float32),
            np.float32(reach) * sign,
            np.int32(sign > 0),
            np.zeros((steps, 2), np.float32),
            np.ones((steps, 2), bool),
            np.zeros(steps, np.float32),
            True,
        )
    )
    return rows


def make(path, seed=0, **more):
    network = {"hidden_units": 16, "num_layers": 1, "normalize": True}
    settings = {"demo_path": str(path), "learning_rate": 3e-3, "network_settings": network}
    return GAIL("B", SPEC, GAILSettings.model_validate(settings | more), seed)


@pytest.fixture
def path(tmp_path):
    return demo(tmp_path / "a.demo", np.random.default_rng(0).normal(size=(61, 3)))


def test_nothing_is_rewarded_before_anything_was_learned(path):
    signal = make(path)
    assert isinstance(signal, Intrinsic)
    assert signal.respects_ends
    assert not signal.rewards(rows_of(np.zeros((5, 3)))).any()


def test_who_looks_like_the_experts_earns_more(path):
    rng = np.random.default_rng(1)
    signal, strong = make(path), make(path, strength=2.0)
    far = rng.normal(size=(61, 3)) + 3.0
    found = signal.learn(rows_of(far), rng, 200, 20)
    strong.load_state_dict(signal.state_dict())
    near = rng.normal(size=(61, 3))
    like, unlike = (signal.rewards(rows_of(seen))[:60] for seen in (near, far))
    assert like.mean() > unlike.mean() + 1.0
    np.testing.assert_allclose(strong.rewards(rows_of(near))[:60], 2.0 * like, rtol=1e-4, atol=1e-4)
    assert found["Policy/GAIL Expert Estimate"] > 0.55 > 0.45 > found["Policy/GAIL Policy Estimate"]
    assert set(found) == {
        "Losses/GAIL Loss",
        "Policy/GAIL Policy Estimate",
        "Policy/GAIL Expert Estimate",
        "Policy/GAIL Grad Mag Loss",
    }


@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_a_step_as_such_is_worth_nothing_however_well_the_policy_is_told_from_experts(path, offset):
    """With -log(1 - D) a policy that cannot be told from experts earns log 2 for every step that it lives longer, and
    the bare score would cost a policy that is easily told more than 1 for each."""
    rng = np.random.default_rng(1)
    signal = make(path)
    rows = rows_of(rng.normal(size=(61, 3)) + offset)
    signal.learn(rows, rng, 200, 20)
    signal.learn(rows, rng, 200, 20)
    rewards = signal.rewards(rows)
    assert not rewards[60:].any()
    assert abs(rewards[:60].mean()) < 0.2
    scores = rewards[:60] + float(signal.state_dict()["average"])
    assert (np.log1p(np.exp(scores)) > 0.0).all()  # -log(1 - D) of the same decisions
    if offset:
        assert scores.mean() < -0.3


@pytest.mark.parametrize(("squashed", "reach"), [(False, 3.0), (True, 9.0)])
def test_actions_are_compared_as_the_environment_gets_them(path, squashed, reach):
    """Observations are the same. 3 before clipping, and 9 before tanh, are the expert's 1; 0.3 is not."""
    seen = np.random.default_rng(0).normal(size=(61, 3))
    same, weaker = rows_of(seen, squashed, reach), rows_of(seen, squashed, 0.3)
    estimates = {}
    for name, rows in (("same", same), ("weaker", weaker)):
        rng, signal = np.random.default_rng(1), make(path, use_actions=True)
        estimates[name] = signal.learn(rows, rng, 200, 20)["Policy/GAIL Policy Estimate"]
    assert abs(estimates["same"] - 0.5) < 0.02
    assert estimates["weaker"] < 0.475


def test_vail_says_what_passes_and_its_price(path):
    rng = np.random.default_rng(1)
    signal = make(path, use_vail=True)
    rows = rows_of(rng.normal(size=(61, 3)) + 2.0)
    first = signal.learn(rows, rng, 1, 20)
    assert first["Losses/GAIL KL Loss"] > 0.0
    last = signal.learn(rows, rng, 10, 20)
    assert last["Policy/GAIL Beta"] == pytest.approx(float(signal.state_dict()["beta"]))
    assert last["Policy/GAIL Beta"] >= 0.0


def test_its_normaliser_has_seen_the_experts_and_the_policy(path):
    signal = make(path)
    assert signal.state_dict()["normalizer"].count == 61
    signal.learn(rows_of(np.zeros((11, 3))), np.random.default_rng(0), 2, 5)
    assert signal.state_dict()["normalizer"].count == 71


def test_numbers_that_are_not_finite_leave_everything_as_it_was(path):
    rng, signal = np.random.default_rng(0), make(path)
    signal.learn(rows_of(rng.normal(size=(11, 3))), rng, 1, 5)
    before = named_tensors(signal.state_dict())
    broken = rng.normal(size=(11, 3))
    broken[3] = np.nan
    with pytest.raises(NonFiniteUpdate, match="behavior B: a GAIL update"):
        signal.learn(rows_of(broken), rng, 1, 5)
    for name, tensor in named_tensors(signal.state_dict()).items():
        np.testing.assert_array_equal(tensor, before[name], err_msg=name)


def test_a_checkpoint_goes_on_as_if_nothing_had_happened(path):
    rows = rows_of(np.random.default_rng(0).normal(size=(31, 3)))
    first, second = make(path, use_vail=True), make(path, seed=5, use_vail=True)
    first.learn(rows, np.random.default_rng(1), 1, 8)
    second.load_state_dict(with_tensors(second.state_dict(), named_tensors(first.state_dict()), "B"))
    for signal in (first, second):
        signal.learn(rows, np.random.default_rng(2), 2, 8)
    leaves = zip(jax.tree.leaves(first.state_dict()), jax.tree.leaves(second.state_dict()), strict=True)
    assert all(np.array_equal(a, b) for a, b in leaves)


def test_every_signal_at_once(path):
    network = {"network_settings": {"hidden_units": 8, "num_layers": 1}}
    settings = {"gail": {"demo_path": str(path)} | network, "rnd": network, "curiosity": network, "extrinsic": {}}
    signals = RewardSignals("B", SPEC, BehaviorSettings.model_validate({"reward_signals": settings}).reward_signals, 0)
    rng = np.random.default_rng(0)
    rows = rows_of(rng.normal(size=(11, 3)))
    found = signals.learn(rows, signals.rewards(rows), rng, 1, 5)
    assert {"Losses/GAIL Loss", "Losses/RND Loss", "Losses/Curiosity Forward Loss"} <= set(found)
    assert {"Policy/Gail Reward", "Policy/Rnd Reward", "Policy/Curiosity Reward"} <= set(found)
    assert np.argwhere(signals.terminated(rows)).tolist() == [[9, 0], [9, 3]]


def test_demonstrations_that_do_not_fit_are_named(tmp_path, path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        make(tmp_path / "nowhere.demo")
    other = demo(tmp_path / "b.demo", np.zeros((5, 4)), behavior(4, continuous=1, branches=(2,)))
    with pytest.raises(DemonstrationError, match=r"b\.demo: .*3.*"):
        make(other)
    hurt = tmp_path / "c.demo"
    hurt.write_bytes(path.read_bytes()[:40])
    with pytest.raises(DemonstrationError, match=r"c\.demo"):
        make(hurt)
