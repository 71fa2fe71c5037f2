"""Which model file plays which behavior, by what the user typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.values import find_folder
from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents_envs.registry import BaseRegistryEntry


def model_files(entry: BaseRegistryEntry, wanted: str | None, names: Sequence[str]) -> dict[str, Path]:
    """Return behavior name -> model file.

    Args:
      entry: of the environment.
      wanted: a file, a folder, or the id of a run; None for the model that comes with the environment.
      names: of the behaviors, without teams.

    Raises:
      UsageError: there is no such model, or not one for every behavior.
    """
    from mlagents.inference import SUFFIXES
    from mlagents.stats import safe_name

    if wanted is None and entry.pretrained is None:
        raise UsageError(f"no trained model comes with {entry.identifier}; give --model FILE, RUN or random")
    where = entry.pretrained if wanted is None else Path(wanted)
    assert where is not None
    stems = [safe_name(name) for name in names]
    if where.is_file() or (where.suffix in SUFFIXES and not where.is_dir()):
        if len(names) > 1:
            raise UsageError(
                f"{where} is one model, but {entry.identifier} has behaviors {', '.join(names)}; give a run"
                f" or a folder with {', '.join(f'{stem}.onnx' for stem in stems)}"
            )
        return {names[0]: where}
    folder = find_folder(where)
    found = [_in_folder(folder, stem, SUFFIXES) for stem in stems]
    files = {name: file for name, file in zip(names, found, strict=True) if file is not None}
    if missing := [f"{stem}.onnx" for stem, file in zip(stems, found, strict=True) if file is None]:
        there = ", ".join(sorted(path.name for path in folder.iterdir() if path.suffix in SUFFIXES))
        raise UsageError(
            f"expected {', '.join(missing)} in the folder {folder}, or .nn; found {there or 'no .onnx or .nn files'}"
        )
    return files


def _in_folder(folder: Path, stem: str, suffixes: tuple[str, ...]) -> Path | None:
    """Return the model of a behavior in the first format that is there."""
    return next((file for suffix in suffixes if (file := folder / f"{stem}{suffix}").is_file()), None)
