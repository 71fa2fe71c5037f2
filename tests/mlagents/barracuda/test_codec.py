"""Bytes to models and back."""

from __future__ import annotations

import dataclasses
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlagents.barracuda import (
    BarracudaError,
    BarracudaFile,
    Input,
    Layer,
    LayerType,
    Memory,
    Tensor,
    parse,
    read_barracuda,
    serialized,
)


def test_golden_example(golden_model, golden_bytes):
    assert serialized(golden_model) == golden_bytes
    assert parse(golden_bytes) == golden_model


@pytest.mark.parametrize("name", ["3DBall", "Basic", "GridWorld", "Hallway"])
def test_recorded_files_come_out_as_they_were(shared_data, name):
    path = shared_data / "nn" / f"{name}.nn"
    assert serialized(read_barracuda(path)) == path.read_bytes()


def test_weights_of_one_name_belong_to_their_layers(counter_model):
    layers = {layer.name: layer for layer in parse(serialized(counter_model)).layers}
    assert [tensor.name for tensor in layers["a"].tensors] == [tensor.name for tensor in layers["b"].tensors]
    assert layers["a"].tensors[0].values.tolist() == [[[[2]]]]
    assert layers["b"].tensors[0].values.tolist() == [[[[3]]]]


int32 = st.integers(-(2**31), 2**31 - 1)
int32_lists = st.lists(int32, max_size=5).map(tuple)
ascii_names = st.text(st.characters(max_codepoint=127), min_size=1, max_size=12)
float32 = st.floats(width=32, allow_nan=False)


@st.composite
def tensors(draw, name):
    shape = draw(st.tuples(*[st.integers(1, 3)] * 4))
    seed = draw(st.integers(0, 2**32 - 1))
    return Tensor(name, np.random.default_rng(seed).standard_normal(shape).astype(np.float32))


@st.composite
def models(draw):
    names = draw(st.lists(ascii_names, min_size=2, max_size=12, unique=True))
    known, layers = [], []
    inputs, memories = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    shapes = st.tuples(*[st.sampled_from([-1, 1, 7])] * 4)
    made_inputs = tuple(Input(name, draw(shapes)) for name in names[:inputs])
    known += names[:inputs]
    memory_inputs = names[inputs : inputs + memories]
    known += memory_inputs
    for name in names[inputs + memories :]:
        kind = draw(int32 | st.sampled_from([LayerType.LOAD, LayerType.DENSE, LayerType.ADD]))
        if kind == LayerType.LOAD:
            weights = (draw(tensors(name)),)
        else:
            weights = tuple(draw(st.lists(tensors("weight"), max_size=2)))
        layers.append(
            Layer(
                name,
                kind,
                tuple(draw(st.lists(st.sampled_from(known), max_size=3))) if known else (),
                weights,
                draw(int32),
                *(draw(int32_lists) for _ in range(3)),
                draw(int32),
                draw(float32),
                draw(float32),
            )
        )
        known.append(name)
    outputs = tuple(draw(st.lists(st.sampled_from(known), max_size=3)))
    made_memories = tuple(
        Memory((1, 1, 1, draw(st.integers(1, 99))), name, draw(st.sampled_from(known))) for name in memory_inputs
    )
    return BarracudaFile(made_inputs, outputs, made_memories, tuple(layers))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(models())
def test_every_model_comes_back(model):
    data = serialized(model)
    assert parse(data) == model
    assert serialized(parse(data)) == data


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=6), end=st.integers(0, 10**6))
def test_damaged_bytes_are_refused_by_a_barracuda_error(golden_bytes, counter_model, changes, end):
    """What is still read is a whole model."""
    for whole in (golden_bytes, serialized(counter_model)):
        data = bytearray(whole if end % 3 else whole[: end % len(whole)])
        for place, value in changes if data else ():
            data[place % len(data)] = value
        try:
            model = parse(bytes(data))
        except BarracudaError:
            continue
        assert len(serialized(model)) == len(data)


def test_every_cut_is_refused(golden_bytes):
    for stop in range(len(golden_bytes)):
        with pytest.raises(BarracudaError):
            parse(golden_bytes[:stop])
    with pytest.raises(BarracudaError, match="28 bytes; 32 bytes follow"):
        parse(golden_bytes + bytes(4))


def test_sizes_that_are_only_claimed_cost_nothing(golden_bytes):
    """Any four bytes may say two thousand million, or less than nothing."""
    tracemalloc.start()
    try:
        for value in (2**31 - 1, 2**24, -1, -(2**31)):
            for place in range(len(golden_bytes) - 28 - 3):
                data = golden_bytes[:place] + struct.pack("<i", value) + golden_bytes[place + 4 :]
                try:
                    parse(data)
                except BarracudaError:
                    continue
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_the_message_begins_with_the_file(tmp_path, golden_bytes):
    path = tmp_path / "cut.nn"
    path.write_bytes(golden_bytes[:-4])
    with pytest.raises(BarracudaError) as raised:
        read_barracuda(path)
    assert str(raised.value).startswith(f"{path}: the layers' tensors have 7 numbers in all, 28 bytes; 24 bytes follow")


