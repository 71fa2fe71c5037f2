"""A policy as a model file of either format."""

from __future__ import annotations

import os
from pathlib import Path

from mlagents.export.barracuda.policy import export_barracuda
from mlagents.export.barracuda.writer import barracuda_model
from mlagents.export.onnx.policy import export_policy
from mlagents.export.onnx.profiles import DEFAULT, Profile
from mlagents.export.parity.report import ExportError, ParityReport
from mlagents.nn.policy import Policy
from mlagents_envs.base_env import BehaviorSpec


def export_model(
    policy: Policy, behavior_spec: BehaviorSpec, path: str | os.PathLike[str], *, profile: Profile = DEFAULT
) -> ParityReport:
    """Write the policy, proven equal, in the format of the path's suffix: .nn is Barracuda, everything else ONNX.

    The profile is of ONNX models; there is only one kind of .nn models.

    Raises:
      ExportError: the policy cannot be written, or the file computes something else.
      OSError: the file cannot be written.
    """
    if Path(path).suffix == ".nn":
        return export_barracuda(policy, behavior_spec, path)
    return export_policy(policy, behavior_spec, path, profile=profile)


def why_no_barracuda(policy: Policy, behavior_spec: BehaviorSpec) -> str | None:
    """Return why the policy cannot be a .nn model, None if it can."""
    try:
        barracuda_model(policy, behavior_spec)
    except ExportError as reason:
        return str(reason)
    return None
