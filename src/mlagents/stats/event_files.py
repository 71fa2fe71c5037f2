"""Reading the scalars of TensorBoard event files, ours and those of others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple


class Scalar(NamedTuple):
    """One point of a curve: its x value, when it was written (s since 1970), and its y value."""

    step: int
    wall_time: float
    value: float


def read_scalars(folder: Path) -> dict[str, list[Scalar]]:
    """Return the points of each tag in the event files of a folder, in the order of their steps.

    What a later session wrote anew replaces what earlier ones had from its first step on, as in TensorBoard. A file
    that was cut short is read as far as it goes.
    """
    points: dict[str, list[Scalar]] = {}
    for path in sorted(folder.glob("events.out.tfevents*")):
        for event in _events(path):
            if event.HasField("session_log") and event.session_log.status == event.session_log.START:
                points = {tag: [p for p in found if p.step < event.step] for tag, found in points.items()}
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    point = Scalar(event.step, event.wall_time, value.simple_value)
                    points.setdefault(value.tag, []).append(point)
    return {tag: sorted(found) for tag, found in points.items()}


def _events(path: Path) -> Iterator[Any]:
    """Yield the events of a file: records of length (8 bytes), checksum (4), data, checksum (4)."""
    from google.protobuf.message import DecodeError
    from tensorboardX.proto.event_pb2 import Event

    size = path.stat().st_size
    with path.open("rb") as file:
        while len(header := file.read(12)) == 12:
            length = int.from_bytes(header[:8], "little")
            if length > size:
                return
            data = file.read(length)
            if len(data) < length or len(file.read(4)) < 4:
                return
            try:
                yield Event.FromString(data)
            except DecodeError:
                return
