"""The page in the browser: CPU of the serving process for 12 areas of 3DBall, at 30 frames a second in real time.

A client in another process takes what is sent, without drawing it. CPU is counted per frame, so that the figure does
not depend on what else the machine does; physics, the model's decisions, explanations and panels are in it.
"""

from __future__ import annotations

import measure  # settles the number of threads

# isort: split
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from measure import Figure

from mlagents.viewing.browser import FRAMES_PER_SECOND, LOOPBACK, Address, Show, open_server
from mlagents.viewing.candidates import Files
from mlagents.viewing.cast import ChosenCast
from mlagents.viewing.hands import Hands
from mlagents.viewing.session import Session
from mlagents.viewing.teaching import Teacher
from mlagents_envs.registry import default_registry

AREAS = 12
CLIENT = """
import sys, viser
from websockets.sync.client import connect
with connect(sys.argv[1], subprotocols=["viser-v" + viser.__version__], max_size=None) as page:
    print("connected", flush=True)
    for _ in page: pass
"""


def main() -> None:
    seconds = 3.0 if measure.arguments(__doc__).quick else 20.0
    entry = default_registry["3DBall"]
    env = entry.make(num_areas=AREAS)
    cast = ChosenCast([Files("model", {"3DBall": entry.pretrained})], env.behavior_specs)
    session = Session(env, cast, Hands(), Teacher(Path(tempfile.gettempdir()) / "never.demo"))
    with open_server(Address(LOOPBACK, 0), "3DBall") as server:
        show = Show(server, env, session, cast, "3DBall", lambda name, value: None, run_idle=True)
        command = [sys.executable, "-c", CLIENT, f"ws://{LOOPBACK}:{server.get_port()}"]
        client = subprocess.Popen(command, stdout=subprocess.PIPE)
        try:
            assert client.stdout is not None
            client.stdout.readline()
            frames, cpu_s, wall_s = _measure(show, seconds)
        finally:
            client.kill()
            client.wait()
    share = 100.0 * cpu_s / frames * FRAMES_PER_SECOND
    measure.emit(
        "page",
        [
            Figure(f"{AREAS} areas of 3DBall at {FRAMES_PER_SECOND:g} frames a second: CPU of one core", share, "%"),
            Figure(f"{AREAS} areas of 3DBall: frames a second that came about", frames / wall_s, "1/s"),
        ],
    )


def _measure(show: Show, seconds: float) -> tuple[int, float, float]:
    """Play in real time; return frames, CPU and wall seconds, without the first second, in which much is made once."""
    stop = threading.Event()
    frames: list[tuple[int, float, float]] = []

    def watch() -> None:
        for wanted in (FRAMES_PER_SECOND, FRAMES_PER_SECOND * (seconds + 1.0)):
            while show.frames < wanted:
                time.sleep(0.01)
            frames.append((show.frames, time.process_time(), time.perf_counter()))
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    show.run(stop)
    (first, cpu, wall), (last, cpu_after, wall_after) = frames
    return last - first, cpu_after - cpu, wall_after - wall


if __name__ == "__main__":
    main()
