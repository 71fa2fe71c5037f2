"""Tables fit the terminal."""

from __future__ import annotations

import io

from rich.console import Console

from mlagents.cli import table

COLUMNS = ("environment", "behavior", "observations", "benchmark")
ROWS = [("3DBallHard", "3DBallHard", "vector 45", "100")]


def test_columns_that_do_not_fit_are_dropped_from_the_end():
    """Words of 11, 10, 12 and 9 letters, 3 more for each column and 1 for the border."""
    assert table.columns_that_fit(COLUMNS, ROWS, 55) == 4
    assert table.columns_that_fit(COLUMNS, ROWS, 54) == 3
    assert table.columns_that_fit(COLUMNS, ROWS, 43) == 3
    assert table.columns_that_fit(COLUMNS, ROWS, 42) == 2
    assert table.columns_that_fit(COLUMNS, ROWS, 3) == 1


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_narrow_terminal_shows_whole_words_and_says_what_it_leaves_out(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr("sys.stdout", screen)
    monkeypatch.setattr("rich.console.Console", lambda: Console(file=screen, width=40, force_terminal=False))
    table.print_table(COLUMNS, ROWS)
    text = screen.getvalue()
    assert max(map(len, text.splitlines())) <= 40
    assert text.count("3DBallHard") == 2
    assert "vector" not in text
    assert "(without observations, benchmark:" in text
