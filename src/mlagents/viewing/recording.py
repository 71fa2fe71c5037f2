"""What a spectator sees of an environment while it plays, as files."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from mlagents.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

WIDTH: Final = 640
HEIGHT: Final = 480
PICTURES_PER_SECOND: Final = {".mp4": 25, ".gif": 12.5}
SECONDS: Final = 20.0
"""How much of the play a video shows if nobody says otherwise."""
SCREENSHOT_AFTER_S: Final = 1.0
VIDEO_SUFFIXES: Final = (".mp4", ".gif")


@runtime_checkable
class Watchable(Protocol):
    """An environment that can be seen; those of `mlagents_sim` can."""

    @property
    def step_seconds(self) -> float:
        """How long a physics step takes for spectators."""

    def picture(self, width: int, height: int) -> NDArray[np.uint8]:
        """Return what a spectator sees now: uint8 [height, width, 3]."""

    def watch(self, watcher: Callable[[], None], every: int) -> None:
        """Call `watcher` at every reset and after every so many physics steps."""


class Video(Protocol):
    """A file that pictures are added to."""

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Return the next picture, uint8 [height, width, 3]."""

    def close(self) -> None:
        """Write what is left."""


class Film:
    """A video of a certain length.

    Args:
      path: .mp4 or .gif file to write.
      seconds_per_picture: how long each is shown.
      seconds: length; what comes after it is left out.
      progress: told how many seconds are there, at each of them.

    Raises:
      UsageError: an .mp4 file is wanted, and what writes it is not installed.
    """

    def __init__(self, path: Path, seconds_per_picture: float, seconds: float, progress: Callable[[int], None]) -> None:
        self._video = open_video(path, seconds_per_picture)
        self._seconds_per_picture, self._seconds, self._progress = seconds_per_picture, seconds, progress
        self._pictures = 0

    @property
    def full(self) -> bool:
        """Whether it is as long as it was to be."""
        return self._shown_s >= self._seconds

    @property
    def _shown_s(self) -> float:
        return self._pictures * self._seconds_per_picture

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Add the next picture, uint8 [height, width, 3]."""
        if self.full:
            return
        before = int(self._shown_s)
        self._video.add(picture)
        self._pictures += 1
        if int(self._shown_s) > before:
            self._progress(int(self._shown_s))

    def close(self) -> None:
        """Write what is left."""
        self._video.close()


class Recorder:
    """Watches an environment, from its next reset on.

    Args:
      env: what to watch.
      video: an .mp4 or .gif file to write; None for no video.
      screenshot: a .png file to write, of the play after one second or at its end; None for none.
      seconds: length of the video; what happens after it is not recorded.
      progress: told how many seconds are recorded, at each of them.

    Raises:
      UsageError: an .mp4 file is wanted, and what writes it is not installed.
    """

    def __init__(
        self,
        env: Watchable,
        video: Path | None,
        screenshot: Path | None,
        seconds: float = SECONDS,
        progress: Callable[[int], None] = lambda seconds: None,
    ) -> None:
        self._env = env
        every = steps_per_picture(env, video)
        self._seconds_per_picture = every * env.step_seconds
        self._film = None if video is None else Film(video, self._seconds_per_picture, seconds, progress)
        self._screenshot = screenshot
        self._pictures = 0
        self._newest: NDArray[np.uint8] | None = None
        env.watch(self._look, every)

    @property
    def full(self) -> bool:
        """Whether the video is as long as it was to be."""
        return self._film is not None and self._film.full

    def _look(self) -> None:
        shown_s = self._pictures * self._seconds_per_picture
        if self.full or (self._film is None and shown_s > SCREENSHOT_AFTER_S):
            return
        picture = self._env.picture(WIDTH, HEIGHT)
        if self._film is not None:
            self._film.add(picture)
        if shown_s <= SCREENSHOT_AFTER_S:
            self._newest = picture
        self._pictures += 1

    def close(self) -> None:
        """Write the files."""
        if self._film is not None:
            self._film.close()
        if self._screenshot is not None and self._newest is not None:
            _image(self._newest).save(self._screenshot, optimize=True)


class Mp4:
    """H.264, by ffmpeg."""

    def __init__(self, path: Path, seconds_per_picture: float) -> None:
        try:
            import imageio_ffmpeg
        except ImportError as error:
            raise UsageError(
                "an .mp4 video needs imageio-ffmpeg: pip install 'mlagents-jax[video]'; a .gif needs nothing more"
            ) from error
        self._writer: Generator[None, bytes | None, None] = imageio_ffmpeg.write_frames(
            str(path), (WIDTH, HEIGHT), fps=1.0 / seconds_per_picture, quality=7
        )
        self._writer.send(None)  # starts it

    def add(self, picture: NDArray[np.uint8]) -> None:
        """Return the next picture."""
        self._writer.send(picture.tobytes())

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()


def steps_per_picture(env: Watchable, video: Path | None) -> int:
    """Return after how many physics steps the next picture is due; for a screenshot, as for an .mp4."""
    rate = PICTURES_PER_SECOND[".mp4" if video is None else video.suffix.lower()]
    return max(1, round(1.0 / (rate * env.step_seconds)))


def file_of_type(*suffixes: str) -> Callable[[str], Path]:
    """Return, for argparse, the type of a file that can be written, with one of the suffixes."""

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"expected a file that ends in {' or '.join(suffixes)}; got {text!r}")
        if not path.absolute().parent.is_dir():
            raise argparse.ArgumentTypeError(f"there is no folder {str(path.parent)!r}; make it first")
        return path

    return parse


def open_video(path: Path, seconds_per_picture: float) -> Video:
    """Return what writes a video of 640x480: .mp4 or .gif, by the name."""
    from mlagents.viewing.gif import Gif  # not above: it loads numpy

    return (Mp4 if path.suffix.lower() == ".mp4" else Gif)(path, seconds_per_picture)


def _image(picture: NDArray[np.uint8]) -> Image.Image:
    from PIL import Image

    return Image.fromarray(picture)
