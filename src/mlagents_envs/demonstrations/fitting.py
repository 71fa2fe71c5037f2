"""Whether a demonstration fits a behavior: which of its observations is which of the behavior's."""

from __future__ import annotations

from collections.abc import Sequence

from mlagents_envs.base_env import BehaviorSpec, ObservationSpec


def describe_misfit(found: BehaviorSpec, expected: BehaviorSpec) -> str | None:
    """Say what of a demonstration differs from a behavior, naming both; None if nothing that matters does."""
    if found.action_spec != expected.action_spec:
        return f"its actions are {found.action_spec}; expected {expected.action_spec}"
    if sorted(found.observation_shapes) != sorted(expected.observation_shapes):
        return (
            f"its observations have the shapes {_listed(found.observation_specs)}; "
            f"expected {_listed(expected.observation_specs)}"
        )
    if _order(found.observation_specs, expected.observation_specs) is None:
        return (
            f"its observations are {_listed(found.observation_specs)}; expected "
            f"{_listed(expected.observation_specs)}, and neither names nor shapes tell which is which"
        )
    return None


def match_observations(found: BehaviorSpec, expected: BehaviorSpec) -> tuple[int, ...]:
    """Return for each expected observation the position of the one that is meant.

    Those of one name and shape are the same. Others are the same if they stand at the same place, or are the only ones
    of their shape. Files of before 2020 know no names.

    Raises:
      ValueError: it cannot be told (see `describe_misfit`).
    """
    order = _order(found.observation_specs, expected.observation_specs)
    if order is None:
        raise ValueError(describe_misfit(found, expected))
    return order


def _order(found: Sequence[ObservationSpec], expected: Sequence[ObservationSpec]) -> tuple[int, ...] | None:
    if len(found) != len(expected):
        return None
    order: list[int | None] = [_only(found, spec.shape, spec.name) if spec.name else None for spec in expected]
    order = [
        None if place is not None and _only(expected, spec.shape, spec.name) is None else place
        for place, spec in zip(order, expected, strict=True)
    ]
    for number, spec in enumerate(expected):
        if order[number] is None:
            free = [i for i, other in enumerate(found) if other.shape == spec.shape and i not in order]
            wanted = [i for i, other in enumerate(expected) if other.shape == spec.shape and order[i] is None]
            if free != wanted and len(free) != 1:
                return None
            for place, other in zip(wanted, free, strict=True):
                order[place] = other
    return tuple(place for place in order if place is not None)


def _only(specs: Sequence[ObservationSpec], shape: tuple[int, ...], name: str) -> int | None:
    """Return where the one of this name and shape stands; None if there is none, or several."""
    places = [i for i, spec in enumerate(specs) if (spec.shape, spec.name) == (shape, name)]
    return places[0] if len(places) == 1 else None


def _listed(specs: Sequence[ObservationSpec]) -> str:
    return "[" + ", ".join(f"{spec.shape} {spec.name!r}" if spec.name else f"{spec.shape}" for spec in specs) + "]"
