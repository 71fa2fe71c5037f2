"""Trees of arrays as flat maps of names to arrays, for checkpoints."""

from __future__ import annotations

from typing import TypeVar

import jax
import numpy as np
from numpy.typing import NDArray

Tree = TypeVar("Tree")


class TensorMismatch(ValueError):
    """Saved tensors do not fit the network they are loaded into; the message lists every difference."""


def _name(path: tuple[object, ...]) -> str:
    parts = [str(getattr(p, "name", getattr(p, "idx", getattr(p, "key", p)))) for p in path]
    return ".".join(parts)


def named_tensors(tree: object) -> dict[str, NDArray[np.generic]]:
    """Return the leaves of a tree by dotted path, e.g. {"body.layers.0.weight": float32 [128, 8]}."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {_name(path): np.asarray(leaf) for path, leaf in leaves}


def with_tensors(tree: Tree, tensors: dict[str, NDArray[np.generic]], what: str) -> Tree:
    """Return the tree with its leaves replaced by the saved tensors of the same names.

    Args:
      tree: gives structure and shapes.
      tensors: name to array; exactly the names and shapes of the tree.
      what: whose tensors these are, for the error.

    Raises:
      TensorMismatch: a name is missing or surplus, or a shape differs; all of them are listed.
    """
    expected = named_tensors(tree)
    faults = [f"  {name}: not in the saved run" for name in expected.keys() - tensors.keys()]
    faults += [f"  {name}: saved, but not in this network" for name in tensors.keys() - expected.keys()]
    faults += [
        f"  {name}: saved {list(tensors[name].shape)}, this network has {list(expected[name].shape)}"
        for name in expected.keys() & tensors.keys()
        if tensors[name].shape != expected[name].shape
    ]
    if faults:
        raise TensorMismatch(
            f"{what}: the saved network differs from the one that is configured now:\n"
            + "\n".join(sorted(faults))
            + "\nUse the network settings of the saved run, or start a new run."
        )
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    restored: Tree = jax.tree_util.tree_unflatten(structure, [tensors[_name(path)] for path, _ in leaves])
    return restored
