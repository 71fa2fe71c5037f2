"""Samplers drawn in Python."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mlagents_envs.sampler_class import Sampler, SamplerException, SamplerFactory


def draws(name, seed=0, count=4000, **arguments):
    sampler = SamplerFactory.init_sampler_class(name, arguments, seed)
    return np.array([sampler.sample_parameter() for _ in range(count)])


def test_uniform():
    assert stats.kstest(draws("uniform", min_value=2, max_value=5), stats.uniform(2, 3).cdf).pvalue > 0.01


def test_gaussian():
    assert stats.kstest(draws("gaussian", mean=2, st_dev=0.5), stats.norm(2, 0.5).cdf).pvalue > 0.01


@pytest.mark.parametrize("name", ["multirange_uniform", "multirangeuniform"])
def test_intervals_are_chosen_by_their_width(name):
    found = draws(name, intervals=[[0, 1], [10, 13]])
    assert ((found < 1) | (found >= 10)).all()
    assert abs((found >= 10).mean() - 0.75) < 0.03  # four standard deviations
    assert stats.kstest(found[found >= 10], stats.uniform(10, 3).cdf).pvalue > 0.01


def test_intervals_without_width():
    assert set(draws("multirange_uniform", count=50, intervals=[[1, 1], [2, 2]])) == {1.0, 2.0}


def test_the_same_seed_draws_the_same():
    np.testing.assert_array_equal(draws("gaussian", 3, 9, mean=0, st_dev=1), draws("gaussian", 3, 9, mean=0, st_dev=1))
    assert not (draws("gaussian", 3, 9, mean=0, st_dev=1) == draws("gaussian", 4, 9, mean=0, st_dev=1)).any()


def test_registering(monkeypatch):
    class Fixed(Sampler):
        def __init__(self, value, seed):
            self._value = value

        def sample_parameter(self):
            return self._value

    monkeypatch.setattr(SamplerFactory, "NAME_TO_CLASS", dict(SamplerFactory.NAME_TO_CLASS))
    SamplerFactory.register_sampler("fixed", Fixed)
    assert "fixed" in SamplerFactory.names()
    assert draws("fixed", count=2, value=3.0).tolist() == [3.0, 3.0]
    with pytest.raises(SamplerException, match="does not accept its arguments"):
        draws("fixed", values=3.0)
