"""In which settings runs differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_ABOUT_THE_START = frozenset(
    f"checkpoint_settings.{key}" for key in ("run_id", "resume", "force", "load_model", "train_model", "results_dir")
)
"""Settings that say nothing of what is learned."""

ABSENT = "-"


def differences(settings: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return dotted key -> value in each run, as text, of all settings that are not the same in all of them.

    Args:
      settings: of each run, as nested mappings.
    """
    flat = [dict(flattened(tree)) for tree in settings]
    keys = dict.fromkeys(key for tree in flat for key in tree)
    found = {key: [tree.get(key, ABSENT) for tree in flat] for key in keys if key not in _ABOUT_THE_START}
    return {key: values for key, values in found.items() if len(set(values)) > 1}


def flattened(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted keys and values as text; items of lists by their number."""
    if isinstance(tree, Mapping) and tree:
        for key, value in tree.items():
            yield from flattened(value, f"{path}.{key}" if path else str(key))
    elif isinstance(tree, list) and any(isinstance(item, (Mapping, list)) for item in tree):
        for number, item in enumerate(tree):
            yield from flattened(item, f"{path}.{number}")
    else:
        yield path, _text(tree)


def _text(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
