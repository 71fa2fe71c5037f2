"""What samplers of other machines send: owned copies of what was collected, in few arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.data.columns import FIELDS, Columns
from mlagents.data.segments import Segment, WeightsId
from mlagents.rollout.collected import Collected
from mlagents_envs.behavior_id import BehaviorId


class _Head(NamedTuple):
    """A segment without its arrays: its place among all, its length, and what else it says of itself."""

    position: int
    length: int
    worker: int
    weights: WeightsId
    version: int
    terminated: bool
    truncated: bool


class _Bundle(NamedTuple):
    """Segments of one behavior and team behind one another; observations have one more row each.

    Attributes:
      fields: of `Columns`, [decisions, ...]; [0, ...] where every entry has the field's initial value.
    """

    behavior: BehaviorId
    heads: list[_Head]
    observations: list[NDArray[np.generic]]
    fields: dict[str, NDArray[np.generic]]


class Parcel(NamedTuple):
    """Several `Collected`, which own their arrays; to be pickled.

    Attributes:
      rounds: without segments. sizes: segments of each.
    """

    rounds: Sequence[Collected]
    sizes: Sequence[int]
    bundles: Sequence[_Bundle]


def pack(rounds: Sequence[Collected]) -> Parcel:
    """Return copies of all that was collected, without fields that nothing was written to."""
    segments = [segment for collected in rounds for segment in collected.segments]
    alike: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for position, segment in enumerate(segments):
        stored_as = tuple(observation.dtype for observation in segment.columns.observations)
        alike[segment.behavior, stored_as].append(position)
    bundles = [_bundle([(position, segments[position]) for position in found]) for found in alike.values()]
    return Parcel([c._replace(segments=()) for c in rounds], [len(c.segments) for c in rounds], bundles)


def unpack(parcel: Parcel) -> list[Collected]:
    """Return what was packed."""
    segments: dict[int, Segment] = {}
    for bundle in parcel.bundles:
        segments |= _segments(bundle)
    rounds, start = [], 0
    for collected, size in zip(parcel.rounds, parcel.sizes, strict=True):
        rounds.append(collected._replace(segments=[segments[start + i] for i in range(size)]))
        start += size
    return rounds


def _bundle(found: Sequence[tuple[int, Segment]]) -> _Bundle:
    columns = [segment.columns for _, segment in found]
    observations = [np.concatenate(parts) for parts in zip(*(c.observations for c in columns), strict=True)]
    fields: dict[str, NDArray[np.generic]] = {}
    for name, field in FIELDS.items():
        whole = np.concatenate([getattr(c, name) for c in columns])
        fields[name] = whole if np.any(whole != field.initial) else whole[:0].copy()
    heads = [
        _Head(position, len(s), s.worker, s.weights, s.version, s.terminated, s.truncated) for position, s in found
    ]
    return _Bundle(found[0][1].behavior, heads, observations, fields)


def _segments(bundle: _Bundle) -> Mapping[int, Segment]:
    total = sum(head.length for head in bundle.heads)
    fields = {name: _whole(name, field, total) for name, field in bundle.fields.items()}
    columns = Columns(bundle.observations, **fields)  # type: ignore[arg-type]
    found, start, observed = {}, 0, 0
    for head in bundle.heads:
        stop, last = start + head.length, observed + head.length + 1
        part = columns.part(slice(start, stop), slice(observed, last))
        rest = (head.worker, head.weights, head.version, head.terminated, head.truncated)
        found[head.position] = Segment(part, bundle.behavior, *rest)
        start, observed = stop, last
    return found


def _whole(name: str, field: NDArray[np.generic], total: int) -> NDArray[np.generic]:
    if len(field) == total:
        return field
    return np.broadcast_to(np.asarray(FIELDS[name].initial, field.dtype), (total, *field.shape[1:]))
