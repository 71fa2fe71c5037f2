"""A player for tests of `mlagents-learn`: one agent, which does what `--scenario` says after 400 reports.

"nan" then sends one number in forty that is none.

It writes the engine settings that it is told, one per line, into the file of `--record`.
"""

from __future__ import annotations

import argparse
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)
from mlagents_envs.exception import UnityCommunicatorStoppedException
from mlagents_envs.rpc.client import Player
from mlagents_envs.side_channel.engine_configuration_channel import EngineConfigurationChannel
from mlagents_envs.side_channel.framing import iter_frames

NAME = "Basic?team=0"
OBSERVATION = ObservationSpec((2,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "vector")
SPEC = BehaviorSpec([OBSERVATION], ActionSpec(1, ()))
REPORTS = 400
FORMATS = {0: "<ii", 1: "<i", 2: "<f", 3: "<i", 4: "<i"}  # of what follows the kind of setting


def settings(frames):
    for channel, payload in iter_frames(frames):
        if channel == EngineConfigurationChannel.CHANNEL_ID:
            (kind,) = struct.unpack_from("<i", payload)
            yield EngineConfigurationChannel.ConfigurationType(kind).name, *struct.unpack(FORMATS[kind], payload[4:])


def play(player, args):
    command = player.first_command()
    count = 0
    while True:
        if args.record:
            with args.record.open("a") as file:
                file.writelines(f"{setting}\n" for setting in settings(command.side_channel))
        count += 1
        if count == REPORTS:
            print("the last words of the player", flush=True)
            if args.scenario == "leave":
                return
            if args.scenario == "hang":
                time.sleep(600)
            if args.scenario == "crash":
                os._exit(3)
        obs = np.full((1, 2), count % 5, np.float32)
        if args.scenario == "nan" and count >= REPORTS and count % 40 == 1:
            obs[0, 1] = np.nan
        decision = DecisionSteps([obs], np.ones(1, np.float32), np.zeros(1, np.int32), None)
        ended = int(count % 5 == 0)
        none = np.zeros(ended, np.int32)
        terminal = TerminalSteps([obs[:ended]], np.ones(ended, np.float32), none.astype(bool), none)
        command = player.report({NAME: SPEC}, {NAME: (decision, terminal)})


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mlagents-port", type=int)
    parser.add_argument("--scenario", default="play")
    parser.add_argument("--record", type=Path)
    args, _ = parser.parse_known_args()
    print("the player says hello", flush=True)
    if args.scenario == "silent":
        time.sleep(600)
    if args.scenario == "early":
        print("cannot open display", file=sys.stderr)
        raise SystemExit(4)
    with Player(args.mlagents_port) as player:
        try:
            player.connect()
            play(player, args)
        except UnityCommunicatorStoppedException:
            pass


if __name__ == "__main__":
    main()
