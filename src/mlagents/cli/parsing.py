"""Command lines whose faults are told in one line, with the nearest flag."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from difflib import get_close_matches
from typing import NoReturn

_UNKNOWN = "unrecognized arguments: "
_INVALID_CHOICE = "invalid choice: "


class OneLineParser(argparse.ArgumentParser):
    """As argparse's, but it does not print its usage, which `--help` does, when an argument is wrong."""

    def error(self, message: str) -> NoReturn:
        """Print what is wrong and leave with exit code 2."""
        self.exit(2, f"{self.prog}: error: {self._in_one_line(message)} (see {self.prog} --help)\n")

    def _in_one_line(self, message: str) -> str:
        if message.startswith(_UNKNOWN):
            unknown = message.removeprefix(_UNKNOWN).split()
            return "; ".join(_unknown(text, sorted(set(_flags_of(self)))) for text in unknown)
        if _INVALID_CHOICE in message:
            argument, _, choices = message.partition(_INVALID_CHOICE)
            got = choices.split("'")[1] if "'" in choices else ""
            offered = choices.partition("choose from ")[2].rstrip(")").replace("'", "")
            near = get_close_matches(got, offered.split(", "), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            return f"{argument}expected one of {offered}; got {got!r}{hint}"
        return " ".join(message.split())


def parse_whole(text: str) -> int:
    """Return a whole number, for argparse's `type`.

    Raises:
      ArgumentTypeError: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a whole number; got {text!r}") from None


def parse_number(text: str) -> float:
    """Return a number, for argparse's `type`.

    Raises:
      ArgumentTypeError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected a number; got {text!r}") from None


def _unknown(text: str, flags: list[str]) -> str:
    if not text.startswith("-"):
        return f"unexpected argument {text!r}"
    name = text.partition("=")[0]
    near = get_close_matches(name, flags, n=1, cutoff=0.5) if name.startswith("--") else []
    return f"there is no flag {name}" + (f"; did you mean {near[0]}?" if near else "")


def _flags_of(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the flags of a parser that are in its help, and those of the command that was typed."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                if name in sys.argv[1:] or len(sys.argv) < 2:
                    yield from _flags_of(command)
        elif action.help != argparse.SUPPRESS:
            yield from action.option_strings
