"""What a model file is for, read from the file alone."""

from __future__ import annotations

import os
import re
from pathlib import Path

from mlagents.inference.barracuda_model import read_barracuda_signature
from mlagents.inference.errors import ModelError
from mlagents.inference.model import load_proto
from mlagents.inference.signature import Signature, Tensor, read_signature
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType

_OBSERVATION = re.compile(r"obs_(\d+)|visual_observation_(\d+)|vector_observation")


def read_behavior_spec(path: str | os.PathLike[str]) -> BehaviorSpec:
    """Return what an agent observes and does that a model is made for.

    Observations have the order of the model's numbers: `obs_<i>`; in models of API 2 images, then all vectors as one.
    Of several branches models of API 2 know the sum alone, which is then one branch. Names of observations are those of
    the model's inputs.

    Raises:
      ModelError: the file is no agent's model, or leaves the size of an observation open.
    """
    path = Path(path)
    signature = read_barracuda_signature(path) if path.suffix == ".nn" else read_signature(path, load_proto(path))
    names = sorted((name for name in signature.inputs if _OBSERVATION.fullmatch(name)), key=_place)
    sensors = [_sensor(signature, name, signature.inputs[name]) for name in names]
    return BehaviorSpec(sensors, ActionSpec(signature.continuous_size, signature.discrete_branches))


def _place(name: str) -> tuple[bool, int]:
    number = name.rpartition("_")[2]
    return not number.isdecimal(), int(number) if number.isdecimal() else 0


def _sensor(signature: Signature, name: str, tensor: Tensor) -> ObservationSpec:
    shape = tuple(size for size in tensor.shape[1:] if size is not None)
    if len(shape) != len(tensor.shape) - 1 or not shape:
        raise ModelError(
            f"{signature.path}: the model leaves the shape of its input {name} open, {list(tensor.shape)}; give the"
            " behavior_spec that it is to play"
        )
    is_last = signature.channels_last or shape[-1] < shape[0]
    if name.startswith("visual_") and len(shape) == 3 and is_last:
        shape = (shape[2], *shape[:2])
    return ObservationSpec(shape, (DimensionProperty.UNSPECIFIED,) * len(shape), ObservationType.DEFAULT, name)
