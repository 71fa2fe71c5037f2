"""The way out: policy -> graph -> model -> comparison -> file."""

from __future__ import annotations

import os
from pathlib import Path

from onnx import checker

from mlagents.export.errors import ExportError
from mlagents.export.onnx import onnx_model
from mlagents.export.parity import ParityReport, check_parity
from mlagents.export.policy_graph import policy_graph
from mlagents.files import write_atomically
from mlagents.nn.policy import Policy
from mlagents_envs.base_env import BehaviorSpec


def export_policy(
    policy: Policy, behavior_spec: BehaviorSpec, path: str | os.PathLike[str], *, seed: int = 0
) -> ParityReport:
    """Write the policy as an ONNX model of API version 3, and prove it equal to the policy.

    The model is compared before it is written: one that fails never replaces a good one.

    Args:
      policy: with the weights to write.
      behavior_spec: what the agents observe and do.
      path: the .onnx file; missing folders are made.
      seed: of the observations and masks that are compared.

    Returns: what was compared, and how closely it agreed.

    Raises:
      ExportError: the policy cannot be written, or the file computes something else.
      OSError: the file cannot be written.
    """
    target = Path(path)
    try:
        model = onnx_model(policy_graph(policy, behavior_spec))
        checker.check_model(model, full_check=True)
        data = model.SerializeToString()
        report = check_parity(data, policy, behavior_spec, seed)
    except ExportError as error:
        raise ExportError(f"{target}: {error}") from error
    write_atomically(target, data)
    return report
