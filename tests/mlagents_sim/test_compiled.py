"""Compiled functions: what is bound to them, and who counts references to arrays."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import NamedTuple, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from numba.core.errors import NumbaError

import mlagents_sim
from mlagents_sim.physics.compiled import allocating, compiled


class Pair(NamedTuple):
    """Arrays as a world has them."""

    first: np.ndarray
    second: np.ndarray


@compiled
def add(pair: Pair, times: int) -> tuple[int, bool]:
    for _ in range(times):
        for i in range(len(pair.first)):
            pair.first[i] += pair.second[i]
    return times, pair.first[0] > 5.0


def test_a_bound_function_does_what_it_does_unbound() -> None:
    bound_to, unbound = Pair(np.zeros(3), np.arange(1.0, 4.0)), Pair(np.zeros(3), np.arange(1.0, 4.0))
    bound = add.bind(bound_to)
    for times in (1, 0, 2, 3):
        assert bound(times) == add(unbound, times)
    np.testing.assert_array_equal(bound_to.first, (6.0, 12.0, 18.0))
    np.testing.assert_array_equal(unbound.first, bound_to.first)


def test_machine_code_takes_only_what_it_was_made_for() -> None:
    """A bound function does not look at its arguments again, so each kind of them has code of its own."""
    whole, half = Pair(np.zeros(3), np.ones(3)), Pair(np.zeros(3, np.float32), np.ones(3, np.float32))
    for pair in (whole, half):
        bound = add.bind(pair)
        assert bound(1) == (1, False)
        assert bound(1) == (1, False)
        np.testing.assert_array_equal(pair.first, 2.0)


def compiled_functions() -> Iterator[compiled]:
    modules = pkgutil.walk_packages(mlagents_sim.__path__, "mlagents_sim.")
    for module in (importlib.import_module(info.name) for info in modules if ".models" not in info.name):
        for found in vars(module).values():
            if isinstance(found, compiled) and found.__module__ == module.__name__:
                yield found


def returns_arrays(function: compiled) -> bool:
    annotations = get_type_hints(function._function)
    parts = [annotations.get("return", type(None))]
    while any(get_origin(part) is tuple for part in parts):
        parts = [inner for part in parts for inner in (get_args(part) if get_origin(part) is tuple else (part,))]
    return not {part for part in parts if part is not Ellipsis} <= {type(None), bool, int, float}


def test_who_returns_arrays_or_is_given_them_counts_who_refers_to_them() -> None:
    """Otherwise they would be given back too early, or never."""
    found = list(compiled_functions())
    assert sum(isinstance(function, allocating) for function in found) > 20
    for function in found:
        if not isinstance(function, allocating):
            called = [function._function.__globals__.get(name) for name in function._function.__code__.co_names]
            assert not returns_arrays(function), function
            assert not [each for each in called if isinstance(each, compiled) and returns_arrays(each)], function


def test_a_function_that_makes_arrays_must_say_so() -> None:
    @compiled
    def make() -> float:
        return float(np.ones(3)[0])

    with pytest.raises(NumbaError) as caught:
        make()
    assert caught.value.__notes__ == [f"If {make.__qualname__} makes arrays, let it be @allocating, not @compiled."]
