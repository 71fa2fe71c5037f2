"""Which number of environments, areas and threads is fastest: tried out, one after the other."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mlagents.files import write_atomically
from mlagents.preflight.measure import Measurement, MeasurementError
from mlagents.settings import RunSettings, dump, load_run_settings
from mlagents_envs.base_env import MOST_AREAS

WORTH = 1.05
"""A change must be so many times as fast to be kept: less is noise."""
_MOST_FACTOR = 16


@dataclass(frozen=True)
class Choice:
    """How a run uses a machine.

    Attributes:
      num_envs: environment processes.
      num_areas: in each; None for as many as usual.
      threads: that compute.
    """

    num_envs: int = 1
    num_areas: int | None = None
    threads: int = 1

    def flags(self) -> dict[str, int]:
        """Return the flags of environments, by destination."""
        return {"num_envs": self.num_envs} | ({} if self.num_areas is None else {"num_areas": self.num_areas})

    def __str__(self) -> str:
        areas = "" if self.num_areas is None else f", num_areas {self.num_areas}"
        return f"num_envs {self.num_envs}{areas}, threads {self.threads}"


@dataclass(frozen=True)
class Trial:
    """A choice and what it came to.

    Attributes:
      choice: what was tried.
      steps_per_second: 0 if there is none.
      problem: why there is no speed.
      has_learned: whether an update came while it was measured; otherwise the speed is without learning.
    """

    choice: Choice
    steps_per_second: float
    problem: str = ""
    has_learned: bool = True

    def beats(self, other: Trial) -> bool:
        """Return whether it is faster by more than noise. A speed without learning is none beside one with it."""
        if self.has_learned != other.has_learned and not other.problem:
            return self.has_learned and not self.problem
        return self.steps_per_second >= WORTH * other.steps_per_second and not self.problem

    def __str__(self) -> str:
        if self.problem:
            return f"{self.choice}: {self.problem}"
        without = "" if self.has_learned else ", without learning: no update came meanwhile"
        return f"{self.choice}: {self.steps_per_second:,.0f} steps per second{without}"


Measure = Callable[[Choice], Measurement]


def tune(start: Choice, usual_areas: int | None, cores: float, measure: Measure) -> Iterator[Trial]:
    """Yield trials; the fastest of all is the answer, and `fastest` finds it.

    Areas are doubled, then environments, then threads, each as long as that is worth it.

    Args:
      start: as configured.
      usual_areas: of an environment if nothing is said; None if their number cannot be changed.
      cores: that may be used.
      measure: tries a choice.
    """
    best = _try(start, measure)
    yield best
    for field, highest in (("num_areas", None), ("num_envs", cores), ("threads", cores)):
        if field == "num_areas" and usual_areas is None:
            continue
        first = getattr(best.choice, field) or usual_areas or 1
        limit = min(MOST_AREAS, _MOST_FACTOR * first) if highest is None else highest
        value = 2 * first
        while value <= limit:
            trial = _try(replace(best.choice, **{field: value}), measure)
            yield trial
            if not trial.beats(best):
                break
            best, value = trial, 2 * value


def fastest(trials: list[Trial]) -> Trial:
    """Return the first trial of those of which none is faster by more than noise."""
    best = trials[0]
    for trial in trials[1:]:
        if trial.beats(best):
            best = trial
    return best


def _try(choice: Choice, measure: Measure) -> Trial:
    try:
        found = measure(choice)
        return Trial(choice, found.steps_per_second, has_learned=found.updates > 0)
    except MeasurementError as error:
        return Trial(choice, 0.0, str(error))


def write_tuned(config: Path | None, settings: RunSettings, trial: Trial, target: Path) -> None:
    """Write a copy of a configuration with the numbers of a trial; comments stay where the file is a modern one.

    Args:
      config: the file; None if there is none.
      settings: what is in it, for files of 2020, which have no place for these numbers.
      trial: what was found.
      target: the file to write.

    Raises:
      OSError: the file cannot be written.
      SettingsError: the copy is not valid, which is a defect.
    """
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 1_000_000
    tree: Any = yaml.load(config.read_text(encoding="utf-8")) if config is not None else None
    if not isinstance(tree, Mapping) or not {"behaviors", "default_settings"} & set(tree):
        tree = yaml.load(dump(settings))
    section = tree.setdefault("env_settings", {})
    for key, value in trial.choice.flags().items():
        section[key] = value
    text = io.StringIO()
    threads = "" if trial.choice.threads == 1 else f"; start it with NPROC={trial.choice.threads}"
    text.write(f"# Tuned: {trial}{threads}\n")
    yaml.dump(tree, text)
    write_atomically(target, text.getvalue().encode())
    load_run_settings(target, {"env_path": settings.env_settings.env_path}, check_files=False)
