"""A page in the browser that shows an environment while it is played; see `docs/browser.md`."""

from __future__ import annotations

import contextlib
import functools
import io
import queue
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlagents.errors import UsageError
from mlagents.viewing.browser_keys import KeyField
from mlagents.viewing.browser_scene import PictureScene, SpaceScene
from mlagents.viewing.browser_tabs import ParametersTab, PlayersTab, Range, TeachTab, WatchTab
from mlagents.viewing.browser_why import WhyPanel
from mlagents.viewing.cast import ChosenCast
from mlagents.viewing.pace import FrameClock, Pace
from mlagents.viewing.session import Session
from mlagents_envs.base_env import BaseEnv
from mlagents_envs.exception import UnityException
from mlagents_envs.spectating import Spectacle

LOOPBACK: Final = "127.0.0.1"
FIRST_PORT: Final = 8080
FRAMES_PER_SECOND: Final = 30.0
PANELS_PER_SECOND: Final = 5.0
FOLLOW_EVERY_S: Final = 1.0
IDLE_S: Final = 0.02
NOBODY_LOOKS_S: Final = 0.2


class Address(NamedTuple):
    """Where the page is served.

    Attributes:
      host: address of this machine to listen on.
      port: None for the first that is free from `FIRST_PORT` on, 0 for any.
    """

    host: str = LOOPBACK
    port: int | None = None


@contextlib.contextmanager
def open_server(address: Address, title: str) -> Iterator[Any]:
    """Serve an empty page.

    Raises:
      UsageError: viser is not installed, or the port is taken.
    """
    try:
        import viser
    except ImportError as error:
        raise UsageError(f"looking in the browser needs viser ({error}): pip install 'mlagents-jax[view]'") from error
    host, port = address.host, FIRST_PORT if address.port is None else address.port
    _check_free(host, port if address.port else 0)
    with contextlib.redirect_stdout(io.StringIO()):  # it says where it is; that is for the caller to say
        server: Any = viser.ViserServer(host=host, port=port, label=title, verbose=False)
    try:
        yield server
    finally:
        with contextlib.redirect_stdout(io.StringIO()):
            server.stop()


