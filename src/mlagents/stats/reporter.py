"""The statistics of a run: collected cheaply, summarised and handed to the writers now and then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from mlagents.stats.summary import Aggregation, Summary, summarize
from mlagents.stats.text import Text
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)


class StatsPropertyType(Enum):
    """What writers may be told of a behavior besides statistics; the names are those of ML-Agents."""

    HYPERPARAMETERS = "hyperparameters"
    SELF_PLAY = "selfplay"
    SELF_PLAY_TEAM = "selfplayteam"


@runtime_checkable
class PropertyWriter(Protocol):
    """A writer that wants to know properties, too."""

    def add_property(self, behavior: str, property_type: StatsPropertyType, value: object) -> None:
        """Take a property: `SELF_PLAY` True once at the start, `SELF_PLAY_TEAM` whenever another team learns."""


@runtime_checkable
class Writer(Protocol):
    """Somewhere for summaries to go. A writer that raises OSError is closed and left out from then on."""

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Take the summaries of one behavior, by tag; there may be none. `step` is the x value."""

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Take a text about a behavior, such as its `Hyperparameters` as a (nested) mapping."""

    def close(self) -> None:
        """Bring everything to its place and let go of files."""


class WriterError(OSError):
    """A writer fails, and it is not for a file of its own; the run goes on without it.

    Attributes:
      advice: how to have it back, to stand behind "To have it back, ".
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class _Series:
    """The values of one statistic since the last write."""

    __slots__ = ("aggregation", "chunks")

    def __init__(self) -> None:
        self.chunks: list[npt.ArrayLike] = []
        self.aggregation = Aggregation.AVERAGE


class Statistics:
    """Collects values by behavior and tag (`Losses/Value Loss`) and sends summaries of them to the writers.

    A file that cannot be written does not end a run: its writer is reported once, with the file, and left
    out.
    """

    def __init__(self, writers: Iterable[Writer] = ()) -> None:
        self._writers = list(writers)
        self._series: dict[str, dict[str, _Series]] = {}
        self._reported_not_finite: set[tuple[str, str]] = set()

    def add(self, behavior: str, tag: str, value: float, aggregation: Aggregation = Aggregation.AVERAGE) -> None:
        """Add one value. The aggregation given last for a tag holds; MOST_RECENT keeps only this value."""
        self._append(behavior, tag, value, aggregation)

    def add_many(
        self, behavior: str, tag: str, values: npt.ArrayLike, aggregation: Aggregation = Aggregation.AVERAGE
    ) -> None:
        """Add an array of values of any shape; also an empty one.

        The array is read at the next write, so that one still being computed elsewhere is not waited for. Do
        not change it until then.
        """
        self._append(behavior, tag, values, aggregation)

    def set(self, behavior: str, tag: str, value: float) -> None:
        """Add a value of which only the latest counts."""
        self._append(behavior, tag, value, Aggregation.MOST_RECENT)

    def write(self, behavior: str, step: int) -> dict[str, Summary]:
        """Summarise everything since the behavior's last write, hand it to all writers, and start anew.

        Args:
          behavior: whose statistics.
          step: the x value of what is written.

        Returns: summaries by tag, in the order in which the tags first came; tags without a value are absent.
        """
        summaries = {}
        for tag, series in self._series.pop(behavior, {}).items():
            summary = summarize(series.chunks, series.aggregation)
            if summary is not None:
                summaries[tag] = summary
                self._report_not_finite(behavior, tag, step, summary)
        self._each(lambda writer: writer.write(behavior, step, summaries))
        return summaries

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Hand a text (`Hyperparameters`) to all writers."""
        self._each(lambda writer: writer.text(behavior, name, value))

    def add_property(self, behavior: str, property_type: StatsPropertyType, value: object) -> None:
        """Hand a property to the writers that want it."""

        def tell(writer: Writer) -> None:
            if isinstance(writer, PropertyWriter):
                writer.add_property(behavior, property_type, value)

        self._each(tell)

    def close(self) -> None:
        """Close all writers. Values not yet written are lost."""
        self._each(lambda writer: writer.close())
        self._writers.clear()

    def _append(self, behavior: str, tag: str, value: npt.ArrayLike, aggregation: Aggregation) -> None:
        series = self._series.setdefault(behavior, {}).setdefault(tag, _Series())
        series.aggregation = aggregation
        if aggregation is Aggregation.MOST_RECENT:
            series.chunks.clear()
        series.chunks.append(value)

    def _each(self, call: Callable[[Writer], None]) -> None:
        for writer in list(self._writers):
            try:
                call(writer)
            except OSError as error:
                self._leave_out(writer, error)

    def _leave_out(self, writer: Writer, error: OSError) -> None:
        self._writers.remove(writer)
        with suppress(OSError):
            writer.close()
        of_a_file = "make room on the disk or make the place writable"
        advice = error.advice if isinstance(error, WriterError) else of_a_file
        _log.error(
            "%s can no longer write: %s. The run goes on without it. To have it back, %s, and start the run again with "
            "--resume.",
            type(writer).__name__,
            error,
            advice,
        )

    def _report_not_finite(self, behavior: str, tag: str, step: int, summary: Summary) -> None:
        if np.isfinite(summary.value) or (behavior, tag) in self._reported_not_finite:
            return
        self._reported_not_finite.add((behavior, tag))
        _log.warning(
            "Statistic '%s' of behavior '%s' is %s at step %d (%d of %d values are not finite); TensorBoard "
            "will not show such points. Look for a division by zero or an overflow in the environment's "
            "rewards and observations, or lower the learning rate. This is said once.",
            tag,
            behavior,
            summary.value,
            step,
            int(np.count_nonzero(~np.isfinite(summary.values))),
            summary.count,
        )
