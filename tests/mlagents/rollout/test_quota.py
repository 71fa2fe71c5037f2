"""How much samplers play before an update."""

from __future__ import annotations

import pytest

from mlagents.rollout.quota import Quota


def test_one_sampler_is_asked_for_what_is_wanted_to_the_decision():
    quota = Quota(101, ahead=0)
    assert quota.share(0, 1) == 101
    quota.received = 40
    assert quota.share(0, 1) == 61
    quota.received = 101
    assert quota.is_full
    assert quota.share(0, 1) == 0


def test_shares_of_several_add_up_to_what_is_wanted():
    quota, outstanding = Quota(100, ahead=0), 0
    for others in (3, 2, 1):
        outstanding += quota.share(outstanding, others)
    assert outstanding == 100
    assert quota.share(outstanding, 1) == 0


@pytest.mark.parametrize(("ahead", "left"), [(0, 0), (1, 100), (2, 200)])
def test_with_staleness_samplers_play_on_during_updates(ahead, left):
    quota = Quota(100, ahead)
    quota.received = 100
    assert quota.is_full
    assert quota.share(0, 1) == left


def test_what_is_asked_for_again_is_as_much():
    quota = Quota(100, ahead=0)
    quota.received = 130
    quota.renew()
    assert quota.share(0, 1) == 100
