"""Reward signals as an axis: strength, discounts, ends, rewards per episode."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.data.segments import FlatSegments
from mlagents.learning.protocols import Signals
from mlagents.reward_signals.stack import RewardSignalError, RewardSignals
from mlagents.settings import BehaviorSettings, RewardSignalSettings
from toys.segments import make_segment
from toys.specs import behavior

SPEC = behavior(2, branches=(3,))
SMALL = {"network_settings": {"hidden_units": 8, "num_layers": 1}}
BOTH = {"curiosity": {"strength": 0.5, "gamma": 0.9} | SMALL, "extrinsic": {"strength": 2.0, "gamma": 0.99}}


def make(signals=BOTH):
    settings = BehaviorSettings.model_validate({"reward_signals": signals})
    return RewardSignals("B", SPEC, settings.reward_signals, seed=0)


def rows_of(rng, *ends):
    """Segments of 4 decisions; each ends as said: None, "ended", "interrupted"."""
    rows = FlatSegments(SPEC, 50)
    for end in ends:
        rows.extend(
            make_segment(
                (rng.normal(size=(5, 2)).astype(np.float32),),
                np.zeros((4, 0), np.float32),
                np.zeros((4, 0), np.float32),
                rng.integers(0, 3, (4, 1), np.int32),
                np.zeros((4, 1), np.float32),
                np.ones((4, 3), bool),
                np.arange(4, dtype=np.float32),
                end == "ended",
                end == "interrupted",
            )
        )
    return rows


def test_signals_keep_their_order_strength_and_discount():
    signals = make()
    assert isinstance(signals, Signals)
    assert signals.names == ("curiosity", "extrinsic")
    np.testing.assert_array_equal(signals.gamma, np.float32([0.9, 0.99]))
    rng = np.random.default_rng(0)
    rows = rows_of(rng, None)
    signals.learn(rows, signals.rewards(rows), rng, 1, 4)
    rewards = signals.rewards(rows)
    assert rewards.dtype == np.float32
    np.testing.assert_array_equal(rewards[:4, 1], [0.0, 2.0, 4.0, 6.0])
    assert (rewards[:4, 0] > 0.0).all()


def test_curiosity_goes_on_beyond_the_end_of_an_episode():
    rows = rows_of(np.random.default_rng(0), "ended", "interrupted", None)
    ended = make().terminated(rows)
    assert np.argwhere(ended).tolist() == [[3, 1]]


def test_the_reward_per_episode_is_said_when_episodes_end():
    signals, rng = make(), np.random.default_rng(0)
    rows = rows_of(rng, None, None)
    assert "Policy/Curiosity Reward" not in signals.learn(rows, np.full((100, 2), 0.25, np.float32), rng, 1, 4)
    rows = rows_of(rng, "ended", "interrupted")
    statistics = signals.learn(rows, np.full((100, 2), 0.5, np.float32), rng, 1, 4)
    assert statistics["Policy/Curiosity Reward"] == pytest.approx((8 * 0.25 + 8 * 0.5) / 2)
    assert "Policy/Extrinsic Reward" not in statistics


def test_extrinsic_alone_learns_nothing():
    signals, rng = make({"extrinsic": {}}), np.random.default_rng(0)
    before = rng.bit_generator.state
    rows = rows_of(rng, "ended")
    rng.bit_generator.state = before
    assert signals.learn(rows, signals.rewards(rows), rng, 3, 4) == {}
    assert rng.bit_generator.state == before
    assert signals.state_dict() == {}


def test_a_signal_of_a_later_version_is_named():
    with pytest.raises(RewardSignalError, match=r"reward_signals\.later .* extrinsic, curiosity"):
        RewardSignals("B", SPEC, {"later": RewardSignalSettings()}, seed=0)
