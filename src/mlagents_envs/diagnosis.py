"""Why an environment does not answer: what is known, and what usually is the cause."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

_PROXIES = ("grpc_proxy", "http_proxy", "https_proxy", "all_proxy")
_TAIL_BYTES = 8192
_TAIL_LINES = 25


def silence(
    *,
    waited_s: float,
    connected_to: str | None,
    from_editor: bool,
    no_graphics: bool,
    variables: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
) -> str:
    """Return what to say when nothing came from a running environment.

    Args:
      waited_s: how long.
      connected_to: the Unity package version the environment reported; None if it never connected.
      from_editor: we did not start it ourselves.
      no_graphics: it was started without graphics.
      variables: the environment variables.
      platform: as `sys.platform`.
    """
    if connected_to is None:
        head = f"The environment did not connect within {waited_s:g} seconds."
        causes = _before_connection(from_editor, no_graphics, variables, platform)
    else:
        head = f"The environment is connected, but sent nothing for {waited_s:g} seconds."
        causes = _after_connection(connected_to, from_editor)
    causes.append("It only needs longer: raise timeout_wait (--timeout-wait).")
    return "\n".join([head, "Usual causes:", *(f"  - {cause}" for cause in causes)])


def _before_connection(from_editor: bool, no_graphics: bool, variables: Mapping[str, str], platform: str) -> list[str]:
    causes = []
    if from_editor:
        causes.append("Play was not pressed in the Unity editor, or the editor shows a compile error.")
        causes.append("The editor uses another port than this program (project settings, ML-Agents).")
    else:
        causes.append("It waits for a user: a dialog, a menu, a launcher.")
        causes.append("It has no agents, or was built without the com.unity.ml-agents package.")
    causes.append("Its package speaks another version of the protocol: com.unity.ml-agents 1.0 to 4.x fit.")
    if not from_editor and _lacks_display(no_graphics, variables, platform):
        causes.append("There is no display: use no_graphics=True (--no-graphics), or start under xvfb-run.")
    names = {name.lower(): name for name, value in variables.items() if value}
    proxies = [names[proxy] for proxy in _PROXIES if proxy in names]
    if proxies and "localhost" not in variables.get(names.get("no_proxy", "no_proxy"), ""):
        causes.append(f"A proxy is in the way ({', '.join(proxies)}): set no_proxy=localhost,127.0.0.1.")
    return causes


def early_exit(
    program: Path,
    *,
    no_graphics: bool,
    variables: Mapping[str, str] = os.environ,
    platform: str = sys.platform,
) -> str:
    """Return what to say of a program that ended before it connected.

    Args:
      program: what was started.
      no_graphics: it was started without graphics.
      variables: the environment variables.
      platform: as `sys.platform`.
    """
    causes = [
        "It is no environment: a build with the com.unity.ml-agents package connects, and so does a program that uses "
        "mlagents_envs.serve; environments in Python have names or files (mlagents envs)."
    ]
    data = program.with_name(f"{program.stem}_Data")
    if platform != "darwin" and not data.is_dir():
        causes.append(f"It is a Unity build that was moved without its folder {data.name}.")
    if _lacks_display(no_graphics, variables, platform):
        causes.append("There is no display: use no_graphics=True (--no-graphics), or start under xvfb-run.")
    causes.append("Its window was closed, or another copy of it runs that allows no second one.")
    return "\n".join([f"{program} ended before it connected. Usual causes:", *(f"  - {cause}" for cause in causes)])


def _lacks_display(no_graphics: bool, variables: Mapping[str, str], platform: str) -> bool:
    has_display = variables.get("DISPLAY") or variables.get("WAYLAND_DISPLAY")
    return platform.startswith("linux") and not (no_graphics or has_display)


def _after_connection(package_version: str, from_editor: bool) -> list[str]:
    causes = ["No agent asks for decisions: set Behavior Type to Default, and check the decision requester."]
    causes.append("It hangs: an endless loop, a breakpoint, a dialog, or a scene that is still loading.")
    if from_editor:
        causes.append("The editor is paused, or in the background with Run In Background off.")
    if package_version.startswith("1.0."):
        causes.append(f"Unity package {package_version} refuses newer trainers: use 1.0.7 or 1.1 and later.")
    return causes


def tail(text: str, source: str) -> str:
    """Return the last lines of a log, with a headline; empty if there are none."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()][-_TAIL_LINES:]
    return "\n".join([f"Last lines of {source}:", *(f"  {line}" for line in lines)]) if lines else ""


def read_end(path: Path) -> str:
    """Return the end of a text file; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            return file.read().decode(errors="replace")
    except OSError:
        return ""
