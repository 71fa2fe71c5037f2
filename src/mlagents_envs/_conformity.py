"""Checks of single values against the contract of `BaseEnv`; `mlagents_envs.testing` puts them together.

Each raises `AssertionError`: where, what was expected, what was found.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.behavior_id import BehaviorId

Columns = list[tuple[str, NDArray[Any]]]
"""Arrays, each with a label that says what it is."""


def fail(where: str, expected: str, found: object) -> NoReturn:
    """Say what is wrong."""
    raise AssertionError(f"{where}: expected {expected}, found {found}")


def check_spec(name: object, spec: BehaviorSpec) -> None:
    """Check that a behavior's name and spec are of the types and ranges they should be."""
    where = f"behavior_specs[{name!r}]"
    if not isinstance(name, str) or not name:
        fail("behavior_specs", "names such as '3DBall?team=0'", repr(name))
    try:
        BehaviorId.parse(name)
    except ValueError as error:
        fail("behavior_specs", "names such as '3DBall?team=0'", str(error))
    if not isinstance(spec, BehaviorSpec):
        fail(where, "a BehaviorSpec", repr(spec))
    if not spec.observation_specs:
        fail(f"{where}.observation_specs", "at least one observation", "none")
    for position, sensor in enumerate(spec.observation_specs):
        _check_observation_spec(f"{where}.observation_specs[{position}]", sensor)
    if not isinstance(spec.action_spec, ActionSpec):
        fail(f"{where}.action_spec", "an ActionSpec", repr(spec.action_spec))
    size, branches = spec.action_spec
    if not isinstance(size, int) or size < 0:
        fail(f"{where}.action_spec.continuous_size", "an int of at least 0", repr(size))
    if not _are_positive_ints(branches):
        fail(f"{where}.action_spec.discrete_branches", "a tuple of positive ints", repr(branches))


def _check_observation_spec(where: str, sensor: ObservationSpec) -> None:
    if not isinstance(sensor, ObservationSpec):
        fail(where, "an ObservationSpec", repr(sensor))
    shape, properties = sensor.shape, sensor.dimension_property
    if not _are_positive_ints(shape) or not shape:
        fail(f"{where}.shape", "a tuple of positive ints", repr(shape))
    if len(properties) != len(shape) or not all(isinstance(axis, DimensionProperty) for axis in properties):
        fail(f"{where}.dimension_property", f"a DimensionProperty for each axis of {shape}", repr(properties))
    if not isinstance(sensor.observation_type, ObservationType):
        fail(f"{where}.observation_type", "an ObservationType", repr(sensor.observation_type))
    if not isinstance(sensor.name, str):
        fail(f"{where}.name", "a str", repr(sensor.name))


def _are_positive_ints(values: object) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, int) and value > 0 for value in values)


def check_batch(where: str, batch: DecisionSteps | TerminalSteps, spec: BehaviorSpec) -> None:
    """Check that all columns have the dtype and shape of the spec, and values that are possible."""
    ids = batch.agent_id
    if not isinstance(ids, np.ndarray) or ids.ndim != 1:
        fail(f"{where}.agent_id", "an int32 array [n]", repr(ids))
    n = len(ids)
    _check_column(f"{where}.agent_id", ids, np.int32, (n,))
    if len(set(ids.tolist())) != n or (ids < 0).any():
        fail(f"{where}.agent_id", "ids of at least 0, each once", ids.tolist())
    if len(batch.obs) != len(spec.observation_specs):
        fail(f"{where}.obs", f"{len(spec.observation_specs)} arrays, one per observation spec", len(batch.obs))
    for position, (column, sensor) in enumerate(zip(batch.obs, spec.observation_specs, strict=True)):
        label = f"{where}.obs[{position}]" + (f" ({sensor.name})" if sensor.name else "")
        _check_numbers(label, column, (n, *sensor.shape), ids)
    _check_numbers(f"{where}.reward", batch.reward, (n,), ids)
    _check_groups(where, batch)
    if isinstance(batch, DecisionSteps):
        _check_masks(f"{where}.action_mask", batch.action_mask, n, spec.action_spec)
    else:
        _check_column(f"{where}.interrupted", batch.interrupted, np.bool_, (n,))


def _check_groups(where: str, batch: DecisionSteps | TerminalSteps) -> None:
    ids, group, reward = batch.agent_id, batch.group_id, batch.group_reward
    _check_column(f"{where}.group_id", group, np.int32, ids.shape)
    _check_numbers(f"{where}.group_reward", reward, ids.shape, ids)
    if (group < 0).any():
        fail(f"{where}.group_id", "0 (no group) or a positive number", group.tolist())
    paid_alone = (group == 0) & (reward != 0)
    if paid_alone.any():
        fail(
            f"{where}.group_reward",
            f"0 for agents without a group, such as {ids[paid_alone].tolist()}",
            reward[paid_alone].tolist(),
        )


def _check_masks(where: str, masks: list[NDArray[np.bool_]] | None, n: int, spec: ActionSpec) -> None:
    if masks is None:
        return
    branches = spec.discrete_branches
    if not branches:
        fail(where, "None, as there are no discrete branches", f"{len(masks)} arrays")
    if len(masks) != len(branches):
        fail(where, f"None or {len(branches)} arrays, one per branch", f"{len(masks)} arrays")
    for branch, (mask, size) in enumerate(zip(masks, branches, strict=True)):
        _check_column(f"{where}[{branch}]", mask, np.bool_, (n, size))
        if mask.all(axis=1).any():
            fail(f"{where}[{branch}]", "an allowed choice (False) in each row", mask.tolist())


def _check_numbers(where: str, column: object, shape: tuple[int, ...], ids: NDArray[np.int32]) -> None:
    """Check as `_check_column` for float32; also that all are finite, or name the agents."""
    numbers = _check_column(where, column, np.float32, shape)
    if not np.isfinite(numbers).all():
        broken = ~np.isfinite(numbers).all(axis=tuple(range(1, numbers.ndim)))
        fail(where, "finite numbers", f"NaN or infinity for agents {ids[broken].tolist()}")


def _check_column(where: str, column: object, dtype: type[np.generic], shape: tuple[int, ...]) -> NDArray[Any]:
    wanted = f"an array {dtype.__name__} {shape}"
    if not isinstance(column, np.ndarray):
        fail(where, wanted, f"a {type(column).__name__}")
    if column.dtype != dtype or column.shape != shape:
        fail(where, wanted, f"{column.dtype} {column.shape}")
    return column


def columns_of(where: str, batch: DecisionSteps | TerminalSteps) -> Columns:
    """Return all arrays of a batch."""
    columns: Columns = [(f"{where}.obs[{position}]", obs) for position, obs in enumerate(batch.obs)]
    names = ["reward", "agent_id", "group_id", "group_reward"]
    if isinstance(batch, TerminalSteps):
        names.append("interrupted")
    else:
        columns += [(f"{where}.action_mask", mask) for mask in batch.action_mask or ()]
    return columns + [(f"{where}.{name}", getattr(batch, name)) for name in names]


def check_same(first: Columns, second: Columns, expected: str) -> None:
    """Check that two lists of columns have the same labels and contents."""
    for (label, one), (other_label, other) in zip(first, second, strict=False):
        if label != other_label:
            fail(label, expected, other_label)
        if not np.array_equal(one, other):
            fail(label, expected, f"{one.tolist()} and {other.tolist()}"[:200])
    if len(first) != len(second):
        fail((first + second)[-1][0], expected, f"{len(first)} and {len(second)} arrays")
