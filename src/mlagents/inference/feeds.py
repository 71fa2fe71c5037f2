"""From decision steps to the input arrays of a model, by the names that ML-Agents models use.

A feed is a function of the decision steps that makes one input's array.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.inference.errors import ModelMismatch
from mlagents.inference.memory import AgentMemory
from mlagents.inference.noise import EPSILON
from mlagents.inference.signature import Signature, Tensor
from mlagents_envs.base_env import BehaviorSpec, DecisionSteps

Feed = Callable[[DecisionSteps], NDArray[Any]]


@dataclass(frozen=True)
class _Offer:
    """What a behavior can feed: an array of shape [n, *shape]; of any shape if that is None."""

    shape: tuple[int, ...] | None
    feed: Feed


def plan_feeds(signature: Signature, spec: BehaviorSpec, memory: Mapping[str, AgentMemory]) -> dict[str, Feed]:
    """Return a feed for every input but noise, by the name of the input in the file.

    Args:
      signature: of the model.
      spec: of the behavior that the model is to play.
      memory: tables by the input that gets their rows, `recurrent_in` or `prev_action`.

    Raises:
      ModelMismatch: an input is of another shape, is not known, or is missing for an observation.
    """
    offers = _observation_offers(spec) | _other_offers(spec, memory)
    feeds: dict[str, Feed] = {}
    for name, tensor in signature.inputs.items():
        if name == EPSILON:
            continue
        if name not in offers:
            there = [f"{each} {_text(offer.shape)}" for each, offer in offers.items() if offer.shape is not None]
            raise ModelMismatch(
                f"{signature.path}: nothing in this behavior fits the model's input {name!r} of shape"
                f" {_text(tensor.shape[1:])}; it has {', '.join(there)}"
            )
        feeds[tensor.name] = _fitted(signature, name, tensor, offers[name])
    _check_all_observed(signature, spec)
    return feeds


def _observation_offers(spec: BehaviorSpec) -> dict[str, _Offer]:
    shapes = [sensor.shape for sensor in spec.observation_specs]
    offers = {f"obs_{i}": _Offer(shape, _observation(i)) for i, shape in enumerate(shapes)}
    vectors = [i for i, shape in enumerate(shapes) if len(shape) == 1]
    if vectors:
        offers["vector_observation"] = _Offer((sum(shapes[i][0] for i in vectors),), _vectors(vectors))
    images = [i for i, shape in enumerate(shapes) if len(shape) == 3]
    for k, i in enumerate(images):
        offers[f"visual_observation_{k}"] = _Offer(shapes[i], _observation(i))
    return offers


def _other_offers(spec: BehaviorSpec, memory: Mapping[str, AgentMemory]) -> dict[str, _Offer]:
    action = spec.action_spec
    offers = {
        "sequence_length": _Offer(None, lambda steps: np.ones(1)),
        "batch_size": _Offer(None, lambda steps: np.array([len(steps)])),
    }
    if action.discrete_branches:
        choices = sum(action.discrete_branches)
        offers["action_masks"] = _Offer((choices,), lambda steps: _allowed(steps, choices))
    for name, table in memory.items():
        offers[name] = _Offer((table.width,), _remembered(table))
    return offers


def _observation(index: int) -> Feed:
    return lambda steps: steps.obs[index]


def _vectors(indices: list[int]) -> Feed:
    if len(indices) == 1:
        return _observation(indices[0])
    return lambda steps: np.concatenate([steps.obs[i] for i in indices], axis=1)


def _remembered(memory: AgentMemory) -> Feed:
    return lambda steps: memory.rows(steps.agent_id)


def _allowed(steps: DecisionSteps, choices: int) -> NDArray[np.float32]:
    """Return float32 [n, choices], 1 = allowed."""
    masks = steps.action_mask
    if masks is None:
        return np.ones((len(steps), choices), np.float32)
    allowed = np.empty((len(steps), choices), np.float32)
    start = 0
    for mask in masks:
        stop = start + mask.shape[1]
        np.logical_not(mask, out=allowed[:, start:stop])
        start = stop
    return allowed


def _fitted(signature: Signature, name: str, tensor: Tensor, offer: _Offer) -> Feed:
    """Return the offer's feed, converted to the layout and dtype that the model declares.

    Models of version 2 take images as [channels, height, width] or [height, width, channels], and memory as
    [memory] or [1, memory].
    """
    feed, given = offer.feed, offer.shape
    if given is None:
        sizes = tuple(size or 1 for size in tensor.shape)
        return lambda steps: feed(steps).astype(tensor.dtype).reshape(sizes)
    wanted = tensor.shape[1:]
    if name.startswith("visual_") and (signature.channels_last or not _agree(wanted, given)):
        turned = *given[1:], given[0]
        if _agree(wanted, turned):
            return lambda steps: feed(steps).transpose(0, 2, 3, 1)
        given = turned if signature.channels_last else given
    if name == "recurrent_in" and _agree(wanted, (1, *given)):
        return lambda steps: feed(steps)[:, np.newaxis]
    if not _agree(wanted, given):
        raise ModelMismatch(
            f"{signature.path}: input {name} expects shape {_text(wanted)} for each agent; the behavior gives"
            f" {_text(given)}"
        )
    if tensor.dtype != np.float32:
        return lambda steps: feed(steps).astype(tensor.dtype)
    return feed


def _agree(wanted: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(wanted) == len(given) and all(a in (None, b) for a, b in zip(wanted, given, strict=True))


def _text(shape: tuple[int | None, ...]) -> str:
    return "[" + ", ".join("any" if size is None else str(size) for size in shape) + "]"


def _check_all_observed(signature: Signature, spec: BehaviorSpec) -> None:
    images = 0
    for i, sensor in enumerate(spec.observation_specs):
        names = [f"obs_{i}"]
        if len(sensor.shape) == 1:
            names.append("vector_observation")
        elif len(sensor.shape) == 3:
            names.append(f"visual_observation_{images}")
            images += 1
        if not signature.inputs.keys() & set(names):
            raise ModelMismatch(
                f"{signature.path}: the model has no input {' or '.join(names)} for observation {i}"
                f" ({sensor.name or 'unnamed'}) of shape {_text(sensor.shape)}; its inputs:"
                f" {', '.join(signature.inputs) or 'none'}"
            )
