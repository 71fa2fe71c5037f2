"""A player that sends messages from a file, the last one again and again, and ignores the answers.

exchange_player.py MESSAGES [--sleep-ms N] --mlagents-port P
"""

from __future__ import annotations

import argparse
import json
import time
from contextlib import suppress
from itertools import chain, repeat
from pathlib import Path

from mlagents_envs.exception import UnityCommunicatorStoppedException
from mlagents_envs.rpc.client import Connection


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("messages", type=Path, help="a JSON list of hexadecimal strings")
    parser.add_argument("--mlagents-port", type=int, required=True)
    parser.add_argument("--sleep-ms", type=float, default=0.0, help="before each message")
    arguments, _ = parser.parse_known_args()
    first, *rest = [bytes.fromhex(message) for message in json.loads(arguments.messages.read_text())]
    connection = Connection(arguments.mlagents_port)
    with suppress(UnityCommunicatorStoppedException):
        connection.exchange(first, connect_timeout_s=60.0)
        for message in chain(rest, repeat((first, *rest)[-1])):
            time.sleep(arguments.sleep_ms / 1000)
            connection.exchange(message)


if __name__ == "__main__":
    main()
