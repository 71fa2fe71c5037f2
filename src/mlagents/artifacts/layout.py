"""Where a run keeps its files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from mlagents.stats import is_portable, safe_name
from mlagents.stats.trackers.writer import IDS_FILE

CHECKPOINT_SUFFIXES = (".safetensors", ".onnx")
"""Of a checkpoint's state and of its model."""

MODEL_SUFFIXES = (".onnx", ".nn")
"""Of the models of a run."""

LONGEST_RUN_ID_BYTES = 100
"""Of a run id, in UTF-8: beside it stand a behavior's name and a suffix, and file systems take 255."""


def run_id_problem(run_id: str) -> str | None:
    """Return why a run id cannot be the name of a folder in the results folder, None if it can."""
    if "/" in run_id or "\\" in run_id or run_id in (".", ".."):
        return "a run id is a name, not a path: choose the folder with --results-dir"
    if (size := len(run_id.encode("utf-8", "surrogatepass"))) > LONGEST_RUN_ID_BYTES:
        return f"expected at most {LONGEST_RUN_ID_BYTES} bytes, got {size}"
    if not is_portable(run_id):
        return 'expected a name that every file system takes: without : * ? " < > | and without a dot at its end'
    return None


@dataclass(frozen=True)
class Layout:
    """Paths of a run, in the layout of 2020 (`models/`, `summaries/`) or the modern one (`results/`).

    Attributes:
      run_id: the run's name.
      results_dir: base folder of the modern layout, or None for the layout of 2020.
    """

    run_id: str
    results_dir: Path | None = None

    @staticmethod
    def of_folder(folder: Path) -> Layout:
        """Return the layout of a run that is in this folder, wherever it was made."""
        is_modern = (folder / "run_logs" / "training_status.json").is_file()
        return Layout(str(folder.resolve()), folder if is_modern else None)

    @property
    def run(self) -> Path:
        """Folder that holds models and checkpoints; it exists exactly when the run does."""
        return (self.results_dir or Path("models")) / self.run_id

    @property
    def _logs(self) -> Path:
        return self.run / "run_logs" if self.results_dir else self.run

    @property
    def status(self) -> Path:
        """The list of checkpoints: what it names is whole."""
        return self._logs / "training_status.json"

    @property
    def configuration(self) -> Path:
        """The complete effective configuration."""
        return self.run / "configuration.yaml"

    @property
    def manifest(self) -> Path:
        """Versions, command line, seed and settings of the run."""
        return self.run / "run_manifest.json"

    @property
    def lock(self) -> Path:
        """Who writes into the run now; see `RunLock`."""
        return self.run / "run.lock"

    @property
    def begun(self) -> Path:
        """What a run that was stopped needs, besides the weights, to go on as if it had not been."""
        return self.run / "begun.safetensors"

    @property
    def timers(self) -> Path:
        """Timers of the run."""
        return self._logs / "timers.json" if self.results_dir else Path("summaries") / f"{self.run_id}_timers.json"

    @property
    def clock(self) -> Path:
        """When each summary was written, and the CPU time until then."""
        return self._logs / "clock.csv" if self.results_dir else Path("summaries") / f"{self.run_id}_clock.csv"

    @property
    def player_logs(self) -> Path:
        """Folder for the logs of environment executables."""
        return self.run / "run_logs"

    @property
    def exports(self) -> Path:
        """How closely each exported model agrees with its policy."""
        return self.run / "exports.json"

    def model(self, behavior: str, suffix: str = ".onnx") -> Path:
        """Return the newest exported model of a behavior, `.onnx` or `.nn`."""
        return self.run / f"{safe_name(behavior)}{suffix}"

    def checkpoint(self, behavior: str, step: int, suffix: str) -> Path:
        """Return a file of a checkpoint: `.safetensors` for the state, `.onnx` for the model."""
        name = safe_name(behavior)
        return self.run / name / f"{name}-{step}{suffix}"

    def states(self) -> Iterator[tuple[Path, int, Path]]:
        """Yield folder, step and file of the states on disk, whether they are listed or not."""
        for folder in self.run.iterdir() if self.run.is_dir() else ():
            for step, path in self.checkpoint_files(folder):
                if path.suffix == ".safetensors":
                    yield folder, step, path

    @staticmethod
    def checkpoint_files(folder: Path) -> list[tuple[int, Path]]:
        """Return step and path of all files of checkpoints in a behavior's folder."""
        suffixes = "|".join(map(re.escape, CHECKPOINT_SUFFIXES))
        pattern = re.compile(rf"{re.escape(folder.name)}-(\d+)({suffixes})", re.DOTALL)
        files = folder.iterdir() if folder.is_dir() else ()
        return [(int(found[1]), path) for path in files if (found := pattern.fullmatch(path.name))]

    @staticmethod
    def behavior_of(folder: Path) -> str:
        """Return whose checkpoints a folder holds, by its name; shortened names stay short."""
        return unquote(folder.name)

    def snapshot(self, behavior: str, number: int) -> Path:
        """Return the file of a snapshot of self-play."""
        name = safe_name(behavior)
        return self.run / name / "snapshots" / f"{name}-{number}.safetensors"

    def events(self, behavior: str) -> Path:
        """Return the folder of a behavior's TensorBoard files."""
        if self.results_dir:
            return self.run / safe_name(behavior)
        return Path("summaries") / f"{self.run_id}_{safe_name(behavior)}"

    def csv(self, behavior: str) -> Path:
        """Return a behavior's statistics as CSV."""
        if self.results_dir:
            return self.run / safe_name(behavior) / "statistics.csv"
        return Path("summaries") / f"{self.run_id}_{safe_name(behavior)}.csv"

    @property
    def trackers(self) -> Path:
        """What trackers call the run; see `mlagents.stats.trackers`."""
        return self.run / IDS_FILE

    @property
    def jsonl(self) -> Path:
        """The statistics of all behaviors as JSON lines."""
        return self.run / "statistics.jsonl" if self.results_dir else Path("summaries") / f"{self.run_id}.jsonl"
