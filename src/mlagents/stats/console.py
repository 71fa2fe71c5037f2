"""Progress for people: one log line per write, and live lines on a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from rich.console import Console

from mlagents.stats.live import LiveProgress
from mlagents.stats.summary import Summary
from mlagents.stats.tags import CUMULATIVE_REWARD, ELO, GROUP_CUMULATIVE_REWARD, IS_TRAINING
from mlagents.stats.text import Text, as_text
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)


class ConsoleWriter:
    """Logs a line per write (level INFO) in the known form; the elapsed time counts from here on.

    On a terminal there are live lines below the log besides, see `LiveProgress`; `progress` feeds them.
    """

    def __init__(
        self,
        max_steps: Mapping[str, int],
        is_terminal: bool | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock.

        Args:
          max_steps: behavior -> step at which its training ends.
          is_terminal: whether to draw live lines; None finds out.
          clock: seconds, from any start.
        """
        self._clock = clock
        self._start = clock()
        console = Console(force_terminal=is_terminal)
        # FORCE_COLOR, as notebooks and build servers set it, asks for colours, not for lines that are drawn over.
        on_terminal = console.file.isatty() if is_terminal is None else is_terminal
        draws = on_terminal and not console.is_dumb_terminal
        self._live = LiveProgress(max_steps, console, clock) if draws else None

    def progress(self, behavior: str, step: int) -> None:
        """Tell where a behavior is. Call it as often as you like: it draws five times per second at most."""
        if self._live is not None:
            self._live.advance(behavior, step)

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Log one line, such as `3DBall. Step: 1000. Time Elapsed: 2.345 s. Mean Reward: 1.234. ...`."""
        if self._live is not None and CUMULATIVE_REWARD in summaries:
            self._live.set_reward(behavior, summaries[CUMULATIVE_REWARD].mean)
        _log.info(summary_line(behavior, step, self._clock() - self._start, summaries))

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Log a text under a line that says whose it is."""
        _log.info(f"{name} for behavior name {behavior}:\n{as_text(value)}")

    def close(self) -> None:
        """Leave the live lines as they are and give the terminal back."""
        if self._live is not None:
            self._live.close()


def summary_line(behavior: str, step: int, elapsed_s: float, summaries: Mapping[str, Summary]) -> str:
    """Return one line about a write, in the form of ML-Agents 1.x, which people's scripts read."""
    items = [behavior, f"Step: {step}", f"Time Elapsed: {elapsed_s:.3f} s"]
    is_training = IS_TRAINING in summaries and summaries[IS_TRAINING].value > 0
    training = "Training" if is_training else "Not Training"
    if CUMULATIVE_REWARD not in summaries:
        return ". ".join([*items, "No episode was completed since last summary", training]) + "."
    reward = summaries[CUMULATIVE_REWARD]
    items.append(f"Mean Reward: {reward.mean:.3f}")
    if GROUP_CUMULATIVE_REWARD in summaries:
        items.append(f"Mean Group Reward: {summaries[GROUP_CUMULATIVE_REWARD].mean:.3f}")
    else:
        items.append(f"Std of Reward: {reward.std:.3f}")
    items.append(training)
    if ELO in summaries:
        items.append(f"ELO: {summaries[ELO].value:.3f}")
    return ". ".join(items) + "."
