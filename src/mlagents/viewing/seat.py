"""Where a person sits who plays: what a window, a terminal and other seats have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ESCAPE: Final = "escape"


class Seat(Protocol):
    """Where the player sits: a window or a terminal."""

    pictures_per_second: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the pictures that fit, pixels."""

    def show(self, picture: NDArray[np.uint8], caption: Sequence[str]) -> None:
        """Show a picture, uint8 [height, width, 3], and lines of text below it."""

    def wait(self, seconds: float) -> list[str]:
        """Wait so long; return the keys that were pressed since the last call, in their order.

        Raises:
          Quit: the player has had enough.
        """

    def held(self) -> list[str]:
        """Return the keys that are held now, the newest last."""


class Quit(Exception):
    """The player has had enough."""
