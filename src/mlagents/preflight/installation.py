"""Is the toolkit installed as it should be? Python, packages, caches, Ray."""

from __future__ import annotations

import os
import platform
import re
import sys
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from mlagents.distribution import NAME, others_installed, version_of
from mlagents.preflight.findings import Finding, Level, in_words

_OLDEST_PYTHON = (3, 11)


def python() -> Iterator[Finding]:
    """Look at the interpreter."""
    version, where = platform.python_version(), sys.executable
    if sys.version_info < _OLDEST_PYTHON:
        wanted = ".".join(map(str, _OLDEST_PYTHON))
        yield Finding("Python", Level.ERROR, f"{version} at {where}", f"Install Python {wanted} or newer.")
    else:
        yield Finding("Python", Level.OK, f"{version} at {where}, {platform.platform()}")
    if sys.prefix == sys.base_prefix:
        advice = "An environment of its own (python -m venv .venv) keeps other packages from changing this one's."
        yield Finding("Python", Level.NOTE, "no virtual environment", advice)


def packages() -> Iterator[Finding]:
    """Look whether all packages that are needed are there, as new as they must be, and alone."""
    from packaging.requirements import Requirement

    try:
        declared = [Requirement(text) for text in requires(NAME) or ()]
    except PackageNotFoundError:
        text = f"{NAME} is not installed; its files are at {Path(__file__).parents[2]}"
        yield Finding("packages", Level.WARNING, text, "Install it: pip install -e . in its folder.")
        return
    needed = [each for each in declared if each.marker is None or each.marker.evaluate({"extra": ""})]
    found = {each: version_of(each.name) for each in needed}
    wrong = [each for each, version in found.items() if version is None or not each.specifier.contains(version, True)]
    for each in wrong:
        text = f"{each.name} {found[each] or 'is not installed'}; needed is {each.name}{each.specifier}"
        yield Finding("packages", Level.ERROR, text, f'pip install "{each.name}{each.specifier}"')
    if not wrong:
        yield Finding("packages", Level.OK, f"{NAME} {version_of(NAME)} with all {len(needed)} packages that it needs")
    if others := others_installed():
        names = " ".join(other.partition(" ")[0] for other in others)
        yield Finding(
            "packages",
            Level.ERROR,
            f"{' and '.join(others)} beside {NAME}: both own the packages `mlagents` and `mlagents_envs`",
            f"pip uninstall {names}, then pip install --force-reinstall --no-deps {NAME}; or an environment for each.",
        )
    yield from _jax()


def _jax() -> Iterator[Finding]:
    try:
        import jax

        jax.__version__  # noqa: B018
    except Exception as error:  # jax and jaxlib that do not fit say so when they are imported
        advice = f'pip install --upgrade "jax" "jaxlib" (jax {version_of("jax")}, jaxlib {version_of("jaxlib")})'
        yield Finding("packages", Level.ERROR, f"jax cannot be imported: {error}", advice)


def caches() -> Iterator[Finding]:
    """Look whether compiled code can be kept for later runs."""
    from platformdirs import user_cache_path

    places = {"XLA": Path(os.environ.get("JAX_COMPILATION_CACHE_DIR", str(user_cache_path("mlagents") / "xla")))}
    if "NUMBA_CACHE_DIR" in os.environ:
        places["numba"] = Path(os.environ["NUMBA_CACHE_DIR"])
    for name, folder in places.items():
        if problem := why_not_writable(folder):
            variable = "JAX_COMPILATION_CACHE_DIR" if name == "XLA" else "NUMBA_CACHE_DIR"
            text = f"compiled code of {name} cannot be kept, every run compiles anew: {problem}"
            yield Finding("caches", Level.WARNING, text, f"Set {variable} to a folder that can be written.")
        else:
            files = [file for file in folder.rglob("*") if file.is_file()] if folder.is_dir() else []
            size = in_words(sum(file.stat().st_size for file in files))
            yield Finding("caches", Level.OK, f"{name}: {folder}, {len(files)} files, {size}")


def ray() -> Iterator[Finding]:
    """Look whether samplers could play on several machines."""
    version = version_of("ray")
    if version is None:
        text = "not installed: samplers on several machines (--ray) are not available"
        yield Finding("Ray", Level.NOTE, text, f"If you want them: pip install '{NAME}[ray]'")
        return
    numbers = re.findall(r"\d+", version)
    if [int(number) for number in numbers[:2]] < [2, 50]:
        yield Finding("Ray", Level.WARNING, f"{version}, older than 2.50", f"pip install --upgrade '{NAME}[ray]'")
    else:
        yield Finding("Ray", Level.OK, version)


def why_not_writable(folder: Path) -> str | None:
    """Return why nothing can be written into a folder, which may have to be made; None if it can."""
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    if not there.is_dir():
        return f"{there} is not a folder"
    try:
        with tempfile.TemporaryFile(dir=there):
            return None
    except OSError as error:
        return f"{there}: {error.strerror}"
