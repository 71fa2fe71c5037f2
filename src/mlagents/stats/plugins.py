"""Writers from other packages, found by the entry-point group `mlagents.stats_writer`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from mlagents import plugins
from mlagents.stats.older import AdaptedWriter, StatsWriter
from mlagents.stats.reporter import Writer

GROUP = "mlagents.stats_writer"


@dataclass(frozen=True)
class RunInfo:
    """What a plug-in is told about the run.

    Attributes:
      folder: where the run keeps its statistics; may not exist yet.
      resume: whether the run goes on from an earlier one of this run_id.
      settings: all settings of the run as plain values, sections as nested mappings.
    """

    run_id: str
    folder: Path
    resume: bool = False
    settings: Mapping[str, object] = field(default_factory=dict)


class StatsWriterPluginError(Exception):
    """A plug-in could not be loaded, or did not give writers. Names the entry point and its package.

    A plug-in may raise it itself, with a message for people.
    """


def plugin_writers(run: RunInfo) -> list[Writer]:
    """Return the writers of all installed plug-ins: functions `(run: RunInfo) -> list[writer]`.

    Raises:
      StatsWriterPluginError: naming the entry point that failed; the cause is chained.
    """
    return [writer for entry_point in entry_points(group=GROUP) for writer in _writers_of(entry_point, run)]


def _writers_of(entry_point: EntryPoint, run: RunInfo) -> list[Writer]:
    where, advice = plugins.described(entry_point), f"Repair it, or uninstall {plugins.package(entry_point)}."
    try:
        given = list(entry_point.load()(run))
    except StatsWriterPluginError:  # it says itself what is wrong
        raise
    except Exception as error:
        raise StatsWriterPluginError(f"{where} failed: {type(error).__name__}: {error}. {advice}") from error
    writers = [AdaptedWriter(writer) if isinstance(writer, StatsWriter) else writer for writer in given]
    for writer in writers:
        if not isinstance(writer, Writer):
            raise StatsWriterPluginError(
                f"{where} gave {writer!r}; expected objects with the methods "
                f"write(behavior, step, summaries), text(behavior, name, value) and close(), or a StatsWriter. {advice}"
            )
    return writers
