"""`BehaviorSpec` from brain parameters and the observations of a behavior's first agent, and back."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
)
from mlagents_envs.communicator_objects.brain_parameters_pb2 import ActionSpecProto, BrainParametersProto
from mlagents_envs.communicator_objects.space_type_pb2 import continuous, discrete
from mlagents_envs.exception import UnityActionException, UnityObservationException
from mlagents_envs.rpc.images import channels_last

_LARGEST_OBSERVATION = 2**28  # floats: 1 GiB; a shape beyond that is damage
_MOST_ACTIONS = 2**20
_KNOWN_FLAGS = sum(DimensionProperty)
_TO_CHANNELS_FIRST = (2, 0, 1)


def behavior_spec_from_proto(
    brain_param_proto: Any, agent_info: Any, package_version: str | None = None
) -> BehaviorSpec:
    """Return the spec of a behavior.

    Args:
      brain_param_proto: `BrainParametersProto`.
      agent_info: `AgentInfoProto` of any agent of the behavior: its observations tell the shapes.
      package_version: of the Unity package, which decides on the axis order of images when nothing else does.

    Raises:
      UnityObservationException: an observation has an impossible shape or type.
      UnityActionException: a size of the actions is negative.
    """
    return BehaviorSpec(
        [observation_from_proto(proto, package_version)[0] for proto in agent_info.observations],
        action_spec_from_proto(brain_param_proto),
    )


def observation_from_proto(proto: Any, package_version: str | None) -> tuple[ObservationSpec, bool]:
    """Return the spec in an `ObservationProto`, and whether it is an image sent as (height, width, channels)."""
    shape = tuple(proto.shape)
    if not shape or min(shape) < 0 or prod(shape) > _LARGEST_OBSERVATION:
        raise UnityObservationException(f"Observation {proto.name!r} has the impossible shape {shape}.")
    properties = tuple(proto.dimension_properties) or (0,) * len(shape)
    if len(properties) != len(shape) or not all(0 <= flags <= _KNOWN_FLAGS for flags in properties):
        raise UnityObservationException(
            f"Observation {proto.name!r} of shape {shape} has the dimension properties {properties}; "
            f"expected one per axis, each a sum of {[f'{flag:d} {flag.name}' for flag in DimensionProperty]}."
        )
    if proto.observation_type not in [kind.value for kind in ObservationType]:
        raise UnityObservationException(
            f"Observation {proto.name!r} has type {proto.observation_type}; known are "
            f"{[f'{kind.value} {kind.name}' for kind in ObservationType]}."
        )
    last = len(shape) == 3 and channels_last(shape, proto.dimension_properties, package_version, proto.compressed_data)
    if last:
        shape = tuple(shape[axis] for axis in _TO_CHANNELS_FIRST)
        properties = tuple(properties[axis] for axis in _TO_CHANNELS_FIRST)
    axes = tuple(DimensionProperty(flags) for flags in properties)
    return ObservationSpec(shape, axes, ObservationType(proto.observation_type), proto.name), last


def action_spec_from_proto(brain: Any) -> ActionSpec:
    """Return the actions in a `BrainParametersProto`; raises as `behavior_spec_from_proto`."""
    spec = brain.action_spec
    if spec.num_continuous_actions or spec.num_discrete_actions:
        size, branches = spec.num_continuous_actions, tuple(spec.discrete_branch_sizes)
    elif brain.vector_action_space_type_deprecated == continuous:  # package 1.6 and older
        size, branches = (tuple(brain.vector_action_size_deprecated) or (0,))[0], ()
    else:
        size, branches = 0, tuple(brain.vector_action_size_deprecated)
    if min((size, *branches)) < 0 or sum((size, *branches)) > _MOST_ACTIONS:
        raise UnityActionException(
            f"Behavior {brain.brain_name!r} has impossible actions: continuous size {size}, branches {branches}."
        )
    return ActionSpec(size, branches)


def brain_parameters(name: str, action_spec: ActionSpec, *, legacy: bool = False) -> Any:
    """Return the `BrainParametersProto` that announces a behavior.

    Args:
      name: fully qualified, like `3DBall?team=0`.
      action_spec: what its agents do.
      legacy: also fill the fields that readers before API 1.3 (and .demo files) know; they have no room for
        continuous and discrete actions at once.
    """
    brain = BrainParametersProto(brain_name=name, is_training=True)
    brain.action_spec.CopyFrom(
        ActionSpecProto(
            num_continuous_actions=action_spec.continuous_size,
            num_discrete_actions=action_spec.discrete_size,
            discrete_branch_sizes=action_spec.discrete_branches,
        )
    )
    if legacy:
        is_continuous = action_spec.continuous_size > 0
        brain.vector_action_space_type_deprecated = continuous if is_continuous else discrete
        brain.vector_action_size_deprecated.extend(
            [action_spec.continuous_size] if is_continuous else action_spec.discrete_branches
        )
    return brain


def wire_axes(spec: ObservationSpec, *, images_channels_last: bool) -> tuple[Sequence[int], Sequence[int]]:
    """Return (shape, dimension properties) as they are sent."""
    shape, properties = spec.shape, [int(flags) for flags in spec.dimension_property]
    if images_channels_last and len(shape) == 3:
        return (*shape[1:], shape[0]), [*properties[1:], properties[0]]
    return shape, properties
