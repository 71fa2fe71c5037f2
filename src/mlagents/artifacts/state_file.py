"""A state in one safetensors file: arrays as tensors, everything else as JSON in the file's header."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from mlagents.files import write_atomically

_CHECKSUM = "sha256_of_all"
"""Header key of the checksum over tensors and plain values; `sha256`, of older files, is over tensors only."""


class DamagedState(ValueError):
    """A file is damaged, or holds no state; the message says what is wrong with it, without its name."""


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write a state as one file, whole or not at all.

    Args:
      path: the file.
      state: `{"tensors": name to array, ...}`; everything but tensors must be JSON.
    """
    tensors = state["tensors"]
    plain = json.dumps({key: value for key, value in state.items() if key != "tensors"})
    header = {"state": plain, _CHECKSUM: _checksum(tensors, plain)}
    write_atomically(path, safetensors.numpy.save(tensors, header))


def read_state(path: Path) -> dict[str, Any]:
    """Return the state that `write_state` wrote.

    Raises:
      FileNotFoundError: there is no such file.
      DamagedState: the file is damaged or not one of ours.
    """
    try:
        return _read(path)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise DamagedState(str(error)) from error


def _read(path: Path) -> dict[str, Any]:
    with safetensors.safe_open(path, framework="numpy") as file:
        header = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if "state" not in header:
        raise DamagedState("it is not a checkpoint of this toolkit")
    if _CHECKSUM in header:
        is_whole = header[_CHECKSUM] == _checksum(tensors, header["state"])
    else:
        is_whole = header.get("sha256") == _checksum_of_tensors(tensors)
    if not is_whole:
        raise DamagedState("its checksum is wrong")
    plain = json.loads(header["state"])
    return {**plain, "tensors": tensors}


def _checksum(tensors: Mapping[str, NDArray[np.generic]], plain: str) -> str:
    """Return the checksum over plain values and over each tensor's name, dtype, shape and bytes, as hex digits."""
    digest = hashlib.sha256(plain.encode())
    for name in sorted(tensors):
        tensor = np.ascontiguousarray(tensors[name])
        digest.update(json.dumps([name, str(tensor.dtype), np.shape(tensors[name])]).encode())
        digest.update(tensor.data)
    return digest.hexdigest()


def _checksum_of_tensors(tensors: Mapping[str, NDArray[np.generic]]) -> str:
    """Return the checksum that older files have."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(tensors[name]).data)
    return digest.hexdigest()
