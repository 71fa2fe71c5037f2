"""The way out to `.nn`: policy -> model -> comparison -> file."""

from __future__ import annotations

import os
from pathlib import Path

from mlagents.barracuda import serialized
from mlagents.export.barracuda.parity import check_barracuda_parity
from mlagents.export.barracuda.writer import barracuda_model
from mlagents.export.parity.report import ExportError, ParityReport
from mlagents.files import write_atomically
from mlagents.nn.policy import Policy
from mlagents_envs.base_env import BehaviorSpec


def export_barracuda(
    policy: Policy, behavior_spec: BehaviorSpec, path: str | os.PathLike[str], *, seed: int = 0
) -> ParityReport:
    """Write the policy as a Barracuda model of API version 2, and prove it equal to the policy.

    The model is compared before it is written: one that fails never replaces a good one.

    Args:
      policy: with the weights to write.
      behavior_spec: what the agents observe and do.
      path: the .nn file; missing folders are made.
      seed: of the observations, masks and memories that are compared.

    Returns: what was compared, and how closely it agreed.

    Raises:
      ExportError: the format cannot express the policy, or the file computes something else.
      OSError: the file cannot be written.
    """
    target = Path(path)
    try:
        data = serialized(barracuda_model(policy, behavior_spec))
        report = check_barracuda_parity(data, policy, behavior_spec, seed)
    except ExportError as error:
        raise ExportError(f"{target}: {error}") from error
    write_atomically(target, data)
    return report
