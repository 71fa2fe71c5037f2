"""The cameras of those who look at the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

_MOVED: Final = 1e-3
"""Share of its distance by which a camera differs from where it was put only if somebody moved it."""


_SMALLEST: Final = 50
"""Width and height of a picture, pixels; what is smaller is not yet, or no longer, laid out."""


class _Placed(NamedTuple):
    """For how large a picture a camera was put last, width and height in pixels, and wherever it was put so far.

    What a page tells of its camera may be older than the last move that it was told.
    """

    size: tuple[int, int]
    positions: list[NDArray[np.float64]]


class Cameras:
    """Puts every camera to where all is in view, again when its picture gets another size, until somebody moves it.

    Panels take their part of the window only after the page has connected, so the size is not known before.

    Args:
      server: of viser.
      place: width over height of a picture -> position and target of its camera, float64 [3] each.
    """

    def __init__(self, server: Any, place: Callable[[float], tuple[NDArray[np.float64], NDArray[np.float64]]]) -> None:
        self._server, self._place = server, place
        self._placed: dict[int, _Placed] = {}

    def fit(self, client: Any) -> None:
        """Put a client's camera to where all is in view, unless it is there or somebody has moved it."""
        camera = client.camera
        size = camera.image_width, camera.image_height
        last = self._placed.get(client.client_id)
        if min(size) < _SMALLEST:
            return
        if last is None or (size != last.size and not self._was_moved(client, last)):
            self._put(client)

    def look_at_everything(self) -> None:
        """Put all cameras to where all is in view."""
        for client in self._server.get_clients().values():
            self._put(client)

    def _put(self, client: Any) -> None:
        size = client.camera.image_width, client.camera.image_height
        position, target = self._place(max(size[0], _SMALLEST) / max(size[1], _SMALLEST))
        last = self._placed.get(client.client_id)
        before = [np.asarray(client.camera.position)] if last is None else last.positions
        move_camera(client, position, target)
        self._placed[client.client_id] = _Placed(size, [*before, position])

    def _was_moved(self, client: Any, last: _Placed) -> bool:
        position, target = client.camera.position, client.camera.look_at
        reach = _MOVED * float(np.linalg.norm(position - target))
        return bool((np.linalg.norm(np.array(last.positions) - position, axis=1) > reach).all())


def move_camera(client: Any, position: NDArray[np.float64], target: NDArray[np.float64]) -> None:
    """Move a client's camera at once to a place from where it looks at another, float64 [3] each."""
    with client.atomic():
        client.camera.position = position
        client.camera.look_at = target
