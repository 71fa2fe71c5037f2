from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from mlagents.data.segments import NEWEST
from mlagents.self_play.opponents import draw

DRAWS = 4000


def shares(window, ratio, sampling="uniform", win_rates=None):
    rng = np.random.default_rng(0)
    counts = Counter(draw(rng, window, ratio, sampling, win_rates or {}) for _ in range(DRAWS))
    return {number: count / DRAWS for number, count in counts.items()}


def test_uniform():
    found = shares([3, 4, 5, 6], 0.5)
    assert found.keys() == {NEWEST, 3, 4, 5, 6}
    assert found[NEWEST] == pytest.approx(0.5, abs=0.03)
    assert all(found[number] == pytest.approx(0.125, abs=0.02) for number in (3, 4, 5, 6))


@pytest.mark.parametrize(("ratio", "expected"), [(0.0, {3}), (1.0, {NEWEST})])
def test_bounds(ratio, expected):
    assert shares([3], ratio).keys() == expected


def test_without_snapshots_the_newest_play():
    assert shares([], 0.0) == {NEWEST: 1.0}


def test_the_harder_the_more_often():
    """(1 - 0.5)^2 : (1 - 0)^2 : (1 - 1)^2 = 0.25 : 1 : 0, the last one with the least weight."""
    found = shares([0, 1, 2], 0.0, "pfsp", {1: 0.0, 2: 1.0})
    assert found[0] == pytest.approx(0.2, abs=0.03)
    assert found[1] == pytest.approx(0.8, abs=0.03)
    assert found.get(2, 0.0) < 0.01


def test_every_draw_takes_as_much_randomness():
    """So that what is drawn does not change what is drawn next."""
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    draw(one, [], 1.0, "uniform", {})
    draw(other, list(range(20)), 0.0, "pfsp", {})
    assert one.random() == other.random()
