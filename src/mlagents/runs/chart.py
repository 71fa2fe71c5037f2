"""Curves as a picture, drawn with Pillow: panels side by side, one legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

COLOURS = (
    (31, 119, 180),
    (214, 95, 14),
    (44, 140, 60),
    (186, 40, 60),
    (120, 90, 180),
    (140, 96, 60),
    (210, 110, 180),
    (90, 90, 90),
)
_FINE = 2  # drawn twice as large and reduced, so that lines are smooth
_PANEL = (460, 320)
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 30, 48
_ROW = 20
_INK, _GRID = (40, 40, 40), (226, 226, 226)


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
      label: in the legend; lines of one label have one colour.
      x, y: float64 [points]; points without a number are left out.
    """

    label: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]


@dataclass(frozen=True)
class Panel:
    """One pair of axes.

    Attributes:
      x_label, y_label: what is on the axes.
      lines: in it; none, and the panel says that nothing is known.
    """

    x_label: str
    y_label: str
    lines: Sequence[Line]


def draw(path: Path, panels: Sequence[Panel]) -> None:
    """Write panels side by side, with a legend below them, as a .png file.

    Raises:
      OSError: the file cannot be written.
    """
    labels = list(dict.fromkeys(line.label for panel in panels for line in panel.lines))
    size = (_PANEL[0] * len(panels), _PANEL[1] + _ROW * len(labels) + 8)
    picture = Image.new("RGB", (size[0] * _FINE, size[1] * _FINE), "white")
    pen = ImageDraw.Draw(picture)
    colours = {label: COLOURS[number % len(COLOURS)] for number, label in enumerate(labels)}
    for number, panel in enumerate(panels):
        _Axes(pen, panel, (_PANEL[0] * number, 0)).draw(colours)
    for row, (label, colour) in enumerate(colours.items()):
        y = _PANEL[1] + _ROW * row + _ROW // 2
        _line(pen, [(_LEFT, y), (_LEFT + 24, y)], colour, 3)
        _text(pen, (_LEFT + 32, y), label, "lm")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.reduce(_FINE).save(path, "PNG")


class _Axes:
    def __init__(self, pen: ImageDraw.ImageDraw, panel: Panel, corner: tuple[int, int]) -> None:
        self._pen, self._panel = pen, panel
        self._box = (corner[0] + _LEFT, corner[1] + _TOP, corner[0] + _PANEL[0] - _RIGHT, _PANEL[1] - _BOTTOM)
        points = [(line.x[ok], line.y[ok]) for line in panel.lines if (ok := _known(line)).any()]
        self._x = _range([x for x, _ in points])
        self._y = _range([y for _, y in points])
        self._is_empty = not points

    def draw(self, colours: dict[str, tuple[int, int, int]]) -> None:
        left, top, right, bottom = self._box
        for value in ticks(*self._x):
            x = self._at(value, self._y[0])[0]
            _line(self._pen, [(x, top), (x, bottom)], _GRID, 1)
            _text(self._pen, (x, bottom + 6), short(value), "mt")
        for value in ticks(*self._y):
            y = self._at(self._x[0], value)[1]
            _line(self._pen, [(left, y), (right, y)], _GRID, 1)
            _text(self._pen, (left - 6, y), short(value), "rm")
        _line(self._pen, [(left, top), (left, bottom), (right, bottom)], _INK, 1)
        _text(self._pen, ((left + right) / 2, bottom + 26), self._panel.x_label, "mt")
        _text(self._pen, (left, top - 8), self._panel.y_label, "ls")
        if self._is_empty:
            _text(self._pen, ((left + right) / 2, (top + bottom) / 2), "not recorded", "mm")
        for line in self._panel.lines:
            known = _known(line)
            spots = [self._at(float(x), float(y)) for x, y in zip(line.x[known], line.y[known], strict=True)]
            if len(spots) == 1:
                _dot(self._pen, spots[0], colours[line.label])
            _line(self._pen, spots, colours[line.label], 2)

    def _at(self, x: float, y: float) -> tuple[float, float]:
        """Return where a point is, in pixels of the final picture."""
        left, top, right, bottom = self._box
        (x0, x1), (y0, y1) = self._x, self._y
        return left + (x - x0) / (x1 - x0) * (right - left), bottom - (y - y0) / (y1 - y0) * (bottom - top)


def _known(line: Line) -> NDArray[np.bool_]:
    return np.isfinite(line.x) & np.isfinite(line.y)


def _range(columns: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    if not columns:
        return 0.0, 1.0
    low, high = min(float(c.min()) for c in columns), max(float(c.max()) for c in columns)
    room = 0.04 * (high - low) or 0.5 * max(abs(low), 1.0)
    return low - room, high + room


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return round numbers in a range, at most `most`: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))
    first, last = math.ceil(low / step), math.floor(high / step)
    return [number * step for number in range(first, last + 1)]


def short(value: float) -> str:
    """Return a number for an axis: 1500000 as 1.5M."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{value / (1e3 if letter == 'k' else limit):g}{letter}"
    return f"{0.0 if abs(value) < 1e-12 else value:g}"


def _line(
    pen: ImageDraw.ImageDraw, spots: Sequence[tuple[float, float]], colour: tuple[int, int, int], width: int
) -> None:
    pen.line([(x * _FINE, y * _FINE) for x, y in spots], fill=colour, width=width * _FINE, joint="curve")


def _dot(pen: ImageDraw.ImageDraw, spot: tuple[float, float], colour: tuple[int, int, int]) -> None:
    x, y = spot[0] * _FINE, spot[1] * _FINE
    pen.ellipse((x - 3 * _FINE, y - 3 * _FINE, x + 3 * _FINE, y + 3 * _FINE), fill=colour)


def _text(pen: ImageDraw.ImageDraw, spot: tuple[float, float], text: str, anchor: str) -> None:
    font = ImageFont.load_default(12 * _FINE)
    try:
        pen.text((spot[0] * _FINE, spot[1] * _FINE), text, fill=_INK, font=font, anchor=anchor)
    except ValueError:  # a Pillow without FreeType: its own font has no anchors, and no other letters
        plain = text.encode("latin-1", "replace").decode("latin-1")
        pen.text((spot[0] * _FINE, spot[1] * _FINE), plain, fill=_INK, font=font)
