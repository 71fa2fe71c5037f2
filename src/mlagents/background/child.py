"""The process of a run in the background: settings come through stdin, and its end is the wish to stop.

What it tells goes to the parent as lines of JSON through what was stdout; whatever else is printed goes to stderr.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlagents import process

if TYPE_CHECKING:
    from mlagents.stats import Summary
    from mlagents.stats.text import Text

_TELL_EVERY_S = 0.2


class Teller:
    """An observer that writes what it is told as lines of JSON.

    Args:
      pipe: where to.
    """

    def __init__(self, pipe: IO[str]) -> None:
        self._pipe = pipe
        self._steps: dict[str, int] = {}
        self._next = 0.0

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Tell the values of a summary; what is not finite as null."""
        values = {tag: s.value if math.isfinite(s.value) else None for tag, s in summaries.items()}
        self.tell({"behavior": behavior, "step": step, "values": values})

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Tell the step at which training ends."""
        if isinstance(value, Mapping) and "max_steps" in value:
            self.tell({"behavior": behavior, "max_steps": value["max_steps"]})

    def progress(self, behavior: str, step: int) -> None:
        """Note a step, and tell all of them a few times per second."""
        self._steps[behavior] = step
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _TELL_EVERY_S
            self.tell({"progress": self._steps})

    def close(self) -> None:
        """Tell the last steps."""
        self.tell({"progress": self._steps})

    def tell(self, message: Mapping[str, Any]) -> None:
        """Write one line. A parent that is gone does not hear it; stdin then says so."""
        try:
            print(json.dumps(message), file=self._pipe, flush=True)
        except OSError:
            return


def main() -> int:
    """Carry out the run, and return the exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    process.use_one_thread()
    teller = Teller(pipe)
    try:
        _train(json.loads(sys.stdin.readline()), teller)
    except Exception as error:
        teller.tell({"error": f"{type(error).__name__}: {error}"})
        return 1
    return 0


def _train(configuration: str, teller: Teller) -> None:
    from mlagents.settings import parse_run_settings

    settings = parse_run_settings(configuration, check_files=True)
    process.configure(settings.device)
    from mlagents.training.build import build
    from mlagents.training.stop import StopRequest

    stop = StopRequest()
    threading.Thread(target=_wait_for_the_end_of_stdin, args=(stop,), daemon=True).start()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.ask())
    results_dir = settings.checkpoint_settings.results_dir
    run = build(settings, Path(results_dir) if results_dir else None, stop, teller)
    teller.tell({"started": True})
    run.execute()


def _wait_for_the_end_of_stdin(stop: Any) -> None:
    sys.stdin.read()
    stop.ask()


if __name__ == "__main__":
    sys.exit(main())
