"""Going on exactly where a run was stopped: everything that is in no checkpoint, in one file beside them.

It belongs to the checkpoints of the moment at which it was written, and to the settings of then. With others, or when
the environment does not tell its state, a resumed run begins new episodes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlagents.artifacts.state_file import DamagedState, read_state, write_state
from mlagents.settings import RunSettings
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)

LARGEST_BYTES = 256 * 2**20
"""More than this is not written: a run must stop within seconds."""

_FREE = {"max_steps", "summary_freq", "checkpoint_interval", "keep_checkpoints", "even_checkpoints", "threaded"}
_ENVIRONMENT = ("env_path", "env_args", "num_envs", "num_areas", "resampling_interval")


def write_begun(path: Path, begun: dict[str, Any] | None, steps: Mapping[str, int], settings: RunSettings) -> None:
    """Write what a stopped run had begun, or remove the file if there is nothing.

    Args:
      path: the file.
      begun: arrays and plain values in nested mappings and lists, or None.
      steps: behavior to the step of the checkpoint that it belongs to.
      settings: of the run.
    """
    tensors: dict[str, NDArray[Any]] = {}
    tree = _without_arrays(begun, "", tensors)
    if begun is None or sum(array.nbytes for array in tensors.values()) > LARGEST_BYTES:
        path.unlink(missing_ok=True)
        return
    state = {"tensors": tensors, "begun": tree, "steps": dict(steps), "settings": _fingerprint(settings)}
    try:
        write_state(path, state)
    except OSError as error:  # the checkpoint is written, and the model still to be
        _log.warning("%s could not be written (%s); a resumed run begins new episodes.", path, error.strerror)


def read_begun(path: Path, steps: Mapping[str, int], settings: RunSettings) -> dict[str, Any] | None:
    """Return what the run had begun when these checkpoints were written, or None if that is not known."""
    try:
        state = read_state(path)
    except FileNotFoundError:
        return None
    except DamagedState as error:
        _log.warning("%s cannot be read (%s); the run goes on with new episodes.", path, error)
        return None
    if state["steps"] != dict(steps):
        return None
    if state["settings"] != _fingerprint(settings):
        _log.info("The settings have changed since the run was stopped: it goes on with new episodes.")
        return None
    begun: dict[str, Any] = _with_arrays(state["begun"], state["tensors"])
    return begun


def _fingerprint(settings: RunSettings) -> str:
    """Return what must be the same for episodes to go on, as text."""
    tree = settings.model_dump(mode="json")
    behaviors = {**tree["behaviors"], "": tree["default_settings"] or {}}
    kept = {name: {k: v for k, v in behavior.items() if k not in _FREE} for name, behavior in behaviors.items()}
    environment = {key: tree["env_settings"][key] for key in _ENVIRONMENT}
    return json.dumps([kept, environment, tree["environment_parameters"]], sort_keys=True)


def _without_arrays(tree: Any, path: str, tensors: dict[str, NDArray[Any]]) -> Any:
    """Return the tree with each array replaced by a note of its name in `tensors`."""
    if isinstance(tree, np.ndarray):
        tensors[path] = np.ascontiguousarray(tree)
        return {"tensor": path}
    if isinstance(tree, Mapping):
        return {key: _without_arrays(value, f"{path}/{key}", tensors) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_without_arrays(value, f"{path}/{index}", tensors) for index, value in enumerate(tree)]
    return tree


def _with_arrays(tree: Any, tensors: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(tree, dict):
        if tree.keys() == {"tensor"}:
            return tensors[tree["tensor"]]
        return {key: _with_arrays(value, tensors) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_arrays(value, tensors) for value in tree]
    return tree
