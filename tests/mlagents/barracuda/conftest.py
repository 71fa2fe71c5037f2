"""Small models in Barracuda form."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.barracuda import BarracudaFile, Input, Layer, LayerType, Memory, Tensor


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture
def golden_model() -> BarracudaFile:
    """The example of the format's description: a dense layer of two numbers."""
    layers = (
        Layer("version_number", LayerType.LOAD, tensors=(Tensor.row("version_number", [2]),)),
        Layer("d", LayerType.DENSE, ("x",), (Tensor.kernel("w", [[1, 2], [3, 4]]), Tensor.row("b", [0.5, -0.5]))),
        Layer("action", LayerType.ACTIVATION, ("d",)),
    )
    return BarracudaFile((Input("x", (-1, 1, 1, 2)),), ("action",), (), layers)


@pytest.fixture
def golden_bytes() -> bytes:
    return bytes.fromhex(
        """
        100000000000000001000000010000007804000000ffffffff0100000001000000020000000100000006000000616374
        696f6e00000000030000000e00000076657273696f6e5f6e756d626572ff000000000000000000000000000000040000
        00000000000000000000000000000000000000000000000000ffffffff0000803f000000000000000000000000010000
        000e00000076657273696f6e5f6e756d6265720400000001000000010000000100000001000000000000000000000004
        000000010000000100000064010000000000000000000000000000000400000000000000000000000000000000000000
        0000000000000000ffffffff0000803f0000000000000000010000000100000078020000000100000077040000000200
        000001000000010000000200000001000000000000000400000004000000010000006204000000010000000100000001
        000000020000000500000000000000040000000200000006000000616374696f6e320000000000000000000000000000
        0004000000000000000000000000000000000000000000000000000000ffffffff0000803f0000000000000000010000
        00010000006400000000000000400000803f0000004000004040000080400000003f000000bf
        """
    )


@pytest.fixture
def counter_model() -> BarracudaFile:
    """A memory that grows by x, and weights of the same name in two layers."""
    layers = (
        Layer("one", LayerType.LOAD, tensors=(Tensor.row("one", [1]), Tensor.row("two", [2]))),
        Layer("sum_h", LayerType.ADD, ("x", "old_h")),
        Layer("a", LayerType.DENSE, ("sum_h",), (Tensor.kernel("kernel", [[2]]), Tensor.row("bias", [1]))),
        Layer("b", LayerType.DENSE, ("a",), (Tensor.kernel("kernel", [[3]]), Tensor.row("bias", [0]))),
        Layer("y", LayerType.MUL, ("b", "two")),
    )
    memory = Memory((1, 1, 1, 1), "old_h", "sum_h")
    return BarracudaFile((Input("x", (-1, 1, 1, 1)),), ("y",), (memory,), layers)
