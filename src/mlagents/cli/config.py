"""`mlagents config`: check, convert and explain trainer configurations."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents.settings import RunSettings


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("config", help="check, convert and explain configurations", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="report every fault of a configuration")
    _add_files(check)
    check.add_argument(
        "--strict", action="store_true", help="refuse what 2020 ignored, such as misspelt keys and keys given twice"
    )
    check.set_defaults(run=_check)

    convert = commands.add_parser("convert", help="turn files of 2020 into one modern file")
    _add_files(convert)
    convert.add_argument("-o", "--output", required=True, type=Path, metavar="NEW", help="file to write; must be new")
    convert.set_defaults(run=_convert)

    schema = commands.add_parser("schema", help="print the JSON Schema of the modern form, for editors")
    schema.set_defaults(run=_schema)

    explain = commands.add_parser("explain", help="say what a key means, what it takes, and its default")
    explain.add_argument("key", metavar="KEY", help="its name, or the end of its path: network_settings.num_layers")
    explain.set_defaults(run=_explain)


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="trainer file of any generation")
    parser.add_argument("--curriculum", type=Path, metavar="FILE", help="curriculum file of 2020")
    parser.add_argument("--sampler", type=Path, metavar="FILE", help="parameter randomisation file of 2020")


def _load(arguments: argparse.Namespace, *, check_files: bool) -> RunSettings:
    from mlagents.settings import load_run_settings

    files = {"curriculum_config_path": arguments.curriculum, "sampler_file_path": arguments.sampler}
    flags = {name: str(path) for name, path in files.items() if path is not None}
    strict = getattr(arguments, "strict", False)
    return load_run_settings(arguments.file, flags, check_files=check_files, strict=strict)


def _check(arguments: argparse.Namespace) -> int:
    """Print what the file configures.

    Raises:
      SettingsError: every fault of the files.
    """
    from mlagents.settings import check_parameters

    kind = check_parameters(arguments.file, strict=arguments.strict)
    if kind is not None:
        print(f"{arguments.file}: valid, a {kind.name} file; pass it with {kind.typed}, beside a trainer file")
        return 0
    settings = _load(arguments, check_files=True)
    print(f"{arguments.file}: valid")
    print(f"behaviors: {', '.join(settings.behaviors) or 'none'}")
    print(f"behaviors without a section: {'default_settings' if settings.default_settings else 'refused'}")
    if settings.environment_parameters:
        print(f"environment parameters: {', '.join(settings.environment_parameters)}")
    return 0


def _convert(arguments: argparse.Namespace) -> int:
    """Write the modern file.

    Raises:
      SettingsError: every fault of the files.
      UsageError: the output exists, or its folder does not.
    """
    from mlagents.files import write_atomically
    from mlagents.settings import convert

    settings = _load(arguments, check_files=False)
    if arguments.output.exists():
        raise UsageError(f"{arguments.output} exists; name another file, or remove it.")
    if not arguments.output.parent.is_dir():
        raise UsageError(f"there is no folder {arguments.output.parent} to write {arguments.output.name} into.")
    text, notes = convert(settings)
    write_atomically(arguments.output, text.encode())
    for note in notes:
        print(f"note: {note}", file=sys.stderr)
    print(f"wrote {arguments.output}")
    return 0


def _schema(arguments: argparse.Namespace) -> int:
    from mlagents.settings import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0


def _explain(arguments: argparse.Namespace) -> int:
    """Print every place where the key stands.

    Raises:
      SettingsError: there is no such key; with the nearest names.
    """
    from mlagents.settings import explain

    for description in explain(arguments.key):
        print(description)
    return 0
