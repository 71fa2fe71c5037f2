"""Where policies begin."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.nn.policy import HYBRID_LOG_STD, ActionHead


@pytest.mark.parametrize(("branches", "begun"), [((), 0.0), ((3,), HYBRID_LOG_STD), ((2, 2), HYBRID_LOG_STD)])
def test_gaussians_begin_wide_beside_discrete_branches(branches, begun):
    head = ActionHead(np.random.default_rng(0), 4, 2, branches)
    np.testing.assert_array_equal(head.log_std, np.full(2, begun, np.float32))
