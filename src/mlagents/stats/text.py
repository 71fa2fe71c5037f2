"""Hyperparameters as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Text = str | Mapping[str, object]


def as_text(value: Text) -> str:
    """Return a string as it is; a mapping as one tab-indented `key:<tab>value` line per entry.

    Nested mappings are indented by two more spaces each. TensorBoard shows tab-indented lines as they are.
    """
    return value if isinstance(value, str) else "\n".join(_lines(value, ""))


def _lines(mapping: Mapping[str, object], indent: str) -> Iterator[str]:
    for key, value in mapping.items():
        if isinstance(value, Mapping):
            yield f"\t{indent}{key}:\t"
            yield from _lines(value, indent + "  ")
        else:
            yield f"\t{indent}{key}:\t{value}"
