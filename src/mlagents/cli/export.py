"""`mlagents export`: write the model of a checkpoint again, for another Unity package or of another step."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.values import find_folder, whole_number
from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents.artifacts.checkpoints import Checkpoints

PROFILES = ("default", "barracuda1", "barracuda", "sentis1", "inference2")
SUFFIXES = (".onnx", ".nn")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("export", help="write a checkpoint's model", description=__doc__)
    parser.add_argument("run_name", metavar="RUN", help="folder or run id of a run with checkpoints")
    parser.add_argument("--behavior", metavar="B", help="which behavior, if the run has several")
    parser.add_argument(
        "--checkpoint", type=whole_number(0), metavar="STEP", help="step of the checkpoint (default: the newest)"
    )
    parser.add_argument(
        "--profile",
        choices=PROFILES,
        default="default",
        help="which Unity package an .onnx model is for: barracuda1 1.x, barracuda 2.x, sentis1 3.x, inference2 4.x"
        " (default: one that all from 2.0 on read)",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="the model: .onnx, or .nn for packages of 2020",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Rebuild the policy from its checkpoint, write it, print how closely file and policy agree, and return 0.

    Raises:
      UsageError: no such run or behavior, or a file of another type.
      CheckpointError: the checkpoint is missing, damaged, or from a version that did not save what is needed.
      ExportError: the policy cannot be written.
      RunInUse: it is to be written into the folder of a run that is being trained.
    """
    output: Path = arguments.output
    if output.suffix not in SUFFIXES:
        raise UsageError(f"{output}: expected a name that ends in {' or '.join(SUFFIXES)}")
    folder = find_folder(Path(arguments.run_name))
    from mlagents import process

    process.configure("cpu")
    from mlagents.artifacts.checkpoints import Checkpoints
    from mlagents.artifacts.interface import read_policy
    from mlagents.artifacts.layout import Layout
    from mlagents.export import PROFILES as BY_NAME
    from mlagents.export import export_model

    checkpoints = Checkpoints.open(Layout.of_folder(folder))
    behavior = _behavior(checkpoints, folder, arguments.behavior)
    saved, step = read_policy(checkpoints, behavior, arguments.checkpoint)
    with _owned(folder, output):
        report = export_model(saved.policy, saved.spec, output, profile=BY_NAME[arguments.profile])
    kind = "Barracuda" if report.opset is None else f"ONNX, operator set {report.opset}"
    print(f"{output}: {behavior} at step {step} ({kind}, model API version {report.api_version})")
    errors = ", ".join(f"{name} {error:.1g}" for name, error in report.max_error.items())
    print(f"differs from the policy by at most: {errors}")
    return 0


@contextmanager
def _owned(folder: Path, output: Path) -> Iterator[None]:
    """Own the run while a model is written into its folder.

    Raises:
      RunInUse: the run is being trained.
    """
    if not output.resolve().is_relative_to(folder.resolve()):
        yield
        return
    from mlagents.artifacts.layout import Layout
    from mlagents.artifacts.run_lock import RunLock

    lock = RunLock(Layout.of_folder(folder).lock)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _behavior(checkpoints: Checkpoints, folder: Path, wanted: str | None) -> str:
    names = checkpoints.behaviors
    if wanted is None and len(names) == 1:
        return names[0]
    if wanted in names:
        return wanted
    there = ", ".join(names) or "none"
    if wanted is None:
        raise UsageError(f"{folder} has several behaviors; choose one with --behavior: {there}")
    raise UsageError(f"{folder} has no behavior {wanted!r}; it has {there}")
