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

    It changes arrays in place and makes none, so nobody has to count who refers to them; counting took half of the time
    of loops over rows of arrays. Functions that do make arrays are `allocating`.

    A compiled function may call `mj_step` and compiled functions of its own module, of this package and of
    `episodes`; after a change to those the kept code is left aside. It releases the GIL while it runs.
    """

    _counts_references = False

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
            njit: Any = numba.njit
            dispatcher: Callable[P, R] = njit(
                cache=True, nogil=True, error_model="numpy", _nrt=self._counts_references
            )(self._function)
        finally:
            config.CACHE_DIR = kept
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What numba asks for when another compiled function names this one."""
        return self._dispatcher._numba_type_  # type: ignore[attr-defined]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:  # noqa: D102
        try:
            result = self._dispatcher(*args, **kwargs)
        except Exception as error:
            if not self._has_run and not self._counts_references:
                error.add_note(f"If {self._function.__qualname__} makes arrays, let it be @allocating, not @compiled.")
            raise
        if not self._has_run:
            self._has_run = True
            page_out_library("libllvmlite")  # some 65 MB
        return result

    def bind(self, *arguments: Any) -> Bound[R]:
        """Return the function with its first arguments settled: arrays, and tuples of them, that stay the same."""
        return Bound(self, arguments)

    def entry(self, arguments: tuple[Any, ...]) -> Callable[..., R]:
        """Return the machine code for arguments of these types. It takes them as they come and does not look."""
        import numba

        dispatcher: Any = self._dispatcher
        entry: Callable[..., R] = dispatcher.compile(tuple(map(numba.typeof, arguments)))
        return entry


class allocating(compiled[P, R]):  # noqa: N801  # a decorator
    """Decorator: do as `compiled`, for who makes arrays, returns them, or copies whole rows of one to another."""

    _counts_references = True


class Bound(Generic[R]):
    """A compiled function whose first arguments are settled; see `compiled.bind`.

    Numba looks up the types of all arguments at every call. For tuples of arrays that takes some microseconds, which is
    more than a step of a dozen agents; here it is done once.

    Args:
      function: to be called.
      arguments: its first ones.
    """

    def __init__(self, function: compiled[..., R], arguments: tuple[Any, ...]) -> None:
        self._function = function
        self._arguments = arguments
        self._entry: Callable[..., R] | None = None

    def __call__(self, *numbers: int) -> R:
        """Call the function; the rest of its arguments are Python's own integers."""
        if self._entry is None:
            result = self._function(*self._arguments, *numbers)
            self._entry = self._function.entry((*self._arguments, *numbers))
            return result
        return self._entry(*self._arguments, *numbers)


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