def _check_free(host: str, port: int) -> None:
    """Raise UsageError if the port is taken, or the address is none of this machine: viser would take another one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except OSError as error:
        raise UsageError(
            f"cannot serve the page on {host}:{port}: {error.strerror or error}; choose another --port, or leave it out"
            " for the first that is free"
        ) from error


class Show:
    """An environment that is played on a page.

    Args:
      server: of viser.
      env: to be played; the caller closes it. It is reset here.
      session: plays it.
      cast: who plays.
      title: of the page.
      change: tells the environment a parameter.
      run_idle: play on when no page is open, too.

    Attributes:
      pace: of the play.
    """

    def __init__(
        self,
        server: Any,
        env: BaseEnv,
        session: Session,
        cast: ChosenCast,
        title: str,
        change: Callable[[str, float], None],
        *,
        run_idle: bool = False,
    ) -> None:
        self._server, self._env, self.session, self._cast = server, env, session, cast
        self._run_idle = run_idle
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.pace = Pace()
        self._frames, self._panels = FrameClock(FRAMES_PER_SECOND), FrameClock(PANELS_PER_SECOND)
        self._follow = FrameClock(1.0 / FOLLOW_EVERY_S)
        session.reset()
        self._spectacle: Spectacle | None = None
        if isinstance(env, Spectacle) and env.bodies() is not None:
            self._spectacle = env
        self._step_seconds = float(getattr(env, "step_seconds", 0.1))
        self._is_watched = hasattr(env, "watch")
        if self._is_watched:
            self._env_any.watch(self._look, 1)
        self._scene = self._make_scene()
        server.on_client_connect(self._welcome)
        self._lay_out(title, change)

    @property
    def frames(self) -> int:
        """How many frames were sent."""
        return self._frames.frames

    def run(self, stop: threading.Event) -> None:
        """Play until told to stop."""
        self._show()  # before the first decision, which may have to be compiled
        while not stop.is_set():
            self._obey()
            if not self._run_idle and not self._server.get_clients():
                stop.wait(NOBODY_LOOKS_S)
                self.pace.rest()
            elif self.session.waits_for_person or not self.pace.may_step():
                self._show()
                stop.wait(IDLE_S)
                self.pace.rest()
            else:
                self.session.step()
                self._why.listen()
                if not self._is_watched:
                    self._look()
            if self._follow.is_due():
                for problem in self._cast.follow():
                    self._tell(problem)

    def give(self, order: Callable[[], None]) -> None:
        """Have something done between two decisions, by the thread that plays."""
        self._orders.put(order)

    @property
    def _env_any(self) -> Any:
        return self._env

    def _welcome(self, client: Any) -> None:
        client.camera.on_update(lambda _: self.give(functools.partial(self._scene.fit, client)))

    def _make_scene(self) -> Any:
        if self._spectacle is not None:
            return SpaceScene(self._server, self._spectacle)
        if hasattr(self._env, "picture"):
            with contextlib.suppress(UnityException):  # there is nothing to be drawn
                return PictureScene(self._server, self._env)
        return NoScene(self._server)

    def _lay_out(self, title: str, change: Callable[[str, float], None]) -> None:
        gui = self._server.gui
        gui.configure_theme(control_width="medium", show_logo=False, show_share_button=False)
        gui.set_panel_label(title)
        keys: Mapping[str, Any] = getattr(self._env, "keys", {})
        ranges: Mapping[str, Range] = getattr(self._env, "parameters", {})
        field = KeyField(gui, self.session.hands)
        tabs = gui.add_tab_group()
        with tabs.add_tab("Watch"):
            self._watch = WatchTab(gui, self.session, self.pace, self._scene, self.give, self._cast)
        with tabs.add_tab("Players"):
            self._players = PlayersTab(gui, self._cast, self._tell, self.give)
        with tabs.add_tab("Teach"):
            self._teach = TeachTab(gui, self.session, keys, field, self._tell, self.give)
        with tabs.add_tab("World"):
            ParametersTab(gui, ranges, change, self.give)
        panel = gui.add_panel()
        self._why = WhyPanel(gui, panel.add_tab("Why it does that"), self.session, keys, self._fans)
        gui.main_panel.dock_right()
        panel.dock_left()

    def _fans(self, behavior: str) -> Mapping[int, Any]:
        return {} if self._spectacle is None else self._spectacle.ray_fans(behavior)

    def _obey(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._orders.get_nowait()()

    def _look(self) -> None:
        """Keep pace, and show what there is when a frame is due; called at every physics step."""
        self._show()
        self.pace.wait(self._step_seconds)

    def _show(self) -> None:
        if not self._frames.is_due():
            return
        self._scene.show()
        chosen, moment = self.session.chosen, self.session.moment_of_episode
        rays: dict[int, NDArray[np.float32]] = {}
        if moment is not None and chosen is not None and self._watch.shows_rays.value:
            rays = {place: moment.obs[place] for place in self._fans(chosen.behavior)}
        self._scene.show_agent(chosen, rays, bool(self._watch.follows.value))
        if self._panels.is_due():
            for part in (self._watch, self._players, self._teach, self._why):
                part.refresh()

    def _tell(self, problem: str) -> None:
        for client in self._server.get_clients().values():
            client.add_notification("mlagents", problem, color="red", auto_close_seconds=12.0)


class NoScene:
    """Nothing to be seen: the environment draws nothing here, and the page shows what agents observe and do.

    Args:
      server: of viser.
    """

    def __init__(self, server: Any) -> None:
        server.gui.add_markdown("This environment cannot be seen from here; look at its own window.")

    def show(self) -> None:
        """Do nothing."""

    def show_agent(self, *_: object) -> None:
        """Do nothing."""

    def can_follow(self, agent: object) -> bool:
        """Return False."""
        return False

    def look_at_everything(self) -> None:
        """Do nothing."""

    def fit(self, client: object) -> None:
        """Do nothing."""


def free_demo_path(environment: str) -> Path:
    """Return where recordings of an environment go if nobody says otherwise: `NAME.demo` here."""
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in Path(environment).stem)
    return Path(f"{plain or 'recording'}.demo")


def url(server: Any, host: str) -> str:
    """Return the address for the browser."""
    shown = "127.0.0.1" if host in ("0.0.0.0", "") else "[::1]" if host == "::" else host
    return f"http://{shown}:{server.get_port()}"
