"""`mlagents.train`, and the handle that it returns."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlagents.artifacts.layout import Layout
from mlagents.background.history import History, Progress
from mlagents.background.runners import ProcessRunner, Runner, ThreadRunner, TrainingError
from mlagents.predictor import Predictor, load
from mlagents.settings import RunSettings, dump, load_run_settings, parse_run_settings
from mlagents_envs.registry import BaseRegistryEntry, default_registry

__all__ = ["Training", "TrainingError", "train"]

Configuration = str | Path | Mapping[str, Any] | RunSettings | None


class Training:
    """A run that goes on beside the program; `train` makes it.

    As a context manager it is stopped, and saved, when the block is left.

    Attributes:
      settings: of the run.
      run_id: its name.
      folder: of its models and checkpoints.
    """

    def __init__(self, settings: RunSettings, runner: Runner, history: History) -> None:
        checkpoint = settings.checkpoint_settings
        self.settings = settings
        self.run_id = checkpoint.run_id
        self.folder = Layout(self.run_id, Path(checkpoint.results_dir) if checkpoint.results_dir else None).run
        self._runner = runner
        self._history = history

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._runner.running

    @property
    def progress(self) -> dict[str, Progress]:
        """Behavior -> its step, the step at which it ends, and the last mean reward."""
        return self._history.current()

    def statistics(self, behavior: str | None = None) -> dict[str, NDArray[np.float64]]:
        """Return all summaries so far: tag -> float64 [summaries], NaN where one has no such value.

        `Step` and `Wall Time` (s) are there besides the tags of the statistics, such as
        `Environment/Cumulative Reward`.

        Args:
          behavior: whose; None for the only one.

        Raises:
          ValueError: there is no such behavior (yet), or there are several and none was named.
        """
        names = self._history.behaviors
        if behavior is None and len(names) <= 1:
            return self._history.arrays(names[0] if names else "")
        if behavior not in names:
            raise ValueError(f"expected one of the behaviors {', '.join(names) or '(none so far)'}; got {behavior!r}")
        return self._history.arrays(behavior)

    def stop(self, timeout: float | None = None) -> Training:
        """Let the run stop after what is in progress, save, and end; wait for that, and return this handle.

        Args:
          timeout: seconds to wait at most; None for as long as it takes, 0 not at all.

        Raises:
          Exception: what has ended the run, if that was an error.
        """
        self._runner.ask_to_stop()
        return self.wait(timeout)

    def wait(self, timeout: float | None = None) -> Training:
        """Wait for the end of the run, at most so many seconds, and return this handle.

        Raises:
          Exception: what has ended the run, if that was an error; `TrainingError` if it had a process of its own.
        """
        if self._runner.join(timeout) and self._runner.error is not None:
            raise self._runner.error
        return self

    def load(self, behavior: str | None = None, *, seed: int = 0) -> Predictor:
        """Return the model of a run that has ended, as `mlagents.load` does.

        Raises:
          ModelError: there is none yet, or there are several and none was named.
        """
        return load(self.folder, behavior, seed=seed)

    def __enter__(self) -> Training:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._runner.ask_to_stop()
        self._runner.join(None)
        if error is None:
            self.wait()

    def __repr__(self) -> str:
        failure = self._runner.error
        state = "running" if self.running else "ended" if failure is None else f"failed: {failure}"
        return f"Training({self.run_id!r}, {state}{''.join(map(_described, self.progress.items()))})"


def _described(item: tuple[str, Progress]) -> str:
    name, progress = item
    reward = "" if progress.reward is None else f", mean reward {progress.reward:.3f}"
    return f"; {name}: step {progress.step:,} of {progress.max_steps:,}{reward}"


def train(
    config: Configuration = None,
    env: str | Path | BaseRegistryEntry | None = None,
    *,
    where: Literal["thread", "process"] = "thread",
    **flags: Any,
) -> Training:
    """Start a run beside this program, and return its handle once it trains.

    Signals stay as they are: Ctrl+C interrupts the program, not the run, which `stop` ends. At the end of the program
    it is stopped and saved.

    ```
    with mlagents.train("config/ppo/3DBall.yaml", env="3DBall", run_id="ball") as training:
        while training.running:
            print(training)
            training.wait(timeout=10)
    curve = training.statistics()["Environment/Cumulative Reward"]
    ```

    Args:
      config: trainer file, its content as nested mappings, or settings; None for the built-in defaults.
      env: name, file or executable, as `--env`, or an entry such as `SimEntry(...)`; None for the configuration's.
      where: in a thread of this process, where environments of this program can be used; or in a process of its own,
        which leaves this one all of its time and memory.
      **flags: what `mlagents-learn` takes besides, with `_` for `-`: `run_id`, `num_envs`, `seed`, `force`, `resume`,
        `results_dir`, ...

    Raises:
      SettingsError: every fault of configuration and flags.
      ValueError: an entry of this program is wanted in another process.
      Exception: whatever keeps the run from starting; `TrainingError` with its message from a process of its own.
    """
    if where not in ("thread", "process"):
        raise ValueError(f"where is 'thread' or 'process'; got {where!r}")
    if env is not None:
        flags["env_path"] = _name_of(env)
    settings = _settings(config, flags)
    if isinstance(env, BaseRegistryEntry) and (where == "process" or settings.env_settings.num_envs > 1):
        raise ValueError(
            f"{env.identifier} is known to this process only: train it with where='thread' and num_envs=1, or give the"
            " Python file that defines it as env"
        )
    history = History()
    runner = (ThreadRunner if where == "thread" else ProcessRunner)(settings, history)
    training = Training(settings, runner, history)
    runner.start()
    runner.started.wait()
    if runner.error is not None:
        runner.join(None)
        raise runner.error
    return training


def _name_of(env: str | Path | BaseRegistryEntry) -> str:
    """Return what `--env` would be called; an entry is registered."""
    if not isinstance(env, BaseRegistryEntry):
        return str(env)
    default_registry.register(env)
    return env.identifier


def _settings(config: Configuration, flags: Mapping[str, object]) -> RunSettings:
    if isinstance(config, RunSettings):
        return parse_run_settings(dump(config), flags=flags, check_files=True)
    if isinstance(config, Mapping):
        return parse_run_settings(json.dumps(config), flags=flags, check_files=True)
    return load_run_settings(None if config is None else Path(config), flags)
