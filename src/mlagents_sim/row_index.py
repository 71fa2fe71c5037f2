"""Which agents of a batch are meant."""

from __future__ import annotations

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

_Number = TypeVar("_Number", bound=np.generic)

RowIndex = slice | NDArray[np.intp] | NDArray[np.bool_]
"""Indexes the first axis of every array of a batch."""

ALL: Final = slice(None)
"""Every agent of the batch; indexing with it gives views, and costs nothing."""


def copy_rows(array: NDArray[_Number], rows: RowIndex) -> NDArray[_Number]:
    """Return a copy of the rows of an array."""
    return array.copy() if rows is ALL else np.array(array[rows])
