"""What samplers of other machines send is what they collected, to the last bit, and nothing that nobody wrote."""

from __future__ import annotations

import pickle

import numpy as np

from mlagents.data.columns import FIELDS, Columns
from mlagents.data.segments import Segment, WeightsId
from mlagents.rollout.collected import Collected
from mlagents.rollout.parcels import pack, unpack
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.behavior_id import BehaviorId


def spec(*shapes):
    none = DimensionProperty.NONE
    observations = [ObservationSpec(s, (none,) * len(s), ObservationType.DEFAULT, "o") for s in shapes]
    return BehaviorSpec(observations, ActionSpec(2, (3,)))


def segment(rng, name, length, worker=0, floats=False):
    columns = Columns.empty(spec((4,), (2, 2, 3)), 0, length)
    vector = rng.random((length + 1, 4), np.float32)
    image = rng.integers(0, 256, (length + 1, 2, 2, 3)).astype(np.uint8)
    columns = columns._replace(observations=[vector, image.astype(np.float32) / 255 if floats else image])
    columns.reward[:] = rng.random(length)
    columns.continuous[:] = rng.random((length, 2))
    return Segment(columns, BehaviorId.parse(name), worker, WeightsId(name.split("?")[0]), length, length % 2 == 0)


def collected(segments, steps=1):
    return Collected(segments, [], [(0, {})], steps, {"A": 3})


def test_rounds_come_back_as_they_were_in_their_order():
    rng = np.random.default_rng(0)
    first = [segment(rng, "A?team=0", 3, 1), segment(rng, "A?team=1", 1), segment(rng, "A?team=0", 5, floats=True)]
    rounds = [collected(first, 4), collected([], 2), collected([segment(rng, "A?team=0", 2, 7)])]
    found = unpack(pickle.loads(pickle.dumps(pack(rounds))))
    assert [c._replace(segments=()) for c in found] == [c._replace(segments=()) for c in rounds]
    for ours, theirs in zip(rounds, found, strict=True):
        for a, b in zip(ours.segments, theirs.segments, strict=True):
            assert (a.behavior, a.worker, a.weights, a.version) == (b.behavior, b.worker, b.weights, b.version)
            assert (a.terminated, a.truncated, len(a)) == (b.terminated, b.truncated, len(b))
            for (name, x), (other, y) in zip(a.columns.named(), b.columns.named(), strict=True):
                assert name == other
                assert x.dtype == y.dtype
                np.testing.assert_array_equal(x, y)


def test_fields_that_nobody_wrote_are_not_sent():
    """All but reward and continuous actions are at their initial values: 12 bytes a decision, and observations."""
    rng = np.random.default_rng(0)
    (bundle,) = pack([collected([segment(rng, "A", 100), segment(rng, "A", 50)])]).bundles
    assert {name for name in FIELDS if bundle.fields[name].size} == {"reward", "continuous"}
    assert sum(field.nbytes for field in bundle.fields.values()) == 150 * 12
    assert sum(observation.nbytes for observation in bundle.observations) == 152 * (16 + 12)


def test_an_owned_segment_holds_when_its_origin_is_written_over():
    origin = segment(np.random.default_rng(0), "A", 4)
    reward = origin.columns.reward.copy()
    owned = origin.owned()
    for _, column in origin.columns.named():
        column[...] = 0
    np.testing.assert_array_equal(owned.columns.reward, reward)
    assert owned.columns.observations[0].any()
