"""How this process uses the machine; to be settled before numpy and jax are imported."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from mlagents_envs.memory import page_out_library

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NPROC")
"""NPROC sizes XLA's thread pool on the CPU."""


_CONTAINER_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how much memory a container may use, in both versions of control groups."""


class DeviceError(RuntimeError):
    """The device that was asked for is not there; the message says what is."""


def use_one_thread() -> None:
    """Use one compute thread; to be called before numpy is imported. Variables the user has set stay as they are.

    The other cores belong to environments: small networks get slower, not faster, with more threads.
    """
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")


def configure(device: str = "cpu") -> None:
    """Use one compute thread, compute in the calling thread, on the wanted device, with a lasting compilation cache.

    To be called before jax computes anything; a plug-in may have imported it. Variables the user has set stay as they
    are.

    Args:
      device: "cpu", "gpu" or "gpu:N".

    Raises:
      DeviceError: there is no such GPU, or jax cannot use it.
    """
    use_one_thread()
    from platformdirs import user_cache_path

    options = {
        "jax_platforms": "cpu" if device == "cpu" else "cuda,cpu",
        "jax_compilation_cache_dir": str(user_cache_path("mlagents") / "xla"),
        "jax_persistent_cache_min_compile_time_secs": "0.2",
    }
    for name, value in options.items():
        os.environ.setdefault(name.upper(), value)
    read_already = "jax" in sys.modules
    import jax

    for name in options if read_already else ():
        value = os.environ[name.upper()]
        jax.config.update(name, float(value) if name.endswith("secs") else value)  # type: ignore[no-untyped-call]
    # in the calling thread: with one compute thread, whoever acts would wait for an update in another one
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # type: ignore[no-untyped-call]
    if device != "cpu":
        _use_gpu(int(device.partition(":")[2] or 0))


def _use_gpu(number: int) -> None:
    import jax

    try:
        gpus = jax.devices("gpu")
    except RuntimeError as error:
        raise DeviceError(
            "--device gpu (--torch-device cuda): jax finds no GPU. It needs an NVIDIA driver and the CUDA build of jax:"
            f' pip install "mlagents-jax[cuda]". Leave the flag out to train on the CPU. (jax says: {error})'
        ) from error
    if number >= len(gpus):
        raise DeviceError(
            f"--device gpu:{number} (--torch-device cuda:{number}): the last of {len(gpus)} GPUs is gpu:{len(gpus) - 1}"
        )
    jax.config.update("jax_default_device", gpus[number])  # type: ignore[no-untyped-call]


def memory_bytes() -> int:
    """Return how much memory there is for this process: the machine's, or less where a container limits it."""
    import psutil

    found = [int(psutil.virtual_memory().total)]
    for path in _CONTAINER_LIMITS:
        try:
            found.append(int(Path(path).read_text()))
        except (OSError, ValueError):  # no container, or the word for no limit
            continue
    return min(found)


def release_unused_memory() -> None:
    """Give back what compiling freed, of which glibc keeps some 150 MB, and the code of the model checker."""
    page_out_library("onnxruntime")
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):
            return  # another libc
