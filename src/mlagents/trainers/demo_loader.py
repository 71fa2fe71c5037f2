"""Demonstrations as their messages; `mlagents_envs.demonstrations` has them as arrays."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.demonstrations import read_recording
from mlagents_envs.rpc.specs import behavior_spec_from_proto
from mlagents_envs.rpc.wire import varint

INITIAL_POS = 33
"""Where the brain parameters begin, behind the meta data and what fills its place."""

SUPPORTED_DEMONSTRATION_VERSIONS = frozenset([0, 1])


def get_demo_files(path: str) -> list[str]:
    """Return the demonstration, or all of a folder, sorted.

    Raises:
      FileNotFoundError: there is neither.
      ValueError: the file's name does not end in `.demo`, or the folder has none.
    """
    place = Path(path)
    if place.is_file():
        if place.suffix != ".demo":
            raise ValueError(f"{path}: the name of a demonstration must end in .demo.")
        return [path]
    if not place.is_dir():
        raise FileNotFoundError(f"{path}: expected a .demo file or a folder with some.")
    if not (found := sorted(str(file) for file in place.glob("*.demo"))):
        raise ValueError(f"{path}: the folder has no .demo files.")
    return found


def load_demonstration(file_path: str) -> tuple[BehaviorSpec, list[Any], int]:
    """Return the spec, the pairs (`AgentInfoActionPairProto`), and their number, of a file or all files of a folder.

    Raises:
      DemonstrationError: a file is damaged; the others as `get_demo_files`.
      ValueError: no file has a pair, which tells the shapes of observations.
    """
    spec: BehaviorSpec | None = None
    pairs: list[Any] = []
    for path in get_demo_files(file_path):
        recording = read_recording(Path(path))
        if spec is None and recording.pairs:
            spec = behavior_spec_from_proto(recording.brain, recording.pairs[0].agent_info)
        pairs += recording.pairs
    if spec is None:
        raise ValueError(f"{file_path}: there is no pair in it, so the shapes of observations are not known.")
    return spec, pairs, len(pairs)


def write_delimited(f: IO[bytes], message: Any) -> None:
    """Write a message behind its length."""
    data = message.SerializeToString()
    f.write(varint(len(data)) + data)


def write_demo(demo_path: str, meta_data_proto: Any, brain_param_proto: Any, agent_info_protos: Iterable[Any]) -> None:
    """Write a file of messages: `DemonstrationMetaProto`, `BrainParametersProto`, `AgentInfoActionPairProto`."""
    with open(demo_path, "wb") as f:
        write_delimited(f, meta_data_proto)
        f.seek(INITIAL_POS)
        write_delimited(f, brain_param_proto)
        for message in agent_info_protos:
            write_delimited(f, message)
