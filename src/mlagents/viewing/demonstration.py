"""What is in a demonstration, decision by decision: as text, and as pictures.

A recording holds what the agent observed, not the state of its environment, which cannot be set back to it. So what is
shown are the observations themselves: images as they are, numbers as bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mlagents.viewing.recording import HEIGHT, WIDTH, open_video

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

    from mlagents_envs.base_env import ActionTuple
    from mlagents_envs.demonstrations import Demonstration, Episode

_MARGIN: Final = 10
_TEXT_HEIGHT: Final = 40
_MOST_NUMBERS: Final = 6  # of an observation in a line of text
_BACKGROUND, _TEXT, _POSITIVE, _NEGATIVE = (24, 24, 28), (235, 235, 235), (90, 170, 250), (250, 150, 80)


def describe_decisions(demonstration: Demonstration, episode: Episode, most: int) -> Iterator[tuple[str, ...]]:
    """Yield number, action, reward and each observation, as text, of up to `most` decisions."""
    for step in range(min(most, len(episode))):
        yield (
            str(step),
            _action_text(episode.action, step),
            f"{episode.reward[step]:.3f}",
            *(_observation_text(column[step]) for column in episode.obs),
        )


def observation_names(demonstration: Demonstration) -> tuple[str, ...]:
    """Return a heading for each observation."""
    specs = demonstration.spec.observation_specs
    return tuple(spec.name or f"observation {number}" for number, spec in enumerate(specs))


def write_video(demonstration: Demonstration, episode: Episode, path: Path, most: int, per_second: float) -> int:
    """Draw up to `most` decisions, so many a second, and return how many there are.

    Raises:
      UsageError: an .mp4 file is wanted, and what writes it is not installed.
    """
    count = min(most, len(episode))
    scales = [max(float(np.abs(column).max(initial=0.0)), 1e-6) for column in episode.obs]
    video = open_video(path, 1.0 / per_second)
    try:
        for step in range(count):
            video.add(draw_decision(demonstration, episode, step, scales))
    finally:
        video.close()
    return count


def draw_decision(
    demonstration: Demonstration, episode: Episode, step: int, scales: Sequence[float]
) -> NDArray[np.uint8]:
    """Draw what the agent observed and did.

    Args:
      demonstration: that the episode is of.
      episode: to draw from.
      step: which decision.
      scales: the number that makes a full bar, per observation.

    Returns: uint8 [HEIGHT, WIDTH, 3].
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("RGB", (WIDTH, HEIGHT), _BACKGROUND)
    draw = ImageDraw.Draw(canvas)
    earned = episode.first_reward + float(episode.reward[: step + 1].sum())
    draw.text((_MARGIN, _MARGIN), f"{demonstration.behavior}  decision {step} of {len(episode)}", fill=_TEXT)
    draw.text(
        (_MARGIN, _MARGIN + 16),
        f"action {_action_text(episode.action, step)}  reward {episode.reward[step]:.3f}  so far {earned:.3f}",
        fill=_TEXT,
    )
    top = _MARGIN + _TEXT_HEIGHT
    height = (HEIGHT - top) // max(len(episode.obs), 1)
    for column, scale in zip(episode.obs, scales, strict=True):
        box = (_MARGIN, top, WIDTH - _MARGIN, top + height - _MARGIN)
        if column.ndim == 4:
            _paste(canvas, column[step], box)
        else:
            _bars(draw, column[step].ravel() / scale, box)
        top += height
    return np.asarray(canvas, np.uint8)


def _bars(draw: ImageDraw.ImageDraw, values: NDArray[np.float32], box: tuple[int, int, int, int]) -> None:
    """Draw a bar up or down for each of the values, which lie in [-1, 1]."""
    left, top, right, bottom = box
    middle, half = (top + bottom) / 2, (bottom - top) / 2
    width = (right - left) / max(len(values), 1)
    for number, value in enumerate(values.tolist()):
        start, end = left + number * width, left + (number + 1) * width - (1 if width > 3 else 0)
        low, high = sorted((middle, middle - half * value))
        draw.rectangle((start, low, max(start, end), high), fill=_POSITIVE if value >= 0 else _NEGATIVE)


def _paste(canvas: Image.Image, values: NDArray[np.float32], box: tuple[int, int, int, int]) -> None:
    """Draw an image [channels, height, width], of three channels in colour, otherwise their mean in grey."""
    from PIL import Image

    left, top, right, bottom = box
    colours = values if len(values) == 3 else values.mean(axis=0, keepdims=True).repeat(3, axis=0)
    image = Image.fromarray(np.rint(colours.clip(0, 1) * 255).astype(np.uint8).transpose(1, 2, 0))
    factor = min((right - left) / image.width, (bottom - top) / image.height)
    size = (max(1, int(image.width * factor)), max(1, int(image.height * factor)))
    canvas.paste(image.resize(size, Image.Resampling.NEAREST), (left, top))


def _action_text(action: ActionTuple, step: int) -> str:
    numbers = [f"{value:.2f}" for value in action.continuous[step]]
    return " ".join([*numbers, *(str(choice) for choice in action.discrete[step])])


def _observation_text(values: NDArray[np.float32]) -> str:
    if values.ndim == 3:
        return f"image {'x'.join(map(str, values.shape))}, mean {values.mean():.2f}"
    flat = values.ravel()
    rest = f" ... ({len(flat)})" if len(flat) > _MOST_NUMBERS else ""
    return " ".join(f"{value:.2f}" for value in flat[:_MOST_NUMBERS]) + rest
