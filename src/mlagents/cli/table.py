"""Tables on terminals, and tab-separated lines for pipes."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

_BETWEEN = 3
"""A border and a space on each side."""


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows of text under a heading; where the terminal is narrow, the last columns are left out."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    every = [list(row) for row in rows]
    kept = columns_that_fit(columns, every, console.width)
    table = Table(*columns[:kept])
    for row in every:
        table.add_row(*map(Text, row[:kept]))
    console.print(table)
    if kept < len(columns):
        console.print(Text(f"(without {', '.join(columns[kept:])}: the terminal has {console.width} columns)"))


def columns_that_fit(columns: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> int:
    """Return how many of the first columns a terminal can show without tearing words apart; at least one."""
    cells = zip(columns, *rows, strict=True)
    longest = [max(len(word) for cell in column for word in [*cell.split(), ""]) for column in cells]
    used, kept = 1, 0
    for needed in longest:
        used += needed + _BETWEEN
        if used > width:
            break
        kept += 1
    return max(1, kept)
