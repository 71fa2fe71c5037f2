"""What an agent sees and does, as HTML: bars for numbers, a line per ray, pictures."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mlagents.viewing.explanation import Explanation
from mlagents.viewing.session import Score
from mlagents.viewing.teaching import RecordedFile
from mlagents_envs.base_env import ActionSpec, ActionTuple, ObservationSpec
from mlagents_envs.spectating import RayFan

MOST_NUMBERS: Final = 64
"""Of one observation; what is beyond is counted, not shown."""
_WIDEST_IMAGE: Final = 240
_POSITIVE, _NEGATIVE, _CHANCE, _TRACK = "#4a90d9", "#e08a3c", "#5aa469", "rgba(128,128,128,0.18)"
_BLOCK: Final = "padding:0 0.75em 0.5em;font-size:0.8em;line-height:1.35;overflow-wrap:anywhere"
_BAR: Final = (
    '<div style="display:flex;align-items:center;gap:0.4em"><span style="width:{label_width};flex-shrink:0;'
    'overflow:hidden;white-space:nowrap;text-overflow:ellipsis" title="{label}">{label}</span>'
    '<span style="position:relative;flex:1;height:0.75em;background:{track}"><span style="position:absolute;'
    'top:0;height:100%;left:{left:.1f}%;width:{width:.1f}%;background:{color}"></span></span>'
    '<span style="width:4em;flex-shrink:0;text-align:right;font-variant-numeric:tabular-nums">{text}</span></div>'
)


def observations_html(
    specs: Sequence[ObservationSpec],
    obs: Sequence[NDArray[np.float32]],
    fans: Mapping[int, RayFan],
    largest: Sequence[float],
) -> str:
    """Return what an agent observes, by name.

    Args:
      specs: of its behavior.
      obs: one array per observation.
      fans: rays behind observations, by their place.
      largest: the number that makes a full bar, per observation.
    """
    parts = []
    for place, (spec, values) in enumerate(zip(specs, obs, strict=True)):
        name = html.escape(spec.name or f"observation {place}")
        parts.append(f"<b>{name}</b> <span style='opacity:0.6'>{' x '.join(map(str, spec.shape))}</span>")
        if place in fans:
            parts.append(rays_html(fans[place], values))
        elif values.ndim == 3:
            parts.append(_image(values))
        else:
            parts.append(_numbers(values.ravel(), largest[place]))
    return f"<div style='{_BLOCK}'>{''.join(parts)}</div>"


def rays_html(fan: RayFan, values: NDArray[np.float32]) -> str:
    """Return a line per ray, from left to right: its angle, what it hits and how near that is."""
    rays = read_rays(fan, values)
    angles = np.degrees(np.arctan2(fan.path[:, 0], fan.path[:, 2]))
    lines = []
    for ray in np.argsort(angles, kind="stable"):
        tag, fraction = rays[ray]
        length = float(np.linalg.norm(fan.path[ray]))
        text = "" if tag is None else f"{fraction * length:.1f} m"
        label = f"{angles[ray]:+.0f}° {tag or '-'}"
        lines.append(_bar(label, 0.0, 0.0 if tag is None else 1.0 - fraction, _POSITIVE, text, "9em"))
    return "".join(lines)


def read_rays(fan: RayFan, values: NDArray[np.float32]) -> list[tuple[str | None, float]]:
    """Return for each ray what it hits, None for nothing and `?` for what has no tag, and the share of its length."""
    table = values.ravel()[-fan.size :].reshape(len(fan.path), -1)
    found: list[tuple[str | None, float]] = []
    for *one_hot, missed, fraction in table.tolist():
        tag = None if missed > 0.5 else next((t for t, on in zip(fan.tags, one_hot, strict=True) if on > 0.5), "?")
        found.append((tag, fraction))
    return found


def action_html(
    spec: ActionSpec,
    action: ActionTuple,
    why: Explanation | None,
    meanings: Mapping[tuple[int, int], str],
    *,
    by_person: bool = False,
) -> str:
    """Return what an agent does and how likely that was.

    Args:
      spec: of its behavior.
      action: a row.
      why: what its player thinks; None if that is not known.
      meanings: what choices mean, by branch and choice.
      by_person: whether a person acts, so that `why` is what the player would do instead.
    """
    parts = []
    for number in range(spec.continuous_size):
        value = float(action.continuous[0, number])
        text = f"{value:+.2f}"
        label = (
            f"action {number}"
            if why is None
            else f"action {number}: {why.mean[number]:+.2f} ± {why.deviation[number]:.2f}"
        )
        parts.append(_signed(label, value, text, "11em"))
    for branch, size in enumerate(spec.discrete_branches):
        chosen = int(action.discrete[0, branch])
        for choice in range(size):
            label = meanings.get((branch, choice), f"branch {branch}: {choice}")
            mark = "▶ " if choice == chosen else ""
            chance = None if why is None else float(why.probabilities[branch][choice])
            text = "" if chance is None else f"{100.0 * chance:.0f} %"
            parts.append(_bar(mark + label, 0.0, chance or 0.0, _CHANCE, text, "11em"))
    if why is not None and why.samples:
        parts.append(_remark(f"from {why.samples} samples of the model"))
    if by_person:
        told = "" if why is None else "; beside it stands what the player would do instead"
        parts.append(_remark(f"you act{told}"))
    elif why is None:
        parts.append(_remark("this player does not tell how likely its actions are"))
    return f"<div style='{_BLOCK}'>{''.join(parts)}</div>"


def _remark(text: str) -> str:
    return f"<div style='opacity:0.6'>{text}</div>"


def recordings_markdown(recordings: Sequence[RecordedFile], is_recording: bool) -> str:
    """Return a table of what was recorded."""
    if not recordings:
        return "*nothing recorded yet*"
    lines = ["| file | episodes | decisions | reward |", "|---|---|---|---|"]
    for number, each in enumerate(recordings, 1):
        name = f"{each.path.name} ●" if is_recording and number == len(recordings) else each.path.name
        lines.append(f"| {_plain(name)} | {each.episodes} | {each.decisions} | {each.reward:.2f} |")
    return "\n".join(lines)


def status_markdown(name: str, score: Score | None, ended: Sequence[Score], player: str) -> str:
    """Return how the agent is doing that is looked at."""
    lines = [f"**{_plain(name)}** played by {_plain(player)}"]
    if score is not None:
        group = f", of its group {score.group:.3f}" if score.group else ""
        lines.append(f"decision {score.decisions}, reward {score.own:.3f}{group}")
    if ended:
        totals = np.array([each.own + each.group for each in ended])
        lines.append(f"last {len(totals)} episodes of the behavior: mean reward {totals.mean():.2f}")
    return "  \n".join(lines)


def choice_meanings(keys: Sequence[object]) -> dict[tuple[int, int], str]:
    """Return what choices mean, by branch and choice, as the keys tell; 0 is chosen while none of a branch is held."""
    meanings: dict[tuple[int, int], str] = {}
    for each in keys:
        choice = getattr(each, "choice", None)
        if choice is not None:
            meanings.setdefault((choice[0], 0), "no key")
            meanings[choice[0], choice[1]] = str(getattr(each, "meaning", ""))
    return meanings


def _plain(text: str) -> str:
    """Return text in which Markdown finds nothing of its own."""
    return html.escape(text).replace("|", "\\|").replace("_", "\\_").replace("*", "\\*")


def _numbers(values: NDArray[np.float32], largest: float) -> str:
    shown = values[:MOST_NUMBERS].tolist()
    bars = [_signed(str(i), value / largest, f"{value:+.2f}", "2.5em") for i, value in enumerate(shown)]
    if len(values) > MOST_NUMBERS:
        bars.append(f"<span style='opacity:0.6'>and {len(values) - MOST_NUMBERS} more numbers</span>")
    return "".join(bars)


def _signed(label: str, share: float, text: str, label_width: str) -> str:
    """Return a bar that goes right or left from the middle; a share of 1 fills half of the line."""
    reach = 0.5 * float(np.clip(share if np.isfinite(share) else 0.0, -1.0, 1.0))
    return _bar(label, 0.5 + min(reach, 0.0), abs(reach), _POSITIVE if reach >= 0.0 else _NEGATIVE, text, label_width)


def _bar(label: str, start: float, length: float, color: str, text: str, label_width: str) -> str:
    return _BAR.format(
        label=html.escape(label),
        left=100.0 * start,
        width=100.0 * length,
        color=color,
        text=html.escape(text),
        track=_TRACK,
        label_width=label_width,
    )


def _image(values: NDArray[np.float32]) -> str:
    """Return a picture [channels, height, width]; of three channels in colour, otherwise one grey one per channel."""
    from PIL import Image

    pixels = np.rint(255.0 * values.clip(0.0, 1.0)).astype(np.uint8)
    layers = [pixels.transpose(1, 2, 0)] if len(pixels) == 3 else list(pixels)
    found = []
    for layer in layers:
        buffer = io.BytesIO()
        Image.fromarray(layer).save(buffer, "PNG")
        data = base64.b64encode(buffer.getvalue()).decode()
        width = min(_WIDEST_IMAGE, max(layer.shape[1], _WIDEST_IMAGE // len(layers)))
        style = f"width:{width}px;image-rendering:pixelated;margin:2px"
        found.append(f"<img style='{style}' src='data:image/png;base64,{data}'>")
    return f"<div>{''.join(found)}</div>"
