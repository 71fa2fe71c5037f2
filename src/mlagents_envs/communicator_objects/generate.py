"""Writes the protobuf modules of this folder from `protos/`.

Run in an environment of its own, with the compiler whose output loads under protobuf 4.25 to 7.x:

    pip install 'grpcio-tools==1.62.3' 'setuptools<81'
    python src/mlagents_envs/communicator_objects/generate.py
"""

from __future__ import annotations

from pathlib import Path

from grpc_tools import protoc

PACKAGE = "mlagents_envs/communicator_objects"
HERE = Path(__file__).resolve().parent
SOURCES = HERE.parents[1]


def _compile(*arguments: str) -> None:
    status = protoc.main(["protoc", f"--proto_path={PACKAGE}={HERE / 'protos'}", *arguments])
    if status:
        raise SystemExit(status)


def main() -> None:
    """Generates one `*_pb2.py` with its stub per .proto, and the service of `unity_to_external.proto`."""
    names = sorted(f"{PACKAGE}/{path.name}" for path in (HERE / "protos").glob("*.proto"))
    _compile(f"--python_out={SOURCES}", f"--pyi_out={SOURCES}", *names)
    _compile(f"--grpc_python_out={SOURCES}", f"{PACKAGE}/unity_to_external.proto")


if __name__ == "__main__":
    main()
