"""MLflow: `--track mlflow`."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

from mlagents.stats.plugins import RunInfo
from mlagents.stats.reporter import Writer
from mlagents.stats.trackers.writer import PROJECT, TrackerWriter, flat, is_asked_for, library

_UNFIT = re.compile(r"[^\w\-. /]")
_LONGEST_VALUE: Final = 500
_MOST_PARAMS: Final = 100  # of one request


def writers(run: RunInfo) -> list[Writer]:
    """Return the writer, if the run asks for it; the entry point `mlflow`.

    Raises:
      StatsWriterPluginError: the library is not installed.
    """
    return [TrackerWriter("mlflow", MlflowTracker(library("mlflow")), run)] if is_asked_for("mlflow", run) else []


class MlflowTracker:
    """A run of MLflow. Server and experiment are its own variables: MLFLOW_TRACKING_URI, MLFLOW_EXPERIMENT_NAME."""

    def __init__(self, mlflow: ModuleType) -> None:
        self._mlflow = mlflow
        self._client: Any = None
        self._id = ""
        self._is_new = True

    def start(self, run: RunInfo, known: str | None) -> str:
        """Begin or continue a run."""
        client = self._client = self._mlflow.MlflowClient()
        if known is not None:
            client.update_run(known, status="RUNNING")
            self._id, self._is_new = known, False
            return known
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        experiment = client.get_experiment_by_name(name)
        where = experiment.experiment_id if experiment is not None else client.create_experiment(name)
        self._id = client.create_run(where, run_name=run.run_id).info.run_id
        client.log_dict(self._id, dict(run.settings), "configuration.json")
        return self._id

    def settings(self, behavior: str, values: Mapping[str, object]) -> None:
        """Log them as parameters, which MLflow never lets change: those of a resumed run are there already."""
        if not self._is_new:
            return
        entities = self._mlflow.entities
        params = [
            entities.Param(_UNFIT.sub("_", f"{behavior}.{key}"), str(value)[:_LONGEST_VALUE])
            for key, value in flat(values).items()
        ]
        for first in range(0, len(params), _MOST_PARAMS):
            self._client.log_batch(self._id, params=params[first : first + _MOST_PARAMS])

    def log(self, behavior: str, step: int, values: Mapping[str, float]) -> None:
        """Log at the behavior's step; characters that MLflow refuses in names become underscores."""
        now = int(1000 * time.time())
        metric = self._mlflow.entities.Metric
        metrics = [metric(_UNFIT.sub("_", name), value, now, step) for name, value in values.items()]
        self._client.log_batch(self._id, metrics=metrics)

    def finish(self) -> None:
        """Say that the run has ended."""
        self._client.set_terminated(self._id)
