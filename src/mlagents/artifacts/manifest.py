"""What a run was made of: versions, command, settings, seed, and the state of the user's own code."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mlagents.distribution import NAME, version_of
from mlagents.settings import RunSettings

_PACKAGES = (NAME, "jax", "jaxlib", "numpy", "equinox", "optax", "mujoco", "numba", "grpcio", "protobuf", "onnx")


def manifest(settings: RunSettings) -> bytes:
    """Return the manifest of a run that starts now, as JSON.

    Args:
      settings: as resolved, with the seed that was drawn.
    """
    content = {
        "created": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command_line": sys.argv,
        "seed": settings.env_settings.seed,
        "git": _git(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: found for name in _PACKAGES if (found := version_of(name)) is not None},
        "configuration": settings.model_dump(mode="json"),
    }
    return json.dumps(content, indent=2).encode()


def _git() -> dict[str, Any] | None:
    """Return commit and cleanliness of the repository of the working directory, None outside of one."""
    try:
        commit, changes = (
            subprocess.run(["git", *command], cwd=Path.cwd(), capture_output=True, text=True, timeout=5, check=True)
            for command in (("rev-parse", "HEAD"), ("status", "--porcelain", "--untracked-files=no"))
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "modified": bool(changes.stdout.strip())}
