"""The timers file of a run."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np

import mlagents_envs
from mlagents.files import write_atomically
from mlagents.stats.files import naming
from mlagents_envs.logging_util import get_logger
from mlagents_envs.timers import get_timer_tree

_log = get_logger(__name__)


def write_timers(path: Path, communication_protocol_version: str) -> None:
    """Write the timer tree of this thread (seconds; gauges, metadata) as JSON, replacing the file as a whole.

    A file that cannot be written is reported and not raised: no run should fail for its timers.
    """
    tree = get_timer_tree()
    tree["metadata"] = {
        **tree.get("metadata", {}),
        "mlagents_version": mlagents_envs.__version__,
        "mlagents_envs_version": mlagents_envs.__version__,
        "communication_protocol_version": communication_protocol_version,
        "jax_version": version("jax"),
        "numpy_version": np.__version__,
    }
    try:
        with naming(path):
            write_atomically(path, (json.dumps(tree, indent=4) + "\n").encode())
    except OSError as error:
        _log.error("The timers of this run are lost: %s. Make room on the disk or the place writable.", error)
