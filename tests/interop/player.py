"""What the official package starts: `mlagents serve`, or the scene, with every message written to a file.

player.py RECORDING (ENV | scene) ARGUMENTS...
"""

from __future__ import annotations

import argparse
import struct
import sys
from pathlib import Path

from mlagents.cli.main import main
from mlagents_envs.rpc.client import Connection
from mlagents_envs.serve import serve

HEAD = struct.Struct("<cI")
REQUEST, ANSWER = b">", b"<"


def record(path):
    """From now on, append the messages of every call to a file: kind, length, bytes."""
    exchange = Connection.exchange

    def write(kind, message):
        with Path(path).open("ab") as file:
            file.write(HEAD.pack(kind, len(message)) + message)

    def recorded(self, message, connect_timeout_s=None):
        write(REQUEST, message)
        answer = exchange(self, message, connect_timeout_s)
        write(ANSWER, answer)
        return answer

    Connection.exchange = recorded


def recorded_messages(path):
    """[(REQUEST or ANSWER, bytes), ...] as written."""
    data, offset, messages = Path(path).read_bytes(), 0, []
    while offset < len(data):
        kind, length = HEAD.unpack_from(data, offset)
        offset += HEAD.size
        messages.append((kind, data[offset : offset + length]))
        offset += length
    return messages


if __name__ == "__main__":
    recording, environment, *arguments = sys.argv[1:]
    record(recording)
    if environment == "scene":
        from scene import PNG, Scene  # beside this file

        parser = argparse.ArgumentParser()
        parser.add_argument("--mlagents-port", type=int, required=True)
        serve(Scene, parser.parse_known_args(arguments)[0].mlagents_port, png=PNG)
    else:
        sys.exit(main(["serve", environment, *arguments]))
