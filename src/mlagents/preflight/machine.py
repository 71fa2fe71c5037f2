"""What this machine offers: cores, memory, a GPU, pictures, ports, folders."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

from mlagents.distribution import NAME, version_of
from mlagents.preflight.findings import Finding, Level, in_words
from mlagents.preflight.installation import why_not_writable

_ENOUGH_MEMORY = 2e9
_ENOUGH_DISK = 2e9
_ENOUGH_SHARED = 128e6
_CGROUP = Path("/sys/fs/cgroup")
_OPENGL = "import mlagents_sim.rendering as rendering\nrendering.check_opengl()\nprint('drawn')"
_OPENGL_S = 60
EDITOR_PORT, FIRST_PORT, TENSORBOARD_PORT = 5004, 5005, 6006


def usable_cores() -> float:
    """Return how many cores this process may use: fewer than there are in a container, or by affinity."""
    cores: float = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    quota, period = _cgroup("cpu.max", "max 100000").split()[:2]
    return cores if quota == "max" else min(cores, int(quota) / int(period))


def usable_memory() -> int:
    """Return the bytes of memory that this process may use and nobody does."""
    free = psutil.virtual_memory().available
    limit, used = _cgroup("memory.max", "max"), _cgroup("memory.current", "0")
    return free if limit == "max" else min(free, max(0, int(limit) - int(used)))


def _cgroup(name: str, otherwise: str) -> str:
    try:
        return (_CGROUP / name).read_text().strip() or otherwise
    except OSError:
        return otherwise


def cores() -> Iterator[Finding]:
    """Look at cores and at what they are busy with."""
    usable, there = usable_cores(), os.cpu_count() or 1
    limited = "" if usable >= there else f" of {there}, by affinity or a container's limit"
    yield Finding("cores", Level.OK, f"{usable:g} usable{limited}")
    if hasattr(os, "getloadavg") and (load := os.getloadavg()[0]) > usable:
        text = f"{load:.1f} processes want a core at this moment"
        yield Finding("cores", Level.WARNING, text, "Other programs compete with training: measure when they rest.")
    threads = {name: os.environ[name] for name in ("OMP_NUM_THREADS", "NPROC") if os.environ.get(name, "1") != "1"}
    if threads:
        said = ", ".join(f"{name}={value}" for name, value in threads.items())
        advice = "One compute thread is fastest for small networks; environments use the other cores."
        yield Finding("cores", Level.NOTE, f"{said} is set", advice)


def memory() -> Iterator[Finding]:
    """Look at memory, and at what worker processes share."""
    free, total = usable_memory(), psutil.virtual_memory().total
    level = Level.OK if free >= _ENOUGH_MEMORY else Level.WARNING
    advice = "" if level is Level.OK else "Close other programs: runs with images or a large buffer may not fit."
    yield Finding("memory", level, f"{in_words(free)} free of {in_words(total)}", advice)
    shared = Path("/dev/shm")
    if shared.is_dir() and (there := shutil.disk_usage(shared).free) < _ENOUGH_SHARED:
        text = f"/dev/shm has {in_words(there)} left, through which environment processes report"
        yield Finding("memory", Level.WARNING, text, "In a container: docker run --shm-size=1g")


def gpu() -> Iterator[Finding]:
    """Look for a GPU, and for what lets jax use it."""
    plugins = [f"{name} {found}" for name in _gpu_plugins() if (found := version_of(name))]
    cards = _nvidia_cards()
    if cards and plugins:
        yield Finding("GPU", Level.OK, f"{', '.join(cards)}; {', '.join(plugins)}; --device gpu uses it")
    elif cards:
        text = f"{', '.join(cards)}, which jax cannot use: its CUDA plug-in is not installed"
        yield Finding("GPU", Level.WARNING, text, f"pip install '{NAME}[cuda]', if you want to train on it")
    elif plugins:
        text = f"{', '.join(plugins)} without a card or driver"
        yield Finding("GPU", Level.WARNING, text, "Install the driver: nvidia-smi must list the card. Or uninstall it.")
    else:
        yield Finding("GPU", Level.NOTE, "none: networks are trained on the CPU, which suits small ones")


def _gpu_plugins() -> Iterable[str]:
    return (f"jax-cuda{major}-plugin" for major in (12, 13))


def _nvidia_cards() -> list[str]:
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        found = subprocess.run(query, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in found.stdout.splitlines() if line.strip()]


def opengl() -> Iterator[Finding]:
    """Look whether pictures can be drawn; in a process of its own, since drivers may crash."""
    result = subprocess.run(
        [sys.executable, "-c", _OPENGL], capture_output=True, text=True, timeout=_OPENGL_S, check=False
    )
    if "drawn" in result.stdout:
        yield Finding("OpenGL", Level.OK, "pictures can be drawn")
        return
    reason = (result.stderr.strip().splitlines() or [f"exit code {result.returncode}"])[-1]
    text = f"no pictures, videos or cameras here: {reason.partition('RenderingError: ')[2] or reason}"
    advice = (
        "On a server: apt-get install libegl1 libopengl0 libgl1-mesa-dri. Training needs it only where agents have"
        " cameras."
    )
    yield Finding("OpenGL", Level.WARNING, text, advice)


def display() -> Iterator[Finding]:
    """Look whether windows can be opened."""
    has_display = sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    if not has_display:
        advice = "mlagents play --heuristic plays in the terminal; --video and --screenshot write files."
        yield Finding("display", Level.NOTE, "none: no windows are opened", advice)
        return
    try:
        import tkinter  # noqa: F401
    except ImportError:
        text = "there is one, but no tkinter, which opens windows to play in"
        yield Finding("display", Level.WARNING, text, "Install python3-tk (Debian) or python3-tkinter (Fedora).")
        return
    yield Finding("display", Level.OK, "windows can be opened")


def ports(first: int = FIRST_PORT, count: int = 1) -> Iterator[Finding]:
    """Look whether the ports are free that environments and TensorBoard use.

    Args:
      first: of the first worker.
      count: how many workers there are.
    """
    wanted = {EDITOR_PORT: "the Unity Editor", TENSORBOARD_PORT: "TensorBoard"}
    wanted |= {first + worker: f"worker {worker}" for worker in range(count)}
    taken = {port: who for port, who in wanted.items() if not _is_free(port)}
    for port, who in taken.items():
        if port == EDITOR_PORT:
            advice = "Training in the Editor needs this very port: end what uses it (another run that waits?)."
        elif port == TENSORBOARD_PORT:
            advice = "Perhaps TensorBoard runs already; another one takes --port."
        else:
            advice = "Workers take the next free one; --base-port chooses others."
        yield Finding("ports", Level.NOTE, f"{port} of {who} is in use", advice)
    if not taken:
        yield Finding("ports", Level.OK, f"{', '.join(map(str, sorted(wanted)))} are free")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def folders(results_dir: Path | None = None) -> Iterator[Finding]:
    """Look whether runs can be written where they would be, and whether there is room."""
    wanted = [Path("models"), Path("summaries")] if results_dir is None else [results_dir]
    problems = dict.fromkeys(problem for folder in wanted if (problem := why_not_writable(folder)))
    for problem in problems:
        yield Finding("folders", Level.ERROR, problem, "Use another folder or --results-dir, or chmod this one.")
    if problems:
        return
    there = next(each for each in (wanted[0].absolute(), *wanted[0].absolute().parents) if each.exists())
    free = shutil.disk_usage(there).free
    named = " and ".join(map(str, wanted))
    if free < _ENOUGH_DISK:
        text = f"{there} has only {in_words(free)} left"
        yield Finding("folders", Level.WARNING, text, "mlagents runs list shows sizes; runs delete makes room.")
    else:
        yield Finding("folders", Level.OK, f"{named} can be written; {in_words(free)} free")
