"""The race and the two-against-one as environments that a Python file offers, for runs from a shell."""

from __future__ import annotations

from mlagents_envs.registry import BaseRegistryEntry
from toys.contest import Race, two_against_one


class _Entry(BaseRegistryEntry):
    def __init__(self, name, make):
        super().__init__(name, None, None)
        self._make = make

    def make(self, seed=0, num_areas=None, **ignored):
        return self._make(areas=num_areas or 6, seed=seed)


ENTRY = _Entry("Race", Race)
PAIR_ENTRY = _Entry("TwoAgainstOne", two_against_one)
