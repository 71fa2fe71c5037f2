"""`mlagents new`: write a small game that works, to make one's own of it."""

from __future__ import annotations

import argparse
import keyword
import re
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from mlagents.errors import UsageError

_MODULE, _CLASS = "my_game", "MyGame"
_SUFFIX = ".txt"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("new", help="begin a game of your own, from one that works", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="of the game and its folder, such as my_game")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, say what to do with it, and return 0.

    Raises:
      UsageError: the name is none, or the folder exists.
    """
    module = module_name(Path(arguments.name).name)
    folder = Path(arguments.name).with_name(module)
    if folder.exists():
        raise UsageError(f"{folder} exists; choose another name")
    for path in write_game(folder, module):
        print(path)
    print(f"\ncd {folder}\nmlagents play {module}.py --heuristic")
    print(f"mlagents-learn {module}.yaml --env={module}.py --run-id=first")
    return 0


def module_name(name: str) -> str:
    """Return a name as that of a Python module: `My Game` and `MyGame` become `my_game`.

    Raises:
      UsageError: nothing is left of it, or Python has another use for it.
    """
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\dA-Za-z_]+", name)
    module = "_".join(words).lower()
    if not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"{name!r} is no name for a Python file: expected letters, digits and _, a letter first")
    if find_spec(module) is not None:
        raise UsageError(f"there is a Python module {module!r} already, which the game would hide; choose another name")
    return module


def write_game(folder: Path, module: str) -> list[Path]:
    """Write game, configuration, test and README into a new folder, and return their paths.

    Raises:
      OSError: it cannot be written.
    """
    title = "".join(word.capitalize() for word in module.split("_"))
    written = []
    folder.mkdir(parents=True)
    for template in sorted(files("mlagents").joinpath("templates", _MODULE).iterdir(), key=lambda found: found.name):
        if template.name.endswith(_SUFFIX):
            path = folder / template.name.removesuffix(_SUFFIX).replace(_MODULE, module)
            text = template.read_text(encoding="utf-8").replace(_MODULE, module).replace(_CLASS, title)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written