def changed(data: bytes, place: int, value: int) -> bytes:
    return data[:place] + struct.pack("<i", value) + data[place + 4 :]


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, 17, "format version 17; expected 16"),
        (8, 99, r"byte 8: 99 as the number of inputs; \d+ bytes are left, enough for \d+$"),
        (12, -1, "byte 12: -1 as the number of letters of the name of an input"),
        (21, 0, r"input 'x' has shape \[0, 1, 1, 2\]; expected 4 sizes, each positive or -1"),
        (85, 1, "layer 'version_number': a reserved field is 1; expected 0"),
        (133, 7, "layer 'version_number': a reserved field is 7; expected 0"),
        (167, 2, r"tensor 'version_number' has shape \[2, 1, 1, 1\]; expected 4 positive sizes with the product 1"),
        (167, -1, r"tensor 'version_number' has shape \[-1, 1, 1, 1\]; expected 4 positive"),
        (183, 1, "layer 'version_number': tensor 'version_number' begins at number 1; expected 0"),
        (191, 8, "tensor 'version_number' has items of 8 bytes; expected 4"),
    ],
)
def test_faults(golden_bytes, place, value, message):
    with pytest.raises(BarracudaError, match=message):
        parse(changed(golden_bytes, place, value))


def test_letters_beyond_ascii(golden_bytes):
    with pytest.raises(BarracudaError, match=r"byte 16: b'\\xe4' as the name of an input; expected ASCII"):
        parse(golden_bytes.replace(b"\x01\x00\x00\x00x\x04", b"\x01\x00\x00\x00\xe4\x04", 1))


def replaced(model: BarracudaFile, index: int, **fields) -> BarracudaFile:
    layers = list(model.layers)
    layers[index] = dataclasses.replace(layers[index], **fields)
    return dataclasses.replace(model, layers=tuple(layers))


def test_names_have_to_be_known(golden_model, golden_bytes):
    with pytest.raises(BarracudaError, match="layer 'd': its input 'y' is no input, memory, constant or earlier layer"):
        serialized(replaced(golden_model, 1, inputs=("y",)))
    with pytest.raises(BarracudaError, match="layer 'd': its input 'd' is no"):
        serialized(replaced(golden_model, 1, inputs=("d",)))
    with pytest.raises(BarracudaError, match="layer 'd': its input 'action' is no"):
        serialized(replaced(golden_model, 1, inputs=("action",)))
    with pytest.raises(BarracudaError, match="output 'actions': expected the name of"):
        serialized(dataclasses.replace(golden_model, outputs=("actions",)))
    with pytest.raises(BarracudaError, match="layer 'd': its input 'q' is no"):
        parse(golden_bytes.replace(b"\x01\x00\x00\x00x\x02", b"\x01\x00\x00\x00q\x02", 1))


def test_names_are_defined_once(golden_model):
    with pytest.raises(BarracudaError, match="layer 'x': the name 'x' is defined a second time"):
        serialized(replaced(golden_model, 1, name="x"))


def test_memories(counter_model):
    (memory,) = counter_model.memories
    for field, value, message in [
        ("output", "nobody", "memory 'old_h': its output 'nobody' is not the name of a layer"),
        ("shape", (1, 1, 2, 1), r"memory 'old_h' has shape \[1, 1, 2, 1\]; expected \[1, 1, 1, n\]"),
        ("shape", (1, 1, 1, -1), r"memory 'old_h' has shape \[1, 1, 1, -1\]"),
    ]:
        faulty = dataclasses.replace(memory, **{field: value})
        with pytest.raises(BarracudaError, match=message):
            serialized(dataclasses.replace(counter_model, memories=(faulty,)))


def test_what_cannot_be_written(golden_model):
    with pytest.raises(BarracudaError, match=r"layer 'd': tensor 'w' has shape \[2, 2\]; expected 4 positive sizes"):
        serialized(replaced(golden_model, 1, tensors=(Tensor("w", np.ones((2, 2), np.float32)),)))
    with pytest.raises(BarracudaError, match=r"input 'x' has shape \[-1, 0, 1, 2\]; expected 4 sizes"):
        serialized(dataclasses.replace(golden_model, inputs=(Input("x", (-1, 0, 1, 2)),)))
    with pytest.raises(BarracudaError, match="'größe' is not ASCII"):
        serialized(replaced(golden_model, 0, name="größe"))


def test_tensors_are_equal_bit_by_bit():
    one = Tensor.row("a", [0.0, np.nan])
    assert one == Tensor.row("a", [0.0, np.nan])
    assert hash(one) == hash(Tensor.row("a", [0.0, np.nan]))
    assert one != Tensor.row("a", [-0.0, np.nan])
    assert one != Tensor.row("b", [0.0, np.nan])
    assert one != "a"
