"""All weights of a network as one vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp
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

    def parts(vector: Float[Array, " p"]) -> list[Array]:
        starts = [0, *ends[:-1]]
        return [vector[a:b].reshape(shape) for a, b, shape in zip(starts, ends, shapes, strict=True)]

    differentiable = _gradients_joined(parts)

    def unflattened(vector: Float[Array, " p"]) -> Tree:
        found = parts(vector) if isinstance(vector, np.ndarray) else differentiable(vector)
        restored: Tree = jax.tree_util.tree_unflatten(structure, found)
        return restored

    return np.concatenate([np.asarray(leaf, np.float32).ravel() for leaf in leaves]), unflattened


def _gradients_joined(parts: Callable[[Array], list[Array]]) -> Callable[[Array], list[Array]]:
    """Return the function with a gradient of its own: those of the parts behind one another.

    Left to itself, JAX pads the gradient of every part to the whole length and adds all of them up, which costs as
    much as half an update of small networks.
    """
    differentiable = jax.custom_vjp(parts)
    differentiable.defvjp(
        lambda vector: (parts(vector), None),
        lambda _, gradients: (jnp.concatenate([gradient.ravel() for gradient in gradients]),),
    )
    return differentiable
