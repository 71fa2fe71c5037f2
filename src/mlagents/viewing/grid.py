"""Several environments in one video, side by side and below each other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mlagents.viewing.recording import HEIGHT, WIDTH, Film, Watchable, steps_per_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class GridSize(NamedTuple):
    """How many environments are beside and below each other."""

    columns: int
    rows: int

    @property
    def plays(self) -> int:
        """How many there are in all."""
        return self.columns * self.rows


class GridRecorder:
    """Watches environments of one kind, from their next resets on, and joins what they look like at the same time.

    Args:
      envs: what to watch, row by row.
      size: columns and rows.
      video: an .mp4 or .gif file to write.
      seconds: length of the video.
      progress: told how many seconds are recorded, at each of them.

    Raises:
      UsageError: an .mp4 file is wanted, and what writes it is not installed.
    """

    def __init__(
        self,
        envs: Sequence[Watchable],
        size: GridSize,
        video: Path,
        seconds: float,
        progress: Callable[[int], None],
    ) -> None:
        import numpy as np  # not above: other commands need the sizes only

        self._envs, self._size = envs, size
        self._tile = WIDTH // size.columns // 2 * 2, HEIGHT // size.rows // 2 * 2
        every = steps_per_picture(envs[0], video)
        self._film = Film(video, every * envs[0].step_seconds, seconds, progress)
        self._waiting: list[deque[NDArray[np.uint8]]] = [deque() for _ in envs]
        self._canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        self._seen = [0] * len(envs)
        for number, env in enumerate(envs):
            env.watch(partial(self._look, number), every)

    @property
    def full(self) -> bool:
        """Whether the video is as long as it was to be."""
        return self._film.full

    def _look(self, number: int) -> None:
        if not self.full:
            self._waiting[number].append(self._envs[number].picture(*self._tile))
            self._seen[number] += 1

    def play(self, rounds: Sequence[Iterator[None]]) -> bool:
        """Let all environments go on, always the one that is behind, until all have ended or the video is full.

        Args:
          rounds: play an environment each, step by step. The last picture of one that has ended stays.

        Returns: whether all have ended.
        """
        playing = set(range(len(rounds)))
        while playing and not self.full:
            number = min(playing, key=lambda each: (self._seen[each], each))
            if next(rounds[number], self) is self:
                playing.discard(number)
            self._join(playing)
        return not playing

    def _join(self, playing: set[int]) -> None:
        """Put together what there is a picture of from every environment that still plays."""
        while any(self._waiting) and all(self._waiting[number] for number in playing):
            for number, waiting in enumerate(self._waiting):
                if waiting:
                    row, column = divmod(number, self._size.columns)
                    picture = waiting.popleft()
                    height, width = picture.shape[:2]
                    self._canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
            self._film.add(self._canvas)

    def close(self) -> None:
        """Write the file."""
        self._film.close()
