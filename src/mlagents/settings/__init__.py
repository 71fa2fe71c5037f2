"""The configuration of a run: typed, frozen, checked once, with every fault reported in one go.

A trainer file of any generation and the flags that were typed become one `RunSettings`:
`yaml_source` reads a file and keeps the line of everything in it, `upgrade` brings it to the modern mapping
(`modern` knows spellings and inheritance, `legacy` the files of 2020), `flags` sets what was typed,
`parser` validates against `schema`.
"""

from mlagents.settings.describe import KeyDescription, explain, json_schema
from mlagents.settings.loading import (
    check_parameters,
    convert,
    dump,
    load_run_settings,
    missing_demonstrations,
    parse_run_settings,
)
from mlagents.settings.schema import *  # noqa: F403
from mlagents.settings.schema import __all__ as _schema_names
from mlagents.settings.source.faults import SettingsError
from mlagents.settings.upgrade import upgrade

__all__ = [
    "KeyDescription",
    "SettingsError",
    "check_parameters",
    "convert",
    "dump",
    "explain",
    "json_schema",
    "load_run_settings",
    "missing_demonstrations",
    "parse_run_settings",
    "upgrade",
    *_schema_names,
]
