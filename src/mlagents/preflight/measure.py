"""How fast a run is: it trains for some seconds, in a process of its own, and leaves nothing behind.

`python -m mlagents.preflight.measure` is that process: it reads an order from stdin, and prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from mlagents.settings import RunSettings, dump

if TYPE_CHECKING:
    from mlagents.stats import Summary
    from mlagents.stats.text import Text
    from mlagents.training.bottleneck import TimeShares
    from mlagents.training.run import Run

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
_WARM_UP_S = 60.0
"""Seconds that the first update may take to come; then the speed without learning is told."""
_PATIENCE = 3.0
"""So many times the wanted seconds, a measurement waits for the end of an update."""
_START_S = 600.0


class MeasurementError(RuntimeError):
    """A run could not be measured; the message says why."""


class TooSlow(MeasurementError):
    """A run gave no result in time: the machine is busy, or the environment very slow."""


@dataclass(frozen=True)
class Measurement:
    """What a run did in some seconds after its first updates.

    Attributes:
      steps_per_second: agent decisions learned from.
      seconds: that were measured; from the end of one update to that of another.
      updates: in them; 0 if none came, and then learning is not in the other numbers.
      start_s: until the environments had started and everything was imported.
      compile_s: of the updates.
      memory_bytes: of the process and its environments at the end.
      environment, acting, learning, saving: seconds of the measured ones.
    """

    steps_per_second: float
    seconds: float
    updates: int
    start_s: float
    compile_s: float
    memory_bytes: int
    environment: float
    acting: float
    learning: float
    saving: float

    @property
    def shares(self) -> TimeShares:
        """What the time went into."""
        from mlagents.training.bottleneck import TimeShares

        return TimeShares(self.environment, self.acting, self.learning, self.saving)


def measure(
    settings: RunSettings, seconds: float, *, threads: int = 1, changes: Mapping[str, object] | None = None
) -> Measurement:
    """Let a run train for some seconds in a process of its own, in a temporary folder.

    Args:
      settings: of the run; where it would write, and what it would start from, does not count.
      seconds: to be measured, after the first update of every behavior.
      threads: that compute.
      changes: flags that win over the settings, such as `num_envs`.

    Raises:
      MeasurementError: it cannot be done; `TooSlow` if it takes too long.
    """
    with tempfile.TemporaryDirectory() as folder:
        order = {
            "configuration": dump(settings),
            "flags": {**_HARMLESS, **(changes or {}), "results_dir": folder},
            "seconds": seconds,
        }
        try:
            result = subprocess.run(
                [sys.executable, "-m", "mlagents.preflight.measure"],
                input=json.dumps(order),
                capture_output=True,
                text=True,
                timeout=_START_S + _WARM_UP_S + _PATIENCE * seconds,
                env=os.environ | dict.fromkeys(_THREADS, str(threads)),
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TooSlow(f"no result within {error.timeout:.0f} s") from None
    lines = result.stdout.strip().splitlines()
    found = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    if "error" in found or not found:
        last = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
        raise MeasurementError(found.get("error", last))
    return Measurement(**found)


_HARMLESS: Mapping[str, object] = {
    "run_id": "preflight",
    "resume": False,
    "force": False,
    "inference": False,
    "initialize_from": None,
    "keep_best": 0,
}


class _Stopwatch:
    """An observer that measures, and ends the process when it has.

    Args:
      seconds: to be measured.
      pipe: for the result.
    """

    def __init__(self, seconds: float, pipe: IO[str]) -> None:
        self._seconds = seconds
        self._pipe = pipe
        self._began = time.monotonic()
        self._run: Run | None = None
        self._start_s = 0.0
        self._window: tuple[float, int, int] | None = None
        self._updates = 0

    def watch(self, run: Run) -> None:
        """Begin with this run, which is about to train."""
        self._run = run
        self._start_s = time.monotonic() - self._began
        self._began = time.monotonic()

    def progress(self, behavior: str, step: int) -> None:
        """Look whether the measurement begins or ends; only where an update has just been made."""
        assert self._run is not None
        learners = [each.learner for each in self._run.behaviors.values()]
        updates, now = sum(learner.version for learner in learners), time.monotonic()
        is_new, self._updates = updates != self._updates, updates
        if self._window is None:
            warm = bool(learners) and all(learner.version for learner in learners)
            if (is_new and warm) or now - self._began > _WARM_UP_S:
                self._begin(now, sum(learner.steps for learner in learners))
        elif (is_new and now - self._window[0] >= self._seconds) or now - self._window[0] > _PATIENCE * self._seconds:
            self._end(now, sum(learner.steps for learner in learners))

    def _begin(self, now: float, steps: int) -> None:
        from mlagents_envs.timers import reset_timers

        reset_timers()
        self._window = (now, steps, self._updates)

    def _end(self, now: float, steps: int) -> None:
        """Tell the result and end the process: what it would save is of no use."""
        from mlagents.training.bottleneck import TimeShares
        from mlagents_envs.timers import get_timer_root

        assert self._run is not None
        assert self._window is not None
        seconds, done = now - self._window[0], steps - self._window[1]
        shares = TimeShares.of(get_timer_root())
        compiled = sum(each.learner.compile_seconds for each in self._run.behaviors.values())
        result = Measurement(
            steps_per_second=done / seconds,
            seconds=seconds,
            updates=self._updates - self._window[2],
            start_s=self._start_s,
            compile_s=compiled,
            memory_bytes=_memory(),
            environment=shares.environment,
            acting=shares.acting,
            learning=shares.learning,
            saving=shares.saving,
        )
        print(json.dumps(asdict(result)), file=self._pipe, flush=True)
        self._run.sampler.close()
        os._exit(0)

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Leave summaries out."""

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Leave texts out."""

    def close(self) -> None:
        """Do nothing."""


def _memory() -> int:
    """Return the bytes of this process and its children."""
    import psutil

    own = psutil.Process()
    return sum(process.memory_info().rss for process in (own, *own.children(recursive=True)))


def main() -> int:
    """Measure as the order on stdin says, and return an exit code."""
    pipe = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        _measure(json.load(sys.stdin), pipe)
    except Exception as error:
        print(json.dumps({"error": str(error) or type(error).__name__}), file=pipe, flush=True)
        return 1
    print(json.dumps({"error": "the run ended before it could be measured: is max_steps very small?"}), file=pipe)
    return 1


def _measure(order: Mapping[str, Any], pipe: IO[str]) -> None:
    from mlagents import process
    from mlagents.settings import parse_run_settings
    from mlagents.training.stop import StopRequest

    stopwatch = _Stopwatch(order["seconds"], pipe)
    settings = parse_run_settings(order["configuration"], flags=order["flags"])
    process.configure(settings.device)
    from mlagents.training.build import build

    run = build(settings, Path(str(order["flags"]["results_dir"])), StopRequest(), stopwatch)
    stopwatch.watch(run)
    run.execute()


if __name__ == "__main__":
    sys.exit(main())
