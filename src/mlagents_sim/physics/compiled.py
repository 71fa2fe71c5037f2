"""Compiled functions: numba is imported when the first of them runs, not when it is defined."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar

from mlagents_envs.memory import page_out_library

P = ParamSpec("P")
R = TypeVar("R")


class compiled(Generic[P, R]):  # noqa: N801  # a decorator
    """Decorator: compile a function at its first call, and keep the machine code on disk.

    A compiled function may call `mj_step` and compiled functions of its own module, of this package and of
    `episodes`; after a change to those the kept code is left aside. It releases the GIL while it runs.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        functools.update_wrapper(self, function)
        self._function = function
        self._has_run = False

    @functools.cached_property
    def _dispatcher(self) -> Callable[P, R]:
        import numba

        config: Any = numba.config
        kept = config.CACHE_DIR
        config.CACHE_DIR = _cache_dir(kept)
        try:
            dispatcher: Callable[P, R] = numba.njit(cache=True, nogil=True, error_model="numpy")(self._function)
        finally:
            config.CACHE_DIR = kept
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What numba asks for when another compiled function names this one."""
        return self._dispatcher._numba_type_  # type: ignore[attr-defined]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: D102
        result = self._dispatcher(*args, **kwargs)
        if not self._has_run:
            self._has_run = True
            page_out_library("libllvmlite")  # some 65 MB
        return result


@functools.cache
def _cache_dir(chosen: str) -> str:
    """Name a folder for each version of what compiled code shares: numba itself looks only at a function's own file.

    Args:
      chosen: the user's NUMBA_CACHE_DIR; beside the source if empty.
    """
    package = Path(__file__).parent
    digest = hashlib.sha256()
    above = [package.parent / name for name in ("agent.py", "episodes.py")]
    for source in (*above, *sorted(package.rglob("*.py"))):
        digest.update(source.read_bytes())
    folder = Path(chosen) if chosen else package / "__pycache__"
    return str(folder / f"numba-{digest.hexdigest()[:16]}")


class _MjStep:
    @property
    def _numba_type_(self) -> Any:
        from numba import types

        return types.ExternalFunction("mj_step", types.void(types.intp, types.intp))

    def __call__(self, model: int, data: int) -> None:
        raise TypeError("mj_step is for compiled functions; elsewhere call mujoco.mj_step.")


mj_step = _MjStep()
"""MuJoCo's own function, for compiled functions: the addresses of a model and of its data.

`scene.Scene` makes it known to the linker, so there must be a scene before compiled code runs.
"""
