"""Runs in `.venv-official`: what the official package takes to read a report. Prints CPU microseconds.

official_decode.py MESSAGES SECONDS
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import json
import sys
from pathlib import Path

from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.rpc_utils import behavior_spec_from_proto, steps_from_proto


def main() -> None:
    path, seconds = sys.argv[1:]
    _, _, first, later = [bytes.fromhex(message) for message in json.loads(Path(path).read_text())]
    output = UnityMessageProto.FromString(first).unity_output
    (brain,) = output.rl_initialization_output.brain_parameters
    infos = output.rl_output.agentInfos[brain.brain_name].value
    spec = behavior_spec_from_proto(brain, infos[0])

    def decode() -> None:
        message = UnityMessageProto.FromString(later)
        steps_from_proto(message.unity_output.rl_output.agentInfos[brain.brain_name].value, spec)

    print(json.dumps(measure.cpu_us({"decode": decode}, float(seconds))["decode"]))


if __name__ == "__main__":
    main()
