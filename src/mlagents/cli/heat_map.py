"""A matrix of shares as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_CELL = 48
_LETTER = 7
_LOST, _EVEN, _WON, _NOTHING = (202, 90, 60), (247, 244, 238), (48, 110, 180), (222, 222, 222)


def draw(path: Path, rows: Sequence[str], columns: Sequence[str], shares: Sequence[Sequence[float | None]]) -> None:
    """Write a picture: blue where a row beats a column, red where it loses, grey where they never met.

    Args:
      path: of the .png file.
      rows: labels.
      columns: labels.
      shares: of each row against each column, 0 to 1; None without games.

    Raises:
      OSError: the file cannot be written.
    """
    left = 16 + _LETTER * max(map(len, rows), default=0)
    top = 16 + _LETTER * max(map(len, columns), default=0)
    picture = Image.new("RGB", (left + _CELL * len(columns) + 8, top + _CELL * len(rows) + 8), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default()
    for column, label in enumerate(columns):
        text = Image.new("RGB", (top - 8, 14), "white")
        ImageDraw.Draw(text).text((0, 0), label, "black", font)
        picture.paste(text.rotate(90, expand=True), (left + _CELL * column + _CELL // 2 - 7, 0))
    for row, label in enumerate(rows):
        pen.text((8, top + _CELL * row + _CELL // 2 - 6), label, "black", font)
        for column in range(len(columns)):
            share = shares[row][column]
            corner = left + _CELL * column, top + _CELL * row
            pen.rectangle((*corner, corner[0] + _CELL - 2, corner[1] + _CELL - 2), _colour(share))
            if share is not None:
                pen.text((corner[0] + 12, corner[1] + _CELL // 2 - 6), f"{100 * share:.0f}%", "black", font)
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, "PNG")


def _colour(share: float | None) -> tuple[int, int, int]:
    if share is None:
        return _NOTHING
    end, part = (_WON, 2 * share - 1) if share > 0.5 else (_LOST, 1 - 2 * share)
    r, g, b = (round(even + part * (colour - even)) for even, colour in zip(_EVEN, end, strict=True))
    return r, g, b
