"""What the wire costs: one exchange, reading its report, waiting for a slow player, training through it.

- One exchange of 12 agents with 8 observations and 2 actions over loopback: `UnityEnvironment` with `set_actions`,
  `step` and `get_steps`, against a bare grpcio server with the same messages. The player, another process, sends
  ready-made bytes to both.
- Reading a report of 12 and 128 agents: from bytes to arrays, against the official `mlagents-envs` 1.1.0.
- A player that sleeps 50 ms per step: CPU of the trainer's process and of its worker.
- 3DBall at the official settings through `examples/serve_3dball.sh`: agent steps per second of wall time of
  `mlagents-learn`, ours and the official one, with 1 and 2 environments. Counts from the second summary on: start
  and compilation are over.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import json
import os
import queue
import re
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import grpc
import official
import official_install
import psutil
from exchange_messages import BEHAVIOR, Messages, messages
from measure import Figure, ratio

from mlagents.rollout.processes import ProcessPool
from mlagents.rollout.source import EnvironmentSource
from mlagents_envs.communicator_objects.envelope_pb2 import EnvelopeProto
from mlagents_envs.environment import UnityEnvironment
from mlagents_envs.rpc.codec import decoder_from_proto

PLAYER = Path(__file__).with_name("exchange_player.py")
SERVED = Path(__file__).resolve().parents[1] / "examples" / "serve_3dball.sh"
AGENTS = 12
SLEEP_MS = 50
BLOCK = 50
PROGRESS = re.compile(r"Step: (\d+)\. Time Elapsed: ([\d.]+) s")


class Cost(NamedTuple):
    """Of one call, in microseconds."""

    cpu: float
    wall: float


class BareServer:
    """The least that grpcio needs to be on the other end of the same calls."""

    def __init__(self, port: int) -> None:
        self._requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        method = {"Exchange": grpc.unary_unary_rpc_method_handler(self._serve)}
        handler = grpc.method_handlers_generic_handler("communicator_objects.UnityToExternalProto", method)
        self._server = grpc.server(ThreadPoolExecutor(1), handlers=(handler,))
        self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()
        self.receive = self._requests.get

    def exchange(self, answer: bytes) -> bytes:
        """Answer the open call and wait for the next one."""
        self._answers.put(answer)
        return self._requests.get()

    def close(self) -> None:
        """Let the player go."""
        self._server.stop(None)
        self._answers.put(b"")

    def _serve(self, request: bytes, _: object) -> bytes:
        self._requests.put(request)
        return self._answers.get()


def write(folder: Path, session: list[bytes]) -> Path:
    """Write a player's messages to a new file."""
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps([message.hex() for message in session]))
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def player(path: Path, port: int) -> Iterator[None]:
    """Have a player process that sends the messages of a file."""
    command = [sys.executable, str(PLAYER), str(path), f"--mlagents-port={port}"]
    with subprocess.Popen(command, env=os.environ | {"GRPC_VERBOSITY": "NONE"}) as process:
        yield
        process.wait(20)


def turns(functions: dict[str, Callable[[], object]], seconds: float) -> dict[str, Cost]:
    """Return the median cost of each function, in blocks, by turns; CPU is that of all threads of this process."""
    samples: dict[str, list[Cost]] = {name: [] for name in functions}
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        for name, function in functions.items():
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(BLOCK):
                function()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            samples[name].append(Cost(1e6 * cpu / BLOCK, 1e6 * wall / BLOCK))
    return {
        name: Cost(*(statistics.median(column) for column in zip(*costs, strict=True)))
        for name, costs in samples.items()
    }


def exchange_figures(folder: Path, sent: Messages, seconds: float) -> list[Figure]:
    """Return our exchange against a bare one."""
    port, bare_port = free_port(), free_port()
    bare = BareServer(bare_port)
    with player(write(folder, sent.session), port), player(write(folder, sent.session[-1:]), bare_port):
        env = UnityEnvironment(base_port=port)
        env.reset()
        bare.receive()

        def step() -> None:
            env.set_actions(BEHAVIOR, sent.action)
            env.step()
            env.get_steps(BEHAVIOR)

        cost = turns({"ours": step, "bare": lambda: bare.exchange(sent.command)}, seconds)
        env.close()
        bare.close()
    ours, theirs = cost["ours"], cost["bare"]
    return [
        Figure(f"exchange, {AGENTS} agents: ours / bare, wall", ratio(ours.wall, theirs.wall), "x", at_most=1.3),
        Figure(f"exchange, {AGENTS} agents: ours / bare, CPU", ratio(ours.cpu, theirs.cpu), "x", at_most=1.3),
        Figure("exchange: ours, wall", ours.wall, "us"),
        Figure("exchange: bare, wall", theirs.wall, "us"),
        Figure("exchange: ours, CPU", ours.cpu, "us"),
        Figure("exchange: bare, CPU", theirs.cpu, "us"),
    ]


