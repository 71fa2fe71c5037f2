"""Which runs there are, and what each has come to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np

from mlagents.artifacts.layout import Layout
from mlagents.artifacts.run_lock import RunInUse, RunLock
from mlagents.artifacts.status import Status, StatusError
from mlagents.errors import UsageError
from mlagents.files import RUN_FOLDERS
from mlagents.runs.curves import Curves, behaviors_of, read_curves
from mlagents.stats.tags import CUMULATIVE_REWARD, ELO, GROUP_CUMULATIVE_REWARD

_OF_2020 = RUN_FOLDERS[0]
_MARKS = ("training_status.json", "run_logs/training_status.json", "configuration.yaml", "run_manifest.json")


@dataclass(frozen=True)
class BehaviorRecord:
    """What one behavior of a run has come to; None where it is not known.

    Attributes:
      name: of the behavior.
      step: of the last summary or checkpoint, whichever is later.
      reward: mean return of the last summary, own and group's.
      best_reward: the highest of all summaries.
      rating: Elo of the last summary with one.
      steps_per_second: over all of the run, stops left out where the run has a clock.
    """

    name: str
    step: int
    reward: float | None
    best_reward: float | None
    rating: float | None
    steps_per_second: float | None


@dataclass(frozen=True)
class RunRecord:
    """What is on disk of a run.

    Attributes:
      run_id: its name.
      folder: of models and checkpoints.
      layout: `2020` or `modern`.
      state: `in use` by a process, `done` where every behavior has done its max_steps, otherwise `stopped`.
      used_by: the process that has it.
      created: when it began, seconds since 1970.
      wall_s, cpu_s: seconds that it has taken; None if not known.
      size_bytes: of all its files.
      behaviors: by name.
    """

    run_id: str
    folder: str
    layout: str
    state: str
    used_by: str | None
    created: float
    wall_s: float | None
    cpu_s: float | None
    size_bytes: int
    behaviors: tuple[BehaviorRecord, ...]


def find_runs(results_dir: Path | None = None) -> list[Layout]:
    """Return the runs of this folder, in `models/` and `results/`, or those in `results_dir`, newest first."""
    bases = RUN_FOLDERS if results_dir is None else (results_dir,)
    folders = [folder for base in bases if base.is_dir() for folder in base.iterdir() if is_run(folder)]
    return [layout_of(folder) for folder in sorted(folders, key=_created, reverse=True)]


def find_run(where: Path, results_dir: Path | None = None) -> Layout:
    """Return the run of an id, or in a folder.

    Raises:
      UsageError: there is none, or there are several of the id.
    """
    bases = RUN_FOLDERS if results_dir is None else (results_dir,)
    candidates = [where, *(base / where for base in bases)]
    found = list({folder.resolve(): folder for folder in candidates if is_run(folder)}.values())
    if len(found) > 1:
        raise UsageError(f"there are several runs {str(where)!r}; name one by its folder: {_listed(found)}")
    if not found:
        near = get_close_matches(where.name, [layout.run_id for layout in find_runs(results_dir)], n=1)
        hint = f"; did you mean {near[0]}?" if near else "; `mlagents runs list` shows those that there are"
        raise UsageError(f"there is no run {str(where)!r} (looked for {_listed(candidates)}){hint}")
    return layout_of(found[0])


def _listed(paths: Iterable[Path]) -> str:
    return ", ".join(map(str, paths))


def is_run(folder: Path) -> bool:
    """Return whether a folder is one of a run."""
    return folder.is_dir() and any((folder / mark).is_file() for mark in _MARKS)


def layout_of(folder: Path) -> Layout:
    """Return where the files of the run in this folder are; it has the layout of 2020 only in `models/`."""
    is_modern = (folder / "run_logs" / "training_status.json").is_file() or (
        folder.parent.resolve() != _OF_2020.resolve()
    )
    return Layout(folder.name, folder.parent if is_modern else None)


def files_of(layout: Layout) -> Iterator[Path]:
    """Yield all files of a run, those in `summaries/` included."""
    yield from (path for path in sorted(layout.run.rglob("*")) if path.is_file() or path.is_symlink())
    if layout.results_dir is not None:
        return
    beside = [layout.timers, layout.clock, layout.jsonl]
    for name in behaviors_of(layout):
        beside += [layout.csv(name), *sorted(layout.events(name).glob("events.out*"))]
    yield from (path for path in beside if path.is_file())


def read_record(layout: Layout) -> RunRecord:
    """Return what is known of a run; what cannot be read is left out."""
    curves = [read_curves(layout, name) for name in behaviors_of(layout)]
    checkpoints, limits = _checkpointed(layout), _max_steps(layout)
    behaviors = tuple(_behavior(found, checkpoints.get(found.behavior, 0)) for found in curves)
    used_by = user_of(layout)
    ended = bool(behaviors) and all(b.step >= limits.get(b.name, b.step + 1) for b in behaviors)
    return RunRecord(
        run_id=layout.run_id,
        folder=str(layout.run),
        layout="2020" if layout.results_dir is None else "modern",
        state="in use" if used_by else "done" if ended else "stopped",
        used_by=used_by,
        created=_created(layout.run),
        wall_s=_largest(found.wall_s for found in curves),
        cpu_s=_largest(found.cpu_s for found in curves),
        size_bytes=sum(path.lstat().st_size for path in files_of(layout)),
        behaviors=behaviors,
    )


def user_of(layout: Layout) -> str | None:
    """Return a sentence about the process that writes into a run, None if none does."""
    try:
        RunLock(layout.lock).refuse_if_held()
    except RunInUse as held:
        return str(held)
    return None


def _behavior(curves: Curves, checkpointed: int) -> BehaviorRecord:
    rewards = total_rewards(curves)
    seen = rewards[np.isfinite(rewards)]
    rating = curves.last(ELO)
    last = int(curves.steps[-1]) if len(curves.steps) else 0
    return BehaviorRecord(
        name=curves.behavior,
        step=max(last, checkpointed),
        reward=float(seen[-1]) if seen.size else None,
        best_reward=float(seen.max()) if seen.size else None,
        rating=rating,
        steps_per_second=curves.steps_per_second(),
    )


def total_rewards(curves: Curves) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return own reward and the group's, float64 [summaries]; NaN where no episode had ended."""
    own = curves.value(CUMULATIVE_REWARD)
    group = curves.values.get(GROUP_CUMULATIVE_REWARD)
    return own if group is None else own + np.nan_to_num(group)


