"""A window as a player's seat; several keys may be held at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

from mlagents.viewing.seat import ESCAPE, Quit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WIDTH: Final = 640
HEIGHT: Final = 480
POLL_S: Final = 0.005


class NoWindow(Exception):
    """No window can be opened here; the message says why."""


class Window:
    """A `Seat`.

    Args:
      root: the `tkinter.Tk` to fill.
      title: of the window.
    """

    pictures_per_second = 25.0

    def __init__(self, root: Any, title: str) -> None:
        import tkinter

        self._root = root
        self._picture: Any = None
        self._held: dict[str, None] = {}
        self._released: dict[str, int] = {}
        self._pressed: list[str] = []
        self._is_over = False
        root.title(title)
        root.resizable(False, False)
        root.protocol("WM_DELETE_WINDOW", self._leave)
        self._canvas = tkinter.Label(root, width=WIDTH, height=HEIGHT, borderwidth=0)
        self._canvas.pack()
        self._caption = tkinter.Label(root, justify="left", anchor="w", wraplength=WIDTH)
        self._caption.pack(fill="x")
        root.bind("<KeyPress>", self._press)
        root.bind("<KeyRelease>", self._release)
        root.bind("<FocusOut>", lambda event: self._held.clear())

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._picture = None
        self._root.destroy()

    @property
    def size(self) -> tuple[int, int]:
        """Always the same."""
        return WIDTH, HEIGHT

    def show(self, picture: NDArray[np.uint8], caption: Sequence[str]) -> None:
        """Draw."""
        from PIL import Image, ImageTk

        self._picture = ImageTk.PhotoImage(Image.fromarray(picture), master=self._root)  # Tk itself keeps none
        self._canvas.configure(image=self._picture)
        self._caption.configure(text="\n".join(caption))
        self._handle_events()

    def wait(self, seconds: float) -> list[str]:
        """Let the window live until the time is over."""
        deadline = time.perf_counter() + seconds
        while True:
            self._handle_events()
            if self._is_over:
                raise Quit
            left = deadline - time.perf_counter()
            if left <= 0.0:
                pressed, self._pressed = self._pressed, []
                return pressed
            time.sleep(min(POLL_S, left))

    def held(self) -> list[str]:
        """Return the keys that are held now, the newest last."""
        return list(self._held)

    def _handle_events(self) -> None:
        self._root.update()
        for name in self._released:
            self._held.pop(name, None)
        self._released.clear()

    def _leave(self) -> None:
        self._is_over = True

    def _press(self, event: Any) -> None:
        name = event.keysym.lower()
        if name == ESCAPE:
            self._leave()
        elif self._released.get(name) == event.time:  # X11 repeats a held key as release and press at one time
            del self._released[name]
        elif name not in self._held:
            self._held[name] = None
            self._pressed.append(name)

    def _release(self, event: Any) -> None:
        self._released[event.keysym.lower()] = event.time


def open_window(title: str) -> Window:
    """Open a window.

    Raises:
      NoWindow: there is no display, or Python came without tkinter.
    """
    try:
        import tkinter

        from PIL import ImageTk  # noqa: F401
    except ImportError as error:
        raise NoWindow(f"this Python has no tkinter ({error}); on Debian and Ubuntu it is python3-tk") from error
    try:
        return Window(tkinter.Tk(), title)
    except tkinter.TclError as error:
        raise NoWindow(str(error)) from error
