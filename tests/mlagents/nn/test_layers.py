"""Dense layers."""

from __future__ import annotations

import numpy as np

from mlagents.nn.layers import Mlp, scaled_normal_dense


def test_weights_are_as_wide_as_the_number_of_inputs_says():
    layer = scaled_normal_dense(np.random.default_rng(0), 400, 50, scale=2.0)
    np.testing.assert_allclose(np.std(layer.weight), 2.0 / 20.0, rtol=0.02)
    assert not layer.bias.any()


def test_without_an_input_a_network_has_its_biases():
    network = Mlp(np.random.default_rng(0), inputs=0, hidden_units=4, num_layers=2)
    assert network.layers[0].weight.shape == (4, 0)
    assert network(np.zeros((3, 0), np.float32)).tolist() == [[0.0] * 4] * 3
