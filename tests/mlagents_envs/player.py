"""A player for tests: a process that speaks Unity's part of the protocol in several ways, right and wrong.

Run as `player.py --scenario NAME --mlagents-port PORT`; other arguments are ignored, as Unity does.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import time
import uuid
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
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.communicator_objects.unity_message_pb2 import UnityMessageProto
from mlagents_envs.exception import UnityCommunicatorStoppedException
from mlagents_envs.rpc.client import Connection, Player
from mlagents_envs.side_channel.framing import iter_frames, pack_frame
from mlagents_envs.side_channel.stats_side_channel import StatsAggregationMethod, StatsSideChannel, encode_stat

ECHO_ID = uuid.UUID("621f0a70-4f87-11ea-a6bf-784f4387d1f7")
AGENTS = 12
BALL = "3DBall?team=0"
GRID = "Grid?team=1"


def vector(size, name="vector"):
    return ObservationSpec((size,), (DimensionProperty.NONE,), ObservationType.DEFAULT, name)


def image(name):
    spatial = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    return ObservationSpec((3, 6, 5), (DimensionProperty.NONE, spatial, spatial), ObservationType.DEFAULT, name)


def decisions(obs, ids, masks=None, groups=None, reward=0.0):
    n = len(ids)
    group_id = np.zeros(n, np.int32) if groups is None else np.array(groups, np.int32)
    return DecisionSteps(
        obs,
        np.full(n, reward, np.float32),
        np.array(ids, np.int32),
        masks,
        group_id,
        (group_id / 4).astype(np.float32),
    )


def ball(player, _args):
    """12 agents; observations tell step, seed, resets and the last actions. Agent 3 ends every third step."""
    spec = BehaviorSpec([vector(8)], ActionSpec(2, ()))
    command = player.first_command()
    resets, last = 0, np.zeros((AGENTS, 2), np.float32)
    step = 0
    while True:
        resets += command.reset
        if BALL in command.actions:
            last = command.actions[BALL].continuous
        obs = np.zeros((AGENTS, 8), np.float32)
        obs[:, 0], obs[:, 1], obs[:, 2], obs[:, 3:5] = step, player.initialization.seed, resets, last
        obs[:, 5] = player.initialization.num_areas
        ends = int(step % 3 == 2 and not command.reset)
        terminal = TerminalSteps(
            [obs[3 : 3 + ends]],
            np.full(ends, -1, np.float32),
            np.full(ends, step % 2 == 0),
            np.full(ends, 3, np.int32),
        )
        frames = [
            pack_frame(channel, data) for channel, data in iter_frames(command.side_channel) if channel == ECHO_ID
        ]
        frames.append(
            pack_frame(StatsSideChannel.CHANNEL_ID, encode_stat("step", step, StatsAggregationMethod.AVERAGE))
        )
        frames.append(pack_frame(uuid.UUID(int=1), b"nobody listens"))
        steps = {BALL: (decisions([obs], range(AGENTS), reward=0.1), terminal)}
        command = player.report({BALL: spec}, steps, b"".join(frames))
        step += 1


def grid(player, _args):
    """3 agents with masks and groups; the last chosen actions come back as observations. From step 2 on also a ball."""
    specs = {
        GRID: BehaviorSpec([vector(2)], ActionSpec(0, (3, 2))),
        BALL: BehaviorSpec([vector(1)], ActionSpec(1, (2,))),
    }
    command = player.first_command()
    step = 0
    while True:
        chosen = command.actions[GRID].discrete if GRID in command.actions else np.full((3, 2), -1)
        masks = [np.array([[0, 0, 1], [0, 1, 0], [0, 0, 0]], bool), np.array([[1, 0], [0, 0], [0, 1]], bool)]
        batches = {
            GRID: (
                decisions([chosen.astype(np.float32)], [200, 5, 1], masks, [1, 1, 2]),
                TerminalSteps.empty(specs[GRID]),
            ),
            BALL: (decisions([np.ones((1, 1), np.float32)], [9]), TerminalSteps.empty(specs[BALL])),
        }
        command = player.report(specs, batches if step >= 2 else {GRID: batches[GRID]})
        step += 1


def shown_images():
    """What `images` shows, float32 [2, 3, 6, 5]: multiples of 1/255."""
    return (np.arange(2 * 3 * 6 * 5).reshape(2, 3, 6, 5) % 256 / np.float32(255)).astype(np.float32)


def images(player, _args):
    """2 agents with a compressed and a raw image."""
    spec = BehaviorSpec([image("png"), image("raw")], ActionSpec(1, ()))
    player.first_command()
    while True:
        steps = decisions([shown_images(), shown_images()[::-1]], [0, 1])
        player.report({BALL: spec}, {BALL: (steps, TerminalSteps.empty(spec))})


def big(player, _args):
    """One agent whose observation has 2 million floats, 8 MB."""
    spec = BehaviorSpec([vector(2_000_000)], ActionSpec(1, ()))
    player.first_command()
    obs = np.arange(2_000_000, dtype=np.float32)[np.newaxis]
    while True:
        player.report({BALL: spec}, {BALL: (decisions([obs], [0]), TerminalSteps.empty(spec))})


def fails(player, args):
    """Steps twice, then what the scenario says."""
    spec = BehaviorSpec([vector(1)], ActionSpec(1, ()))
    steps = (decisions([np.zeros((1, 1), np.float32)], [0]), TerminalSteps.empty(spec))
    player.first_command()
    player.report({BALL: spec}, {BALL: steps})
    player.report({BALL: spec}, {BALL: steps})
    print("the last words of the player", flush=True)
    match args.scenario:
        case "crash":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "hang":
            time.sleep(600)
        case "leave":
            player.close()
        case "garbage":
            player._connection.exchange(b"\xff\xff\xff")
        case "nan":
            steps[0].obs[0][0] = np.nan
            player.report({BALL: spec}, {BALL: steps})
        case "drop":
            player._connection.close()
            time.sleep(600)


def announcements(player, args):
    """Steps once with one behavior, then changes its mind."""
    specs = {BALL: BehaviorSpec([vector(1)], ActionSpec(1, ())), GRID: BehaviorSpec([vector(2)], ActionSpec(0, (3,)))}
    steps = {
        name: (
            decisions([np.zeros((2, *spec.observation_specs[0].shape), np.float32)], [0, 1]),
            TerminalSteps.empty(spec),
        )
        for name, spec in specs.items()
    }
    player.first_command()
    player.report(specs, {BALL: steps[BALL]})
    match args.scenario:
        case "unannounced":
            player._specs[GRID] = specs[GRID]
        case "announced-early":
            message = EnvelopeProto(header={"status": 200})
            player._announce(message, GRID, specs[GRID])
            player._call(message)
        case "announced-again":
            player._specs.clear()
        case "changed":
            player._specs.clear()
            specs[BALL] = BehaviorSpec([vector(1)], ActionSpec(2, ()))
    while True:
        player.report(specs, steps)


def stubborn(player, args):
    """Does not leave when told so."""
    with contextlib.suppress(UnityCommunicatorStoppedException):
        ball(player, args)
    time.sleep(600)


def legacy(args):
    """Unity package 1.0.8: API 1.0.0, images (height, width, channels), one list of actions, picky about versions."""
    connection = Connection(args.mlagents_port)

    def call(message, timeout=None):
        message.header.status = 200
        answer = UnityMessageProto.FromString(connection.exchange(message.SerializeToString(), timeout))
        if answer.header.status != 200:
            raise SystemExit
        return answer.unity_input

    hello = UnityMessageProto()
    first = hello.unity_output.rl_initialization_output
    first.communication_version, first.package_version = args.api or "1.0.0", args.package or "1.0.8-preview"
    first.capabilities.baseRLCapabilities = True
    answer = call(hello, 60).rl_initialization_input
    major, minor, _ = answer.package_version.split(".", 2)
    if first.package_version.startswith("1.0.") and (int(major), int(minor)) > (0, 25):
        time.sleep(600)  # as 1.0.8 does: no word more
    actions = [0.0, 0.0]
    call(UnityMessageProto())
    known = False
    while True:
        message = UnityMessageProto()
        output = message.unity_output
        if not known:
            output.rl_initialization_output.brain_parameters.add(
                brain_name="Old?team=0", vector_action_size_deprecated=[2], vector_action_space_type_deprecated=1
            )
            known = True
        agent = output.rl_output.agentInfos["Old?team=0"].value.add(id=1)
        picture = agent.observations.add(shape=[2, 3, 1])
        picture.float_data.data.extend([0.0, 0.25, 0.5, 0.75, 1.0, 0.125])
        agent.observations.add(shape=[2]).float_data.data.extend(actions)
        actions = call(message).rl_input.agent_actions["Old?team=0"].value[0].vector_actions_deprecated[:] or actions


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mlagents-port", type=int)
    parser.add_argument("--scenario", default="ball")
    parser.add_argument("--package")
    parser.add_argument("--api")
    parser.add_argument("-logFile")
    args, _ = parser.parse_known_args()
    if args.logFile:
        Path(args.logFile).write_text("Initialize engine\nNullReferenceException: no camera\n")
    scenarios = {"ball": ball, "grid": grid, "images": images, "big": big, "stubborn": stubborn}
    scenarios |= dict.fromkeys(("unannounced", "announced-early", "announced-again", "changed"), announcements)
    match args.scenario:
        case "legacy":
            return legacy(args)
        case "silent":
            time.sleep(600)
        case "early":
            print("cannot open display", file=sys.stderr)
            raise SystemExit(4)
    png = {BALL: [0]} if args.scenario == "images" else {}
    with Player(args.mlagents_port, name="AcademySingleton", png=png) as player:
        try:
            player.connect()
            scenarios.get(args.scenario, fails)(player, args)
        except UnityCommunicatorStoppedException:
            print("told to leave")


if __name__ == "__main__":
    main()
