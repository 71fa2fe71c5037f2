"""Environments in Python files that no package offers: `my_game.py`, `my_game.py:HARD_ENTRY`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.user_errors import describe

DEFAULT_OBJECT = "ENTRY"
_SUFFIX = ".py"


def file_and_object(name: str) -> tuple[Path, str] | None:
    """Return the file, and the object in it, that a name means; None if it names no Python file that exists."""
    if name.endswith(_SUFFIX):
        path, wanted = Path(name), DEFAULT_OBJECT
    else:
        stem, separator, wanted = name.rpartition(f"{_SUFFIX}:")
        path = Path(stem + _SUFFIX)
        if not (separator and wanted.isidentifier()):
            return None
    return (path, wanted) if path.is_file() else None


def load_entry(path: Path, wanted: str) -> BaseRegistryEntry:
    """Run a Python file, and return an entry that it defines. The file may import its neighbours.

    Raises:
      UnityEnvironmentException: the file raises an exception, which is named with its line; or there is no such
        object, or it is no `BaseRegistryEntry`.
    """
    path = path.resolve()
    name = f"mlagents_environment_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise UnityEnvironmentException(f"{path.name} cannot be loaded: {describe(error)}.{_advice(error)}") from error
    entry = getattr(module, wanted, None)
    if isinstance(entry, BaseRegistryEntry):
        return entry
    entries = [key for key, value in vars(module).items() if isinstance(value, BaseRegistryEntry)]
    raise UnityEnvironmentException(
        f"{path}: expected an environment {wanted}, like `{wanted} = SimEntry(...)`; found "
        f"{'nothing of that name' if entry is None else f'a {type(entry).__name__}'}. Environments in the file: "
        f"{', '.join(entries) or 'none'}. Choose with {path.name}:NAME."
    )


def _advice(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f" Install the package that has {error.name.partition('.')[0]!r}, or put the module beside the file."
    return ""
