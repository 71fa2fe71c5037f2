"""Animations as .gif files, written picture by picture: of each only what differs from the one before."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FOR_EVER: Final = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
_END: Final = b"\x3b"


class Gif:
    """An animation of up to 256 colours per picture. A picture that equals the one before makes that one longer.

    Args:
      path: file to write.
      seconds_per_picture: how long each is shown; rounded to 1/100 s.
    """

    def __init__(self, path: Path, seconds_per_picture: float) -> None:
        self._file = path.open("wb")
        self._milliseconds = 10 * round(100.0 * seconds_per_picture)
        self._last: NDArray[np.uint8] | None = None
        self._changed: tuple[int, int, int, int] | None = None
        self._shown_ms = 0

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Add the next picture, uint8 [height, width, 3]."""
        box = self._difference(picture)
        if box is not None:
            self._flush()
            self._changed, self._last = box, picture.copy()
        self._shown_ms += self._milliseconds

    def close(self) -> None:
        """Write the last picture and the end of the file."""
        self._flush()
        if self._last is not None:
            self._file.write(_END)
        self._file.close()

    def _difference(self, picture: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
        """Return left, top, right and bottom of what is new; None if nothing is."""
        height, width = picture.shape[:2]
        if self._last is None:
            self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0x70, 0, 0) + _FOR_EVER)
            return 0, 0, width, height
        differs = picture != self._last
        rows = np.flatnonzero(differs.reshape(height, -1).any(axis=1))
        if not len(rows):
            return None
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        columns = np.flatnonzero(differs[top:bottom].any(axis=0).any(axis=1))
        return int(columns[0]), top, int(columns[-1]) + 1, bottom

    def _flush(self) -> None:
        """Write the picture that waits, now that it is known how long it is shown."""
        from PIL import Image
        from PIL.GifImagePlugin import getdata

        if self._changed is None or self._last is None:
            return
        left, top, right, bottom = self._changed
        part = Image.fromarray(self._last[top:bottom, left:right]).quantize(method=Image.Quantize.FASTOCTREE)
        for data in getdata(part, (left, top), duration=self._shown_ms, disposal=1, include_color_table=True):
            self._file.write(data)
        self._changed, self._shown_ms = None, 0
