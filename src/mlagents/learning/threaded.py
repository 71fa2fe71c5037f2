"""Learning beside collecting: an update runs in a thread while the next experience comes in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from mlagents.data.segments import Segment
from mlagents.learning.protocols import Learner, OnPolicy
from mlagents.nn.policy import Policy


class ThreadedLearner:
    """A `Learner` whose updates run in a thread of their own.

    `update` begins one with the experience that is there and returns what the one before it found. It is asked for when
    there is enough for the next one, however fast either side is, so that a run repeats itself exactly. What acts
    meanwhile are the weights from before: experience is older than the policy that learns from it by one update.

    Args:
      learner: does the work, and belongs to the thread while that runs.

    Attributes:
      steps: agent decisions taken in so far, also those that wait for the thread.
      version: number of updates whose weights are given out.
    """

    def __init__(self, learner: Learner):
        self._learner = learner
        self._wanted = learner.missing() if isinstance(learner, OnPolicy) else 1
        self._thread = ThreadPoolExecutor(1, "update")
        self._running: Future[dict[str, float]] | None = None
        self._ended: Future[dict[str, float]] | None = None
        self._waiting: list[Segment] = []
        self._lanes = 0
        self._take_over()

    def _take_over(self) -> None:
        """Know again what the learner knows, which is not at work."""
        self.steps, self.version = self._learner.steps, self._learner.version
        self._policy = self._learner.snapshot()

    @property
    def compile_seconds(self) -> float:
        """Seconds spent compiling so far."""
        return self._learner.compile_seconds

    def snapshot(self) -> Policy:
        """Return the policy of the last update that ended."""
        return self._policy if self._running is not None else self._learner.snapshot()

    def reserve(self, lanes: int) -> None:
        """Prepare for this many agents at once."""
        if self._running is None:
            self._learner.reserve(lanes)
        else:
            self._lanes = max(self._lanes, lanes)

    def extend(self, segments: Iterable[Segment]) -> None:
        """Add copies of experience."""
        if self._running is None:
            self._learner.extend(segments)
            self.steps = self._learner.steps
            return
        for segment in segments:
            self._waiting.append(segment.owned())
            self.steps += len(segment)

    def ready(self) -> bool:
        """Return whether there is enough experience for the next update."""
        if self._running is None:
            return self._learner.ready()
        return sum(map(len, self._waiting)) >= self._wanted

    def update(self) -> dict[str, float]:
        """Wait for the update that runs, begin the next, and return what the one that ended found; nothing at first.

        Raises:
          NonFiniteUpdate: the update that ended met a loss or weight that is not finite.
        """
        self._settle()
        ended, self._ended = self._ended, None
        self._take_over()
        if self._learner.ready():
            self._running = self._thread.submit(self._learner.update)
        return {} if ended is None else ended.result()

    def _settle(self) -> None:
        """Wait for the thread, and hand on what waited for it."""
        if self._running is None:
            return
        self._running.exception()
        self._running, self._ended = None, self._running
        self._learner.reserve(self._lanes)
        self._learner.extend(self._waiting)
        self._waiting.clear()

    def state_dict(self, experience: bool = False) -> dict[str, Any]:
        """Return the learner's state after the update that runs."""
        self._settle()
        return self._learner.state_dict(experience)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self._settle()
        self._learner.load_state_dict(state)
        self._ended = None
        self._take_over()

    def initialize_from(self, state: Mapping[str, Any]) -> None:
        """Take over the weights in what `state_dict` of another run returned."""
        self._settle()
        self._learner.initialize_from(state)
        self._take_over()
