"""Checkpoints: the state of every learner, and the list of those that are whole.

A behavior's state is one safetensors file: weights, Adam's moments and normaliser as tensors, everything else as JSON
in its header. `training_status.json` names the checkpoints; it is written last, so that what it names is complete
whenever the process dies.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mlagents.artifacts.layout import CHECKPOINT_SUFFIXES, Layout
from mlagents.artifacts.state_file import DamagedState, read_state, write_state
from mlagents.artifacts.status import PROVISIONAL, RATING, Entry, Status, StatusError, listed, newest_and_best
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

BEHAVIOR = "behavior"
"""Key, in a saved state, of whose it is: names of files may be shortened."""


class CheckpointError(RuntimeError):
    """A saved run cannot be read, or must not be touched; the message names file and way out."""


class Checkpoints:
    """The checkpoints of a run.

    Args:
      layout: where they are.
      status: what is listed; empty for a new run.
      is_complete: what is not listed belongs to no run; not so if the list was rebuilt without damaged files.
    """

    def __init__(self, layout: Layout, status: Status | None = None, is_complete: bool = True):
        self._layout = layout
        self._status = status or Status()
        self._is_complete = is_complete

    @staticmethod
    def open(layout: Layout) -> Checkpoints:
        """Return the checkpoints of an existing run; a list that is missing is rebuilt from the files.

        Raises:
          CheckpointError: the list is not readable, or missing and there are no checkpoints.
        """
        path = layout.status
        try:
            return Checkpoints(layout, Status.read(path))
        except FileNotFoundError:
            return _rebuilt(layout)
        except StatusError as error:
            raise CheckpointError(
                f"{path}: not readable as the list of checkpoints ({error}). Restore the file; or delete it, and it is"
                " rebuilt from the checkpoints beside it; or start anew with --force."
            ) from None

    @property
    def behaviors(self) -> list[str]:
        """Names of the behaviors that have been saved."""
        return list(self._status.behaviors())

    @property
    def steps(self) -> dict[str, int]:
        """Step of the newest checkpoint of every behavior that `load` returns."""
        return {name: steps[-1] for name in self.behaviors if (steps := self._present(name))}

    def folder(self, behavior: str) -> Path:
        """Return the folder of a behavior's checkpoints."""
        return self._layout.checkpoint(behavior, 0, "").parent

    @property
    def lessons(self) -> dict[str, int]:
        """The lesson of every environment parameter that has been saved."""
        return self._status.lessons()

    @property
    def league(self) -> dict[str, Any]:
        """What self-play remembers besides its snapshots; empty without self-play."""
        return self._status.league()

    def best(self, behavior: str) -> tuple[int, float] | None:
        """Return step and rating of the best checkpoint that is listed, None if none was rated."""
        rated = [(e[RATING], e["steps"]) for e in self._status.checkpoints(behavior) if RATING in e]
        rating, step = max(rated, default=(0.0, None))
        return None if step is None else (step, rating)

    def load(self, behavior: str, step: int | None = None) -> dict[str, Any]:
        """Return the newest state of a behavior, or that of a step, as given to `save`.

        Raises:
          CheckpointError: nothing was saved for the behavior, or the file is damaged.
        """
        steps = self._present(behavior)
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
        except DamagedState as error:
            way_out = f"remove it to continue from step {steps[-2]}" if len(steps) > 1 else "start anew with --force"
            raise CheckpointError(f"{path}: the checkpoint is damaged ({error}); {way_out}.") from None

    def begin(self) -> None:
        """Write the list as it is, so that what it does not name belongs to no run.

        Raises:
          OSError: the disk is full or not writable.
        """
        self._status.write(self._layout.status)

    def sweep(self) -> None:
        """Delete what a run that was killed left behind: checkpoints that are not listed."""
        for behavior in self.behaviors if self._is_complete else ():
            named = {entry["steps"] for entry in self._status.checkpoints(behavior)}
            for step, path in self._layout.checkpoint_files(self.folder(behavior)):
                if step not in named:
                    path.unlink(missing_ok=True)

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
            path = self._state_file(behavior, state["steps"])
            write_state(path, {**state, BEHAVIOR: behavior})
            entry = listed(state["steps"], path, rewards.get(behavior))
            if behavior in ratings:
                entry[RATING] = ratings[behavior]
            stale += self._list(behavior, entry, keep.get(behavior, 0), keep_best, provisional)
            if final:
                model = str(self._layout.model(behavior))
                self._status.set_final(behavior, entry | {"file_path": model})
        for parameter, number in lessons.items():
            self._status.set_lesson(parameter, number)
        self._status.set_league(league)
        self._status.write(self._layout.status)
        for path in stale:
            path.unlink(missing_ok=True)

    def _list(self, behavior: str, entry: Entry, newest: int, best: int, provisional: bool) -> list[Path]:
        """List a checkpoint, and return the files of those that leave the list."""
        before = [e for e in self._status.checkpoints(behavior) if e["steps"] != entry["steps"]]
        lasting = [e for e in before if PROVISIONAL not in e]
        if provisional:
            kept = [*lasting, entry | {PROVISIONAL: True}]
        else:
            kept = newest_and_best([*lasting, entry], newest, best)
        self._status.set_checkpoints(behavior, kept)
        gone = [self._state_file(behavior, old["steps"]) for old in before if old not in kept]
        return [path.with_suffix(suffix) for path in gone for suffix in CHECKPOINT_SUFFIXES]

    def _present(self, behavior: str) -> list[int]:
        """Return the steps that are listed and whose file is there, oldest first."""
        steps = [entry["steps"] for entry in self._status.checkpoints(behavior)]
        return [step for step in steps if self._state_file(behavior, step).is_file()]

    def _state_file(self, behavior: str, steps: int) -> Path:
        """Find the file by step rather than by the listed path, so that a run may be moved to another folder."""
        return self._layout.checkpoint(behavior, steps, ".safetensors")


def _rebuilt(layout: Layout) -> Checkpoints:
    """Return a list of the checkpoints that are there and whole.

    Raises:
      CheckpointError: there is none.
    """
    found: dict[str, list[Entry]] = {}
    for folder, step, path in sorted(layout.states(), key=lambda state: state[1]):
        try:
            behavior = read_state(path).get(BEHAVIOR, Layout.behavior_of(folder))
        except DamagedState as error:
            _log.warning("%s: left out, the checkpoint is damaged (%s).", path, error)
            continue
        found.setdefault(behavior, []).append(listed(step, path))
    if not found:
        raise CheckpointError(
            f"{layout.status}: not found. The run {layout.run_id!r} has no checkpoint yet: start it anew with --force."
        )
    status = Status()
    for behavior, entries in found.items():
        status.set_checkpoints(behavior, entries)
    _log.warning(
        "%s: not found; the list is rebuilt from the checkpoints beside it. Lessons and ratings are lost.",
        layout.status,
    )
    return Checkpoints(layout, status, is_complete=False)
