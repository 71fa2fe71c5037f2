"""Compiled functions: numba is imported when the first of them runs, not when it is defined."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class compiled(Generic[P, R]):  # noqa: N801  # a decorator
    """Decorator: compile a function at its first call, and keep the machine code on disk.

    Compiled functions may call each other, and `mj_step`. They release the GIL while they run.
    """

    def __init__(self, function: Callable[P, R]) -> None:
        functools.update_wrapper(self, function)
        self._function = function

    @functools.cached_property
    def _dispatcher(self) -> Callable[P, R]:
        from numba import njit

        dispatcher: Callable[P, R] = njit(cache=True, nogil=True, error_model="numpy")(self._function)
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What numba asks for when another compiled function names this one."""
        return self._dispatcher._numba_type_  # type: ignore[attr-defined]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self._dispatcher(*args, **kwargs)


class _MjStep:
    @property
    def _numba_type_(self) -> Any:
        from numba import types

        return types.ExternalFunction("mj_step", types.void(types.intp, types.intp))

    def __call__(self, model: int, data: int) -> None:
        raise TypeError("mj_step is for compiled functions; elsewhere call mujoco.mj_step.")


mj_step = _MjStep()
"""MuJoCo's own function, for compiled functions: the addresses of a model and its data.

`scene.Scene` makes it known to the linker, so there must be a scene before compiled code runs.
"""
