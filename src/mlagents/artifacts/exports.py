"""The model files of a run: which are written when, and how closely each agrees with its policy."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from mlagents.artifacts.layout import Layout
from mlagents.export import PROFILES, ParityReport, export_model, why_no_barracuda
from mlagents.files import write_atomically
from mlagents.nn.policy import Policy
from mlagents.settings import CheckpointSettings
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.logging_util import get_logger

_log = get_logger(__name__)


class ExportedPolicy(NamedTuple):
    """What a model file is made from.

    Attributes:
      name: of the behavior. spec: its observations and actions.
      policy: with its weights. step: agent decisions that it has learned from.
    """

    name: str
    spec: BehaviorSpec
    policy: Policy
    step: int


class Exports:
    """Writes `.onnx` at every checkpoint, and at the end; `.nn` at the end, where that is wanted and possible.

    Args:
      layout: of the run.
      settings: the profile of ONNX files, and the formats.
    """

    def __init__(self, layout: Layout, settings: CheckpointSettings) -> None:
        self._layout = layout
        self._profile = PROFILES[settings.export_profile]
        by_layout = "both" if layout.results_dir is None else "onnx"
        self._wants_nn = (settings.export_format or by_layout) == "both"
        self._is_asked_for = settings.export_format == "both"
        self._without_nn: set[str] = set()

    def dry_run(self, policy: ExportedPolicy) -> None:
        """Write all that will be written at the end, with the present weights, to a folder that is removed again.

        What cannot be exported is known then after seconds, not hours. A behavior that `.nn` cannot express is said
        once.

        Raises:
          ExportError: a model cannot be written, or does something else than the policy.
        """
        reason = why_no_barracuda(policy.policy, policy.spec) if self._wants_nn else None
        if reason is not None:
            self._without_nn.add(policy.name)
            say = _log.warning if self._is_asked_for else _log.info
            say("%s: no .nn model is written, only .onnx: %s.", policy.name, reason)
        with tempfile.TemporaryDirectory() as folder:
            self._write(policy, [Path(folder) / f"model{suffix}" for suffix in self._suffixes(policy)])

    def checkpoint(self, policy: ExportedPolicy) -> Path:
        """Write a behavior's model beside its checkpoint of the present step, and return its path.

        Raises:
          ExportError: it does something else than the policy.
        """
        path = self._layout.checkpoint(policy.name, policy.step, ".onnx")
        self._note(self._write(policy, [path]))
        return path

    def final(self, policy: ExportedPolicy) -> list[Path]:
        """Write a behavior's models of the run, and return their paths.

        Raises:
          ExportError: one does something else than the policy.
        """
        paths = [self._layout.model(policy.name, suffix) for suffix in self._suffixes(policy)]
        self._note(self._write(policy, paths))
        return paths

    def temporary(self, policy: ExportedPolicy, folder: Path) -> Path:
        """Write a behavior's model into a folder, and return its path."""
        path = folder / self._layout.model(policy.name, ".onnx").name
        self._write(policy, [path])
        return path

    def _suffixes(self, policy: ExportedPolicy) -> list[str]:
        has_nn = self._wants_nn and policy.name not in self._without_nn
        return [".onnx", ".nn"] if has_nn else [".onnx"]

    def _write(self, policy: ExportedPolicy, paths: list[Path]) -> dict[Path, ParityReport]:
        return {path: export_model(policy.policy, policy.spec, path, profile=self._profile) for path in paths}

    def _note(self, reports: Mapping[Path, ParityReport]) -> None:
        """Keep the reports in one file of the run; those of models that are gone leave it."""
        path = self._layout.exports
        folder = self._layout.run
        noted = {name: report for name, report in _read(path).items() if (folder / name).is_file()}
        noted |= {file.relative_to(folder).as_posix(): report.plain() for file, report in reports.items()}
        write_atomically(path, json.dumps(noted, indent=2).encode())


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
