"""The numbers by which Barracuda files of version 16 name layers and activations."""

from __future__ import annotations

from enum import IntEnum


class LayerType(IntEnum):
    """What a layer computes."""

    NOP = 0
    DENSE = 1
    CONV_2D = 20
    DEPTHWISE_CONV_2D = 21
    TRANSPOSED_CONV_2D = 22
    UPSAMPLE_2D = 23
    MAX_POOL_2D = 25
    AVERAGE_POOL_2D = 26
    GLOBAL_AVERAGE_POOL_2D = 28
    PAD = 29
    ACTIVATION = 50
    SCALE_BIAS = 51
    NORMALIZATION = 52
    LOCAL_RESPONSE_NORMALIZATION = 53
    RANDOM_NORMAL = 64
    RANDOM_UNIFORM = 65
    MULTINOMIAL = 66
    ONE_HOT = 67
    ADD = 100
    SUB = 101
    MUL = 102
    DIV = 103
    POW = 104
    MINIMUM = 110
    MAXIMUM = 111
    REDUCE_MAX = 124
    REDUCE_MEAN = 125
    REDUCE_MIN = 126
    REDUCE_PROD = 127
    REDUCE_SUM = 128
    FLATTEN = 200
    RESHAPE = 201
    CONCAT = 210
    STRIDED_SLICE = 211
    LOAD = 255


class Activation(IntEnum):
    """The function of an activation layer."""

    LINEAR = 0
    RELU = 1
    SOFTMAX = 2
    TANH = 3
    SIGMOID = 4
    ELU = 5
    RELU6 = 6
    LEAKY_RELU = 7
    SELU = 8
    SWISH = 9
    LOG_SOFTMAX = 10
    SOFTPLUS = 11
    SOFTSIGN = 12
    ABS = 100
    NEG = 101
    CEIL = 102
    FLOOR = 104
    SQRT = 111
    EXP = 113
    LOG = 114
    ACOS = 200
    ACOSH = 201
    ASIN = 202
    ASINH = 203
    ATAN = 204
    ATANH = 205
    COS = 206
    COSH = 207
    SIN = 208
    SINH = 209
    TAN = 210


def layer_type_name(number: int) -> str:
    """Return e.g. "dense (type 1)"; "unknown (type 77)" where the format has no such type."""
    known = number in LayerType._value2member_map_
    name = LayerType(number).name.lower().replace("_", " ") if known else "unknown"
    return f"{name} (type {number})"
