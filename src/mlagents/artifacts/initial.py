"""Weights that a behavior starts from: `init_path`, a checkpoint or a folder of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

from mlagents.artifacts.checkpoints import CheckpointError, Checkpoints
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.state_file import DamagedState, read_state
from mlagents.settings import RunSettings

_STEP = re.compile(r"-(\d+)\.safetensors$")


class InitialState(NamedTuple):
    """A learner's state and where it comes from, in words."""

    state: dict[str, Any]
    origin: str


def find_state(path: Path, behavior: str, initial: Checkpoints | None) -> Path:
    """Return the checkpoint that an `init_path` means.

    Args:
      path: a checkpoint; a folder of checkpoints, of which the newest is taken; or the name of a checkpoint of the run
        that `initialize_from` names.
      behavior: whose `init_path` it is.
      initial: that run.

    Raises:
      CheckpointError: there is no checkpoint.
    """
    if initial is not None and not path.exists() and (initial.folder(behavior) / path).is_file():
        return initial.folder(behavior) / path
    if path.is_dir():
        steps = {int(m[1]): file for file in path.iterdir() if (m := _STEP.search(file.name))}
        if not steps:
            raise CheckpointError(f"behaviors.{behavior}.init_path: {path} holds no checkpoint (*-<step>.safetensors).")
        return steps[max(steps)]
    if not path.is_file():
        raise CheckpointError(
            f"behaviors.{behavior}.init_path: {path} does not exist; expected a checkpoint (*.safetensors) or a folder"
            " of them, such as models/<run-id>/<behavior>."
        )
    return path


def refuse_overwritten(settings: RunSettings, initial: Checkpoints | None, layout: Layout) -> None:
    """Raise an error if a run would start from weights that it deletes first.

    Args:
      settings: of the run.
      initial: the run that `initialize_from` names.
      layout: where the files of the run are.

    Raises:
      CheckpointError: so it would.
    """
    checkpoint = settings.checkpoint_settings
    if checkpoint.resume or checkpoint.inference or not checkpoint.force:
        return
    for name, behavior in settings.behaviors.items():
        path = None if behavior.init_path is None else find_state(Path(behavior.init_path), name, initial)
        if path is not None and path.resolve().is_relative_to(layout.run.resolve()):
            raise CheckpointError(
                f"behaviors.{name}.init_path: {path} is of the run that --force overwrites; choose another --run-id."
            )
    if checkpoint.initialize_from == checkpoint.run_id:
        raise CheckpointError(
            f"--initialize-from={checkpoint.run_id} is the run that --force overwrites; choose another --run-id."
        )


def read_initial(path: Path) -> InitialState:
    """Return the state in a checkpoint.

    Raises:
      CheckpointError: it is damaged, or no checkpoint of this toolkit.
    """
    try:
        return InitialState(read_state(path), str(path))
    except DamagedState as error:
        raise CheckpointError(
            f"init_path: {path} cannot be read as a checkpoint ({error}); expected a .safetensors file of a run."
        ) from None
