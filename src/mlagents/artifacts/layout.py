"""Where a run keeps its files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mlagents.stats import safe_name


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
    def begun(self) -> Path:
        """What a run that was stopped needs, besides the weights, to go on as if it had not been."""
        return self.run / "begun.safetensors"

    @property
    def timers(self) -> Path:
        """Timers of the run."""
        return self._logs / "timers.json" if self.results_dir else Path("summaries") / f"{self.run_id}_timers.json"

    @property
    def player_logs(self) -> Path:
        """Folder for the logs of environment executables."""
        return self.run / "run_logs"

    @property
    def exports(self) -> Path:
        """How closely each exported model agrees with its policy."""
        return self.run / "exports.json"

    def model(self, behavior: str, suffix: str = ".onnx") -> Path:
        """The newest exported model of a behavior, `.onnx` or `.nn`."""
        return self.run / f"{safe_name(behavior)}{suffix}"

    def checkpoint(self, behavior: str, step: int, suffix: str) -> Path:
        """A file of a checkpoint: `.safetensors` for the state, `.onnx` for the model."""
        name = safe_name(behavior)
        return self.run / name / f"{name}-{step}{suffix}"

    def snapshot(self, behavior: str, number: int) -> Path:
        """A snapshot of self-play."""
        name = safe_name(behavior)
        return self.run / name / "snapshots" / f"{name}-{number}.safetensors"

    def events(self, behavior: str) -> Path:
        """Folder of a behavior's TensorBoard files."""
        if self.results_dir:
            return self.run / safe_name(behavior)
        return Path("summaries") / f"{self.run_id}_{safe_name(behavior)}"

    def csv(self, behavior: str) -> Path:
        """A behavior's statistics as CSV."""
        if self.results_dir:
            return self.run / safe_name(behavior) / "statistics.csv"
        return Path("summaries") / f"{self.run_id}_{safe_name(behavior)}.csv"

    @property
    def jsonl(self) -> Path:
        """The statistics of all behaviors as JSON lines."""
        return self.run / "statistics.jsonl" if self.results_dir else Path("summaries") / f"{self.run_id}.jsonl"