def _checkpointed(layout: Layout) -> dict[str, int]:
    with suppress(OSError, StatusError):
        status = Status.read(layout.status)
        return {name: status.checkpoints(name)[-1]["steps"] for name in status.behaviors()}
    return {}


def _max_steps(layout: Layout) -> dict[str, int]:
    behaviors = settings_of(layout).get("behaviors")
    found = behaviors.items() if isinstance(behaviors, Mapping) else ()
    return {name: int(b["max_steps"]) for name, b in found if isinstance(b, Mapping) and "max_steps" in b}


def settings_of(layout: Layout) -> dict[str, Any]:
    """Return the settings of a run as nested mappings, from its `configuration.yaml`; empty if it has none."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    with suppress(OSError, YAMLError, ValueError):
        found = YAML(typ="safe").load(layout.configuration.read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    return {}


def _created(folder: Path) -> float:
    """Return when a run began, seconds since 1970: as its manifest says, or its oldest file."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        text = json.loads((folder / "run_manifest.json").read_text(encoding="utf-8"))["created"]
        return _parse_time(text)
    files = [folder / mark for mark in _MARKS if (folder / mark).is_file()]
    return min((file.stat().st_mtime for file in files), default=folder.stat().st_mtime)


def _parse_time(text: str) -> float:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").timestamp()


def _largest(columns: Iterable[np.ndarray[Any, np.dtype[np.float64]] | None]) -> float | None:
    found = [float(column[-1]) for column in columns if column is not None and len(column)]
    return max(found, default=None)


def age(record: RunRecord) -> str:
    """Return when a run began, for people."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created))
