"""Barracuda models (`.nn`), the format of 2020: read, write, evaluate. Needs numpy only."""

from mlagents.barracuda.evaluate import Evaluator
from mlagents.barracuda.file import BarracudaError, BarracudaFile, Input, Layer, Memory, Tensor
from mlagents.barracuda.layer_types import Activation, LayerType
from mlagents.barracuda.reader import parse, read_barracuda
from mlagents.barracuda.writer import serialized

__all__ = [
    "Activation",
    "BarracudaError",
    "BarracudaFile",
    "Evaluator",
    "Input",
    "Layer",
    "LayerType",
    "Memory",
    "Tensor",
    "parse",
    "read_barracuda",
    "serialized",
]
