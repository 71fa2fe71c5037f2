"""Demonstrations in SAC's minibatches: how many, where, and in which numbers."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.algorithms.sac.demonstrated import DemonstrationReplay
from mlagents.data.demonstrations import load_demonstrations
from mlagents.data.replay import Replay
from mlagents.data.segments import FlatSegments
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.demonstrations import Demonstration, Episode, save_demonstration
from toys.segments import make_segment
from toys.specs import behavior

SPEC = behavior(1, continuous=1, branches=(2,))


def demo(path, steps=5):
    """Observations are 100, 101, ...; every action is 1 and -0.5 in turn, every reward 7, and the episode ends."""
    seen = 100 + np.arange(steps + 1, dtype=np.float32)[:, None]
    acted = ActionTuple(np.resize(np.float32([[1.0], [-0.5]]), (steps, 1)), np.ones((steps, 1), np.int32))
    masks, zeros = [np.zeros((steps, 2), np.bool_)], np.zeros(steps, np.float32)
    episode = Episode([seen], acted, masks, 0.0, zeros + 7.0, zeros, True, False)
    save_demonstration(Demonstration("made", "B?team=0", SPEC, (episode,)), path)
    return load_demonstrations(path, SPEC, "B")


@pytest.mark.parametrize(("ratio", "share"), [(0.01, 1), (0.25, 1), (0.5, 2), (1.0, 4)])
def test_the_share_of_every_minibatch_is_demonstrated(tmp_path, ratio, share):
    rows, rng = demo(tmp_path / "a.demo"), np.random.default_rng(0)
    own = Replay(SPEC, 20)
    own.extend(
        make_segment(
            (np.zeros((11, 1), np.float32),),
            np.zeros((10, 0), np.float32),
            np.zeros((10, 1), np.float32),
            np.zeros((10, 1), np.int32),
            np.zeros((10, 2), np.float32),
            np.ones((10, 2), bool),
            np.zeros(10, np.float32),
        )
    )
    sample = FlatSegments(SPEC, 12, squashed=True)
    lengths = own.sample(rng, 3 * 4, sample)
    lengths = DemonstrationReplay(rows, SPEC, ratio, 4, 1, 0).mix(rng, 3, sample, lengths)
    np.testing.assert_array_equal(lengths, np.ones(12))
    before, after = sample.columns.observations[0][:24, 0].reshape(12, 2).T
    of_demo = np.tile(np.arange(4) >= 4 - share, 3)
    np.testing.assert_array_equal(before >= 100, of_demo)
    np.testing.assert_array_equal(after[of_demo], before[of_demo] + 1)
    columns, first = sample.columns, slice(0, 24, 2)
    np.testing.assert_array_equal(columns.reward[first], np.where(of_demo, 7.0, 0.0))
    np.testing.assert_array_equal(columns.discrete[first, 0], of_demo)
    expected = np.where(before % 2 == 0, 0.999, -0.5)[of_demo]
    np.testing.assert_allclose(np.tanh(columns.continuous[first, 0][of_demo]), expected, rtol=1e-4)
    np.testing.assert_array_equal(sample.terminated[first], of_demo & (before == 104))
    assert sample.steps == 12


def test_sequences_keep_their_lengths(tmp_path):
    """An episode of 5 decisions in sequences of at most 3: one of 3, one of 2."""
    rows, rng = demo(tmp_path / "a.demo"), np.random.default_rng(0)
    demonstrated = DemonstrationReplay(rows, SPEC, 1.0, 6, 3, 4)
    sample = FlatSegments(SPEC, 12, memory_size=4, squashed=True)
    lengths = demonstrated.mix(rng, 1, sample, np.zeros(6, np.int32))
    start = sample.columns.observations[0][:24:4, 0]
    np.testing.assert_array_equal(lengths, np.where(start == 100, 3, 2))
    assert set(start.tolist()) == {100.0, 103.0}
    assert not sample.columns.memory[:24].any()
