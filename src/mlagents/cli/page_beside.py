"""`mlagents-learn --view`: the page of `mlagents view` beside a training run, in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mlagents.cli.values import find_environment
from mlagents.errors import UsageError

if TYPE_CHECKING:
    from mlagents.settings import RunSettings

LEAVES_WITHIN_S = 5.0
_PROGRAM = "import sys; from mlagents.cli.main import main; sys.exit(main())"


@contextmanager
def page_beside(settings: RunSettings) -> Iterator[None]:
    """Serve the page as long as the block runs; it plays the run's newest checkpoint in an environment of its own.

    Raises:
      UsageError: the environment cannot be made a second time by its name, or viser is not installed.
    """
    process = subprocess.Popen(_command(settings), stdin=subprocess.PIPE)
    try:
        yield
    finally:
        assert process.stdin is not None
        process.stdin.close()  # by which it knows
        try:
            process.wait(LEAVES_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _command(settings: RunSettings) -> list[str]:
    from mlagents.artifacts.layout import Layout

    name, checkpoint = settings.env_settings.env_path, settings.checkpoint_settings
    if not name:
        raise UsageError("--view needs --env, the environment to be shown; the Unity Editor shows its own")
    find_environment(name)
    if importlib.util.find_spec("viser") is None:
        raise UsageError("--view needs viser: pip install 'mlagents-jax[view]'")
    results = Path(checkpoint.results_dir) if checkpoint.results_dir else None
    folder = Layout(checkpoint.run_id, results).run
    return [sys.executable, "-c", _PROGRAM, "view", name, "--await-run", str(folder), "--no-browser"]
