"""Statistics of a run: collected by `Statistics`, written to console, TensorBoard, CSV, JSON and plug-ins.

Plain values only: nothing here knows trainers or jax.
"""

from mlagents.stats.clock import ClockWriter
from mlagents.stats.console import ConsoleWriter
from mlagents.stats.csv import CsvWriter
from mlagents.stats.gauges import GaugeWriter
from mlagents.stats.jsonl import JsonlWriter
from mlagents.stats.names import is_portable, safe_name
from mlagents.stats.plugins import RunInfo, StatsWriterPluginError, plugin_writers
from mlagents.stats.reporter import PropertyWriter, Statistics, StatsPropertyType, Writer, WriterError
from mlagents.stats.run_logs import write_timers
from mlagents.stats.summary import Aggregation, Summary
from mlagents.stats.tensorboard import TensorBoardWriter

__all__ = [
    "Aggregation",
    "ClockWriter",
    "ConsoleWriter",
    "CsvWriter",
    "GaugeWriter",
    "JsonlWriter",
    "PropertyWriter",
    "RunInfo",
    "Statistics",
    "StatsPropertyType",
    "StatsWriterPluginError",
    "Summary",
    "TensorBoardWriter",
    "Writer",
    "WriterError",
    "is_portable",
    "plugin_writers",
    "safe_name",
    "write_timers",
]
