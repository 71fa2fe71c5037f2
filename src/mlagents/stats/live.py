"""The live lines at the foot of a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

_REDRAW_EVERY_S = 0.2
_ROOM_FOR_BAR, _ROOM_FOR_SPEED, _ROOM_FOR_TIME = 80, 62, 70


class LiveProgress:
    """One line per behavior: steps of max_steps, steps per second, mean reward, time remaining.

    Appears with the first `advance`. Log lines and prints go above it. Draws only within its own calls, there
    is no thread.
    """

    def __init__(self, max_steps: Mapping[str, int], console: Console, clock: Callable[[], float]) -> None:
        """Draw nothing yet.

        Args:
          max_steps: by behavior; one that is not in it has no end.
          console: the terminal.
          clock: seconds, from any start.
        """
        self._max_steps = max_steps
        self._clock = clock
        self._steps: dict[str, int] = {}
        self._tasks: dict[str, TaskID] = {}
        self._next_redraw = clock()
        self._streams: list[tuple[TextIO, TextIO]] = []
        self._progress = Progress(
            *_columns(console.width),
            console=console,
            auto_refresh=False,
            redirect_stderr=sys.stderr.isatty(),  # else what goes to a file would come to the terminal
            get_time=clock,
        )

    def advance(self, behavior: str, step: int) -> None:
        """Note the step of a behavior; redraw if the last time is long enough ago."""
        self._steps[behavior] = step
        if self._clock() < self._next_redraw:
            return
        self._redraw()

    def set_reward(self, behavior: str, mean_reward: float) -> None:
        """Show a mean reward from the next redraw on."""
        if behavior in self._steps:
            self._progress.update(self._task(behavior), reward=f"{mean_reward:.3f}")

    def close(self) -> None:
        """Draw the last state and give the terminal back."""
        if self._steps:
            self._redraw()
            self._progress.stop()
            for ours, original in self._streams:
                _redirect_log(ours, original)

    def _redraw(self) -> None:
        if not self._progress.live.is_started:
            self._start()
        for behavior, step in self._steps.items():
            self._progress.update(self._task(behavior), completed=step)
        self._progress.refresh()
        self._next_redraw = self._clock() + _REDRAW_EVERY_S

    def _start(self) -> None:
        before = sys.stdout, sys.stderr
        self._progress.start()
        self._streams = list(zip((sys.stdout, sys.stderr), before, strict=True))
        for ours, original in self._streams:
            _redirect_log(original, ours)

    def _task(self, behavior: str) -> TaskID:
        if behavior not in self._tasks:
            # A resumed run starts at its step, which must not count as speed.
            self._tasks[behavior] = self._progress.add_task(
                behavior, total=self._max_steps.get(behavior), completed=self._steps[behavior], reward="-"
            )
        return self._tasks[behavior]


def _columns(width: int) -> list[ProgressColumn]:
    """Return the columns of a line that a terminal of this width shows without folding; 80 show all."""
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis"))
    ]
    if width >= _ROOM_FOR_BAR:
        columns.append(BarColumn(bar_width=16))
    columns.append(MofNCompleteColumn(table_column=Column(no_wrap=True)))
    if width >= _ROOM_FOR_SPEED:
        columns.append(_SpeedColumn())
    columns.append(TextColumn("reward {task.fields[reward]}", table_column=Column(no_wrap=True)))
    if width >= _ROOM_FOR_TIME:
        columns.append(TimeRemainingColumn())
    return columns


class _SpeedColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.0f} steps/s")


def _redirect_log(old: TextIO, new: TextIO) -> None:
    """Let log handlers that hold `old`, as they do when made before the live lines, write to `new`."""
    for logger in (logging.root, *logging.root.manager.loggerDict.values()):
        for handler in getattr(logger, "handlers", ()):  # a placeholder in loggerDict has none
            if isinstance(handler, logging.StreamHandler) and handler.stream is old:
                handler.setStream(new)
