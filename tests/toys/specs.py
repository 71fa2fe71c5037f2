"""Behavior specs in a line."""

from __future__ import annotations

from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType

NONE, MOVES, MANY = (
    DimensionProperty.NONE,
    DimensionProperty.TRANSLATIONAL_EQUIVARIANCE,
    DimensionProperty.VARIABLE_SIZE,
)


def observation(*shape, goal=False, variable=False, name="seen"):
    """A vector, an image (three axes) or, if variable, entities."""
    properties = {1: (NONE,), 2: (MANY if variable else NONE, NONE), 3: (NONE, MOVES, MOVES)}[len(shape)]
    kind = ObservationType.GOAL_SIGNAL if goal else ObservationType.DEFAULT
    return ObservationSpec(shape, properties, kind, name)


def behavior(*observations, continuous=0, branches=()):
    """Observations, or widths of vectors, and actions."""
    specs = [observation(o) if isinstance(o, int) else o for o in observations]
    return BehaviorSpec(specs, ActionSpec(continuous, tuple(branches)))
