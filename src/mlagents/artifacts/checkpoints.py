"""Checkpoints: the state of every learner, and the list of those that are whole.

A behavior's state is one safetensors file: weights, Adam's moments and normaliser as tensors, everything else as JSON
in its header. `training_status.json` names the checkpoints; it is written last, so that what it names is complete
whenever the process dies.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

import mlagents_envs
from mlagents.artifacts.layout import Layout
from mlagents.files import write_atomically

FORMAT_VERSION = "0.3.0"
PROVISIONAL = "provisional"
"""Key of listed checkpoints that the next one replaces."""

RATING = "rating"
"""Key of the mean return of listed checkpoints in episodes of their own; in self-play, of their Elo."""

LEAGUE = "league"
"""Key, beside the versions, of what self-play remembers."""


class CheckpointError(RuntimeError):
    """A saved run cannot be read, or must not be touched; the message names file and way out."""


class Checkpoints:
    """The checkpoints of a run.

    Args:
      layout: where they are.
      status: content of `training_status.json`; empty for a new run.
    """

    def __init__(self, layout: Layout, status: dict[str, Any] | None = None):
        self._layout = layout
        self._status = status or {}

    @staticmethod
    def open(layout: Layout) -> Checkpoints:
        """Return the checkpoints of an existing run.

        Raises:
          CheckpointError: the list is missing or not readable.
        """
        path = layout.status
        try:
            status = json.loads(path.read_text())
            if not isinstance(status, dict):
                raise ValueError("not a JSON object")
        except FileNotFoundError:
            raise CheckpointError(
                f"{path}: not found. The run {layout.run_id!r} has no checkpoint yet: start it anew with --force."
            ) from None
        except (ValueError, UnicodeDecodeError) as error:
            raise CheckpointError(
                f"{path}: not readable as the list of checkpoints ({error}). Restore the file, or start with --force."
            ) from None
        return Checkpoints(layout, status)

    @property
    def behaviors(self) -> list[str]:
        """Names of the behaviors that have been saved."""
        return [name for name, entry in self._status.items() if "checkpoints" in entry]

    @property
    def steps(self) -> dict[str, int]:
        """Step of the newest checkpoint of every behavior."""
        return {name: self._status[name]["checkpoints"][-1]["steps"] for name in self.behaviors}

    def folder(self, behavior: str) -> Path:
        """Return the folder of a behavior's checkpoints."""
        return self._layout.checkpoint(behavior, 0, "").parent

    @property
    def lessons(self) -> dict[str, int]:
        """The lesson of every environment parameter that has been saved."""
        return {name: entry["lesson_num"] for name, entry in self._status.items() if "lesson_num" in entry}

    @property
    def league(self) -> dict[str, Any]:
        """What self-play remembers besides its snapshots; empty without self-play."""
        found: dict[str, Any] = self._status.get("metadata", {}).get(LEAGUE, {})
        return found

    def best(self, behavior: str) -> tuple[int, float] | None:
        """Return step and rating of the best checkpoint that is listed, None if none was rated."""
        entries = self._status.get(behavior, {}).get("checkpoints", [])
        rated = [(e[RATING], e["steps"]) for e in entries if RATING in e]
        rating, step = max(rated, default=(0.0, None))
        return None if step is None else (step, rating)

    def load(self, behavior: str, step: int | None = None) -> dict[str, Any]:
        """Return the newest state of a behavior, or that of a step, as given to `save`.

        Raises:
          CheckpointError: nothing was saved for the behavior, or the file is damaged.
        """
        entries = self._status.get(behavior, {}).get("checkpoints", [])
        steps = [e["steps"] for e in entries if self._state_file(behavior, e["steps"]).is_file()]
        if not steps:
            known = ", ".join(self.behaviors) or "none"
            raise CheckpointError(
                f"{self._layout.run}: no checkpoint for behavior {behavior!r} (saved behaviors: {known})."
            )
        if step is not None and step not in steps:
            there = ", ".join(map(str, steps))
            raise CheckpointError(
                f"{self._layout.run}: no checkpoint of step {step} for behavior {behavior!r} (saved steps: {there})."
            )
        path = self._state_file(behavior, steps[-1] if step is None else step)
        try:
            return read_state(path)
        except (safetensors.SafetensorError, ValueError, KeyError, UnicodeDecodeError) as error:
            way_out = f"remove it to continue from step {steps[-2]}" if len(steps) > 1 else "start anew with --force"
            raise CheckpointError(f"{path}: the checkpoint is damaged ({error}); {way_out}.") from None

    def save(
        self,
        states: Mapping[str, dict[str, Any]],
        rewards: Mapping[str, float | None],
        keep: Mapping[str, int],
        final: bool = False,
        lessons: Mapping[str, int] = MappingProxyType({}),
        provisional: bool = False,
        ratings: Mapping[str, float] = MappingProxyType({}),
        keep_best: int = 0,
        league: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Write the states of all behaviors, then name them in the list, then delete the oldest.

        Args:
          states: behavior to `{"tensors": ..., "steps": ..., ...}`; everything but tensors must be JSON.
          rewards: mean return since the last update, for the list.
          keep: checkpoints to keep per behavior; 0 or less keeps all.
          final: also list them as the final ones.
          lessons: environment parameter to the number of its lesson.
          provisional: these checkpoints go when the next ones come, and push none of the others out.
          ratings: mean return of these checkpoints in episodes of their own, by behavior.
          keep_best: checkpoints of the best ratings to keep besides the newest.
          league: what self-play remembers, as plain values.

        Raises:
          OSError: the disk is full or not writable; the checkpoints before stay valid.
        """
        stale: list[Path] = []
        for behavior, state in states.items():
            steps = state["steps"]
            path = self._state_file(behavior, steps)
            write_state(path, state)
            entry = {
                "steps": steps,
                "file_path": str(path.with_suffix(".onnx")),
                "reward": rewards.get(behavior),
                "creation_time": time.time(),
                "auxillary_file_paths": [str(path)],
            }
            if behavior in ratings:
                entry[RATING] = ratings[behavior]
            listed = self._status.setdefault(behavior, {})
            before = [e for e in listed.get("checkpoints", []) if e["steps"] != steps]
            lasting = [e for e in before if PROVISIONAL not in e]
            if provisional:
                kept = [*lasting, entry | {PROVISIONAL: True}]
            else:
                kept = _newest_and_best([*lasting, entry], keep.get(behavior, 0), keep_best)
            for old in before:
                if old not in kept:
                    state_file = self._state_file(behavior, old["steps"])
                    stale += [state_file, state_file.with_suffix(".onnx")]
            listed["checkpoints"] = kept
            if final:
                model = str(self._layout.model(behavior))
                listed["final_checkpoint"] = entry | {"file_path": model}
        for parameter, number in lessons.items():
            self._status.setdefault(parameter, {})["lesson_num"] = number
        self._status["metadata"] = {
            "stats_format_version": FORMAT_VERSION,
            "mlagents_version": mlagents_envs.__version__,
            **({LEAGUE: dict(league)} if league else {}),
        }
        write_atomically(self._layout.status, json.dumps(self._status, indent=4).encode())
        for path in stale:
            path.unlink(missing_ok=True)

    def _state_file(self, behavior: str, steps: int) -> Path:
        """Found by step rather than by the listed path, so that a run may be moved to another folder."""
        return self._layout.checkpoint(behavior, steps, ".safetensors")


def _newest_and_best(entries: list[dict[str, Any]], newest: int, best: int) -> list[dict[str, Any]]:
    """Return the newest entries (all if that is 0 or less) and those of the best ratings, in their order."""
    if newest <= 0:
        return entries
    rated = sorted((e for e in entries if RATING in e), key=lambda e: (e[RATING], e["steps"]))
    kept = [*entries[-newest:], *rated[len(rated) - min(best, len(rated)) :]]
    return [entry for entry in entries if entry in kept]


def write_state(path: Path, state: dict[str, Any]) -> None:
    """Write a state as one safetensors file, whole or not at all."""
    tensors = state["tensors"]
    plain = {key: value for key, value in state.items() if key != "tensors"}
    header = {"state": json.dumps(plain), "sha256": _digest(tensors)}
    write_atomically(path, safetensors.numpy.save(tensors, header))


def read_state(path: Path) -> dict[str, Any]:
    """Return the state that `write_state` wrote.

    Raises:
      SafetensorError, ValueError, KeyError: the file is damaged or not a checkpoint.
    """
    with safetensors.safe_open(path, framework="numpy") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if _digest(tensors) != header["sha256"]:
        raise ValueError("its checksum is wrong")
    plain: dict[str, Any] = json.loads(header["state"])
    return plain | {"tensors": tensors}


def _digest(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
