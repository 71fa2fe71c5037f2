"""All weights of a network as one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import numpy as np
from jaxtyping import Float

from mlagents.arrays import Array

Tree = TypeVar("Tree")


def flattened(tree: Tree) -> tuple[Float[np.ndarray, " p"], Callable[[Float[Array, " p"]], Tree]]:
    """Return the leaves of a tree behind one another, float32 [p], and the function that gives the tree back.

    Like `jax.flatten_util.ravel_pytree`, but without compiling anything; the function takes numpy arrays, too, and
    then returns views.
    """
    leaves, structure = jax.tree_util.tree_flatten(tree)
    shapes = [np.shape(leaf) for leaf in leaves]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes]).tolist()

    def unflattened(vector: Float[Array, " p"]) -> Tree:
        starts = [0, *ends[:-1]]
        parts = [vector[a:b].reshape(shape) for a, b, shape in zip(starts, ends, shapes, strict=True)]
        restored: Tree = jax.tree_util.tree_unflatten(structure, parts)
        return restored

    return np.concatenate([np.asarray(leaf, np.float32).ravel() for leaf in leaves]), unflattened
