"""Which agents of a batch are meant."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

RowIndex = slice | NDArray[np.intp] | NDArray[np.bool_]
"""Indexes the first axis of every array of a batch."""

ALL: Final = slice(None)
"""Every agent of the batch; indexing with it gives views, and costs nothing."""
