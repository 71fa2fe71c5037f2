"""The way out: policy -> graph -> model -> comparison -> file."""

from __future__ import annotations

import os
from pathlib import Path

from onnx import checker

from mlagents.export.onnx.parity import check_parity
from mlagents.export.onnx.policy_graph import policy_graph
from mlagents.export.onnx.profiles import DEFAULT, Profile
from mlagents.export.onnx.writer import onnx_model
from mlagents.export.parity.report import ExportError, ParityReport
from mlagents.files import write_atomically
from mlagents.nn.policy import Policy
from mlagents_envs.base_env import BehaviorSpec


def export_policy(
    policy: Policy,
    behavior_spec: BehaviorSpec,
    path: str | os.PathLike[str],
    *,
    profile: Profile = DEFAULT,
    seed: int = 0,
) -> ParityReport:
    """Write the policy as an ONNX model, and prove it equal to the policy.

    The model is compared before it is written: one that fails never replaces a good one.

    Args:
      policy: with the weights to write.
      behavior_spec: what the agents observe and do.
      path: the .onnx file; missing folders are made.
      profile: operator set and version of the model API.
      seed: of the observations, masks and memories that are compared.

    Returns: what was compared, and how closely it agreed.

    Raises:
      ExportError: the policy cannot be written, or the file computes something else.
      OSError: the file cannot be written.
    """
    target = Path(path)
    try:
        model = onnx_model(policy_graph(policy, behavior_spec, profile.api_version), profile.opset)
        checker.check_model(model, full_check=True)
        data = model.SerializeToString()
        report = check_parity(data, policy, behavior_spec, profile, seed)
    except ExportError as error:
        raise ExportError(f"{target}: {error}") from error
    write_atomically(target, data)
    return report
