"""Statistics as gauges of the timers file."""

from __future__ import annotations

import math
from collections.abc import Mapping

from mlagents.stats.summary import Summary
from mlagents.stats.text import Text
from mlagents_envs.timers import set_gauge


class GaugeWriter:
    """Sets the gauges `<behavior>.<tag>.mean` and `.sum` at each write; `/` becomes `.`, blanks go."""

    def write(self, behavior: str, step: int, summaries: Mapping[str, Summary]) -> None:
        """Set two gauges per tag; numbers that are not finite are left out, JSON has none."""
        for tag, summary in summaries.items():
            name = f"{behavior}.{tag}".replace("/", ".").replace(" ", "")
            for suffix, value in (("mean", summary.mean), ("sum", summary.sum)):
                if math.isfinite(value):
                    set_gauge(f"{name}.{suffix}", value)

    def text(self, behavior: str, name: str, value: Text) -> None:
        """Leave the text out: gauges are numbers."""

    def close(self) -> None:
        """Do nothing: gauges live in `mlagents_envs.timers`."""
