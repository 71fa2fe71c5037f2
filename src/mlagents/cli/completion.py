"""`mlagents completion`: what a shell needs to complete commands, flags, environments and runs."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlagents.cli.arguments import parser as learn_parser
from mlagents.errors import UsageError

SHELLS = ("bash", "zsh", "tcsh")
_ENVIRONMENTS = frozenset({"env", "env_path", "environment"})
_RUNS = frozenset({"run_name", "runs", "initialize_from", "run_id"})


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "completion",
        help="complete commands in your shell",
        description=f"{__doc__} Once: mlagents completion bash >> ~/.bashrc; for zsh, into a file _mlagents of fpath.",
    )
    parser.add_argument("shell", choices=SHELLS, help="which shell")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the script for `mlagents` and `mlagents-learn`, and return 0.

    Raises:
      UsageError: shtab, which writes it, is not installed.
    """
    parsers = [arguments.whole, learn_parser()]
    print("\n".join(script(parser, arguments.shell) for parser in parsers))
    return 0


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return a shell's completion script for one program.

    Raises:
      UsageError: shtab is not installed.
    """
    try:
        import shtab
    except ModuleNotFoundError as error:
        raise UsageError("completion needs shtab: pip install 'mlagents-jax[completion]'") from error
    prefix = f"_{parser.prog.replace('-', '_')}"
    for action in _actions(parser):
        kind = _kind(action)
        if kind is not None:
            action.complete = shtab.FILE if kind == "file" else _functions(prefix, kind)  # type: ignore[attr-defined]
    preamble: Any = _preamble(prefix)
    text: str = shtab.complete(parser, shell=shell, root_prefix=prefix, preamble=preamble)
    return text


def _kind(action: argparse.Action) -> str | None:
    """Return what the value of an argument is: an environment, a run, a file, or something else."""
    if action.dest in _ENVIRONMENTS:
        return "environments"
    if action.dest in _RUNS:
        return "runs"
    return "file" if action.type is Path or action.dest == "trainer_config_path" else None


def _functions(prefix: str, kind: str) -> dict[str, str]:
    return {"bash": f"{prefix}_{kind}", "zsh": f"{prefix}_{kind}", "tcsh": "f"}


def _preamble(prefix: str) -> dict[str, str]:
    """Return functions that list environments, by name or file, and the runs of the present folder."""
    from mlagents_envs.registry import default_registry

    names = " ".join(sorted(default_registry))
    runs = "$(ls -1 models results 2>/dev/null)"
    return {
        "bash": (
            f'{prefix}_environments() {{ compgen -W "{names}" -- "$1"; compgen -f -- "$1"; }}\n'
            f'{prefix}_runs() {{ compgen -W "{runs}" -- "$1"; compgen -f -- "$1"; }}\n'
        ),
        "zsh": (
            f"{prefix}_environments() {{ compadd {names}; _files }}\n{prefix}_runs() {{ compadd {runs}; _files }}\n"
        ),
    }


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Yield the arguments of a parser and of all its commands."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action
