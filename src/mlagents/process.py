"""How this process uses the machine; to be settled before numpy and jax are imported."""

from __future__ import annotations

import ctypes
import os
import sys

from mlagents_envs.memory import page_out_library

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
"""NPROC sizes XLA's thread pool on the CPU."""


def configure(device: str = "cpu") -> None:
    """Use one compute thread, the wanted device, and a compilation cache that lasts between runs.

    The other cores belong to environments: small networks get slower, not faster, with more threads
    . Variables the user has set stay as they are.

    Args:
      device: "cpu" or "gpu".

    Raises:
      RuntimeError: jax is already imported, so that nothing would take effect.
    """
    if "jax" in sys.modules:
        raise RuntimeError("mlagents.process.configure must be called before jax is imported")
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    os.environ.setdefault("JAX_PLATFORMS", "cpu" if device == "cpu" else "cuda,cpu")
    from platformdirs import user_cache_path

    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(user_cache_path("mlagents") / "xla"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.2")


def release_unused_memory() -> None:
    """Give back what compiling freed, of which glibc keeps some 150 MB, and the code of the model checker."""
    page_out_library("onnxruntime")
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):
            return  # another libc