def decode_figures(folder: Path, agents: int, seconds: float, at_least: float | None = None) -> list[Figure]:
    """Return what it takes to read a report."""
    session = messages(agents).session
    first = EnvelopeProto.FromString(session[2]).unity_output
    (brain,) = first.rl_initialization_output.brain_parameters
    decoder = decoder_from_proto(brain, first.rl_output.agentInfos[BEHAVIOR].value[0], None)

    def decode() -> None:
        output = EnvelopeProto.FromString(session[3]).unity_output
        decoder.decode_list(output.rl_output.agentInfos[BEHAVIOR])

    ours = measure.cpu_us({"decode": decode}, seconds)["decode"]
    script = Path(__file__).with_name("official_decode.py")
    command = [str(official_install.program("python")), str(script), str(write(folder, session)), str(seconds)]
    theirs = float(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    return [
        Figure(f"reading {agents} agents: official / ours, CPU", ratio(theirs, ours), "x", at_least=at_least),
        Figure(f"reading {agents} agents: ours, CPU", ours, "us"),
        Figure(f"reading {agents} agents: official, CPU", theirs, "us"),
    ]


def waiting_figures(folder: Path, sent: Messages, seconds: float) -> list[Figure]:
    """Return how busy we are while a player sleeps."""
    command = [sys.executable, str(PLAYER), str(write(folder, sent.session)), f"--sleep-ms={SLEEP_MS}"]
    executable = folder / "player.sh"
    executable.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    executable.chmod(0o755)
    pool = ProcessPool(EnvironmentSource(str(executable), seed=0, base_port=free_port()), 1)
    try:
        pool.reset({})
        _step(pool, sent)
        worker = next(child for child in psutil.Process().children() if child.children())
        busy, start, steps = _cpu_s(worker), time.monotonic(), 0
        while time.monotonic() < start + seconds:
            _step(pool, sent)
            steps += 1
        wall = time.monotonic() - start
        cores = (_cpu_s(worker) - busy) / wall
    finally:
        pool.close()
    return [
        Figure(f"player sleeps {SLEEP_MS} ms per step: CPU of trainer and worker", cores, "cores", at_most=0.05),
        Figure(f"player sleeps {SLEEP_MS} ms per step: steps per second", steps / wall, "1/s"),
    ]


def _step(pool: ProcessPool, sent: Messages) -> None:
    for step in pool.receive():
        pool.send(step.worker, {BEHAVIOR: sent.action})


def _cpu_s(worker: psutil.Process) -> float:
    times = worker.cpu_times()
    return time.process_time() + times.user + times.system


def wall_rate(learn: Path, environments: int, summary_steps: int, summaries: int, *flags: str) -> float:
    """Train through the wire, up to some summary; return agent steps per second from the second one on."""
    points: list[tuple[int, float]] = []
    behavior = official.behavior(buffer_size=summary_steps) | {"summary_freq": summary_steps}
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "3DBall.yaml"
        configuration.write_text(json.dumps({"behaviors": {"3DBall": behavior}}))
        arguments = [str(configuration), f"--env={SERVED}", f"--num-envs={environments}", "--run-id=bench", "--seed=1"]
        arguments += [f"--results-dir={folder}", f"--base-port={free_port()}", "--no-graphics", *flags]
        paths = [str(Path(sys.executable).parent), os.environ["PATH"]]  # where the served environment is
        environment = os.environ | {"PYTHONUNBUFFERED": "1", "PATH": os.pathsep.join(paths)}
        with subprocess.Popen(
            [str(learn), *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            for line in process.stdout or ():
                if found := PROGRESS.search(line):
                    points.append((int(found[1]), float(found[2])))
                    if len(points) == summaries:
                        break
            _end(process)
    (first_steps, first_s), (last_steps, last_s) = points[1], points[-1]
    return (last_steps - first_steps) / (last_s - first_s)


def _end(process: subprocess.Popen[str]) -> None:
    """End a trainer, which saves or fails to, and whatever it leaves behind."""
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
    _, left = psutil.wait_procs(family, timeout=10)
    for member in left:
        member.kill()


def training_figures(summary_steps: int, summaries: int) -> list[Figure]:
    """Return our training through the wire against the official one."""
    learn = Path(sys.executable).with_name("mlagents-learn")
    official_learn = official_install.program("mlagents-learn")
    figures = []
    for environments in (1, 2):
        ours = wall_rate(learn, environments, summary_steps, summaries)
        theirs = wall_rate(official_learn, environments, summary_steps, summaries, "--torch-device=cpu")
        title = f"3DBall over the wire, {environments} environment{'s' * (environments > 1)}"
        figures += [
            Figure(f"{title}: ours / official, steps per second", ratio(ours, theirs), "x", at_least=4.0),
            Figure(f"{title}: ours", ours, "1/s"),
            Figure(f"{title}: official", theirs, "1/s"),
        ]
    return figures


def main() -> None:
    quick = measure.arguments(__doc__).quick
    official_install.program("python")
    seconds = 1.0 if quick else 10.0
    sent = messages(AGENTS)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        figures = exchange_figures(folder, sent, seconds)
        figures += decode_figures(folder, AGENTS, seconds / 2)
        figures += decode_figures(folder, 128, seconds / 2, at_least=20.0)
        figures += waiting_figures(folder, sent, seconds)
    figures += training_figures(3000, 4) if quick else training_figures(official.SUMMARY_STEPS, 6)
    measure.emit("exchange", figures)


if __name__ == "__main__":
    main()
