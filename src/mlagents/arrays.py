"""The array type of everything numerical: jax's inside compiled functions and on devices, numpy's outside."""

from __future__ import annotations

from typing import TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array | np.ndarray  # shapes and dtypes come from jaxtyping
