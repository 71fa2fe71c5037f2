"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from jaxtyping import install_import_hook

from mlagents_envs.logging_util import NOTSET, set_log_level

# A shell that runs the tests in the background has SIGINT ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
if hasattr(signal, "SIGHUP"):
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the same with nohup

# How long an example of a property test takes says more about what else the machine does than about the example.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

# Compiled code is kept between test runs, and between the processes that tests start; not between processes that test
# at the same time, since one may read what another has half written.
CACHE = "mlagents-tests-xla-" + os.environ.get("PYTEST_XDIST_WORKER", "")
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / CACHE)
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Shapes and dtypes in annotations are checked while tests run.
NUMERICAL = ["mlagents.returns", "mlagents.nn", "mlagents.learning", "mlagents.algorithms", "mlagents.reward_signals"]
install_import_hook(NUMERICAL, "beartype.beartype")


@pytest.fixture(scope="session")
def opengl() -> None:
    """Tests that draw bodies in space skip where that is not possible."""
    from mlagents_sim.rendering import RenderingError, check_opengl

    try:
        check_opengl()
    except RenderingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of recorded files; tests that need it skip when it is absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("recorded data are not here")
    return folder


@pytest.fixture(autouse=True)
def forget_log_level() -> Iterator[None]:
    """A program that runs within the test's process has loggers print; the next test's output is not to have them."""
    yield
    set_log_level(NOTSET)


@pytest.fixture(autouse=True, scope="module")
def forget_compiled_code() -> Iterator[None]:
    """What a module compiled is of no use to the next one, and thousands of tests share one process."""
    yield
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
