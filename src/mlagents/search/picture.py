"""The results of a search as a picture: a panel for each key, a point for each trial."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageFont

_WIDTH, _HEIGHT, _LEFT, _TOP, _BOTTOM, _RIGHT = 420, 300, 64, 30, 40, 16
_POINT = 4
_LINE, _DONE, _CUT, _BEST = (150, 150, 150), (48, 110, 180), (200, 200, 200), (202, 90, 60)


class Point(NamedTuple):
    """A trial in one panel.

    Attributes:
      x: value of the key. y: what came of it. is_cut: whether the trial was cut short. is_best: of all.
    """

    x: Any
    y: float
    is_cut: bool
    is_best: bool


class Panel(NamedTuple):
    """What is drawn of one key.

    Attributes:
      title: the key. points: of trials. is_log: whether orders of magnitude are equally wide.
    """

    title: str
    points: Sequence[Point]
    is_log: bool = False


def draw(path: Path, panels: Sequence[Panel], label: str) -> None:
    """Write a picture; trials that were cut short are grey, the best is red.

    Args:
      path: of the .png file.
      panels: one below the other.
      label: of the vertical axes.

    Raises:
      OSError: the file cannot be written.
    """
    picture = Image.new("RGB", (_WIDTH, _HEIGHT * max(1, len(panels))), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default()
    for place, panel in enumerate(panels):
        _draw_panel(pen, font, panel, _HEIGHT * place, label)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "PNG")


def _draw_panel(pen: ImageDraw.ImageDraw, font: Any, panel: Panel, top: int, label: str) -> None:
    frame = (_LEFT, top + _TOP, _WIDTH - _RIGHT, top + _HEIGHT - _BOTTOM)
    pen.rectangle(frame, outline=_LINE)
    pen.text((_LEFT, top + 8), f"{label}, by {panel.title}"[:58], "black", font)
    if not panel.points:
        return
    xs, ticks = positions([point.x for point in panel.points], panel.is_log)
    ys = [point.y for point in panel.points]
    low, high = min(ys), max(ys)
    for y in (low, high) if high > low else (low,):
        pen.text((4, _across(y, low, high, frame[3], frame[1]) - 6), f"{y:.4g}", "black", font)
    for place, text in ticks:
        pen.text((_across(place, 0.0, 1.0, frame[0], frame[2]) - 3 * len(text), frame[3] + 6), text, "black", font)
    for point, x in sorted(zip(panel.points, xs, strict=True), key=lambda pair: (pair[0].is_best, not pair[0].is_cut)):
        colour = _BEST if point.is_best else _CUT if point.is_cut else _DONE
        middle = _across(x, 0.0, 1.0, frame[0], frame[2]), _across(point.y, low, high, frame[3], frame[1])
        pen.ellipse([c + d for d in (-_POINT, _POINT) for c in middle], fill=colour)


def positions(values: Sequence[Any], is_log: bool = False) -> tuple[list[float], list[tuple[float, str]]]:
    """Return where values are on an axis from 0 to 1, and the axis's marks; words stand side by side, as they came."""
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if not is_number:
        names = list(dict.fromkeys(map(str, values)))
        at = {name: (place + 0.5) / len(names) for place, name in enumerate(names)}
        return [at[str(value)] for value in values], [(place, name) for name, place in at.items()]
    scaled = [math.log(value) if is_log else float(value) for value in values]
    low, high = min(scaled), max(scaled)
    if low == high:
        return [0.5] * len(values), [(0.5, f"{values[0]:.4g}")]
    return [(x - low) / (high - low) for x in scaled], [(0.0, f"{min(values):.4g}"), (1.0, f"{max(values):.4g}")]


def _across(value: float, low: float, high: float, begin: int, end: int) -> float:
    share = (value - low) / (high - low) if high > low else 0.5
    margin = 12 if end > begin else -12
    return begin + margin + share * (end - begin - 2 * margin)
