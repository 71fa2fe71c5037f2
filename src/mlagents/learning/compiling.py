"""Compiling ahead of time, once for every set of shapes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax

from mlagents.process import release_unused_memory


class Compiled:
    """A function that is compiled when arguments of new shapes or dtypes come.

    Args:
      function: of arrays and trees of them.
      donate: let the result take the memory of the first argument, which is lost by that.

    Attributes:
      seconds: spent compiling so far.
    """

    def __init__(self, function: Callable[..., Any], donate: bool = True):
        self.seconds = 0.0
        self._function = jax.jit(function, donate_argnums=(0,) if donate else ())
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, *args: Any) -> Any:
        """Return what the function returns."""
        key = tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(args))
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = self._compile(args)
        return compiled(*args)

    def _compile(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        start = time.perf_counter()
        release_unused_memory()  # compiling needs some 200 MB for a second or two
        compiled = self._function.lower(*args).compile()
        release_unused_memory()
        self.seconds += time.perf_counter() - start
        return compiled
