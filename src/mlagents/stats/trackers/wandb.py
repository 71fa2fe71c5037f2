"""Weights & Biases: `--track wandb`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from mlagents.stats.plugins import RunInfo
from mlagents.stats.reporter import Writer
from mlagents.stats.trackers.writer import PROJECT, TrackerWriter, is_asked_for, library


def writers(run: RunInfo) -> list[Writer]:
    """Return the writer, if the run asks for it; the entry point `wandb`.

    Raises:
      StatsWriterPluginError: the library is not installed.
    """
    return [TrackerWriter("wandb", WandbTracker(library("wandb")), run)] if is_asked_for("wandb", run) else []


class WandbTracker:
    """A run of Weights & Biases. Account, project and mode are its own variables, such as WANDB_MODE=offline."""

    def __init__(self, wandb: ModuleType) -> None:
        self._wandb = wandb
        self._run: Any = None
        self._known: set[str] = set()

    def start(self, run: RunInfo, known: str | None) -> str:
        """Begin or continue a run."""
        self._run = self._wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=run.run_id,
            id=known,
            resume="allow" if known else None,
            config=dict(run.settings),
            settings=self._wandb.Settings(console="off"),  # what the run prints stays as it is
        )
        return str(self._run.id)

    def settings(self, behavior: str, values: Mapping[str, object]) -> None:
        """Add them to the configuration, under the behavior's name."""
        self._run.config.update({behavior: dict(values)}, allow_val_change=True)

    def log(self, behavior: str, step: int, values: Mapping[str, float]) -> None:
        """Log with the behavior's own step as the x axis: behaviors of one run do not step alike."""
        axis = f"{behavior}/Step"
        if behavior not in self._known:
            self._known.add(behavior)
            self._run.define_metric(axis, hidden=True)
            self._run.define_metric(f"{behavior}/*", step_metric=axis)
        self._run.log({**values, axis: step})

    def finish(self) -> None:
        """Wait until all is sent."""
        self._run.finish()
