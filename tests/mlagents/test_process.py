"""The process is configured alike, whether or not a plug-in has imported jax before."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, os, sys
from mlagents import process

process.use_one_thread()
if sys.argv[1] == "jax first":
    import jax
process.configure("cpu")
import jax

config = jax.config
seconds = config.jax_persistent_cache_min_compile_time_secs
print(json.dumps([config.jax_platforms, config.jax_compilation_cache_dir, seconds, os.environ["OMP_NUM_THREADS"]]))
"""


def configured(order, **variables):
    names = ("JAX_", "OMP_", "XDG_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)} | variables
    done = subprocess.run(
        [sys.executable, "-c", CODE, order], env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("order", ["jax first", "jax last"])
def test_defaults(order, tmp_path):
    platforms, cache, seconds, threads = configured(order, XDG_CACHE_HOME=str(tmp_path))
    assert (platforms, seconds, threads) == ("cpu", 0.2, "1")
    assert cache.endswith("xla")


@pytest.mark.parametrize("order", ["jax first", "jax last"])
def test_variables_of_the_user_stay(order):
    variables = {
        "JAX_COMPILATION_CACHE_DIR": "elsewhere",
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "7",
        "OMP_NUM_THREADS": "3",
    }
    assert configured(order, **variables) == ["cpu", "elsewhere", 7.0, "3"]


ONE_THREAD = """
import os
from mlagents.cli import {module}
try:
    {module}.main({arguments})
except SystemExit:
    pass
import numpy
numpy.ones((600, 600)) @ numpy.ones((600, 600))
print(os.environ["OPENBLAS_NUM_THREADS"], len(os.listdir("/proc/self/task")))
"""


@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="threads are counted in /proc")
@pytest.mark.parametrize(("module", "arguments"), [("learn", ["missing.yaml"]), ("main", ["envs", "missing"])])
def test_numpy_multiplies_in_one_thread_whatever_command_runs(module, arguments):
    """On a machine with one core there is one thread anyway, and only the variable tells."""
    names = ("OPENBLAS_", "OMP_", "MKL_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    code = ONE_THREAD.format(module=module, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "1 1", done.stderr
