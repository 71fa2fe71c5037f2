"""The controls of the page: watching, who plays, teaching, and the environment's parameters.

What is clicked comes on threads of viser; it becomes an order, which the thread of the play carries out between two
decisions. `refresh` is called by that thread, too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from mlagents.viewing.browser_html import recordings_markdown, status_markdown
from mlagents.viewing.browser_keys import KeyField
from mlagents.viewing.cast import UNREADABLE, ChosenCast
from mlagents.viewing.pace import Pace
from mlagents.viewing.session import AgentName, Session

FASTEST: Final = "as fast as it goes"
SPEEDS: Final = {"0.1 x": 0.1, "0.25 x": 0.25, "0.5 x": 0.5, "1 x": 1.0, "2 x": 2.0, "5 x": 5.0, FASTEST: math.inf}

Give = Callable[[Callable[[], None]], None]
"""Takes an order."""


class Range(Protocol):
    """One environment parameter."""

    @property
    def doc(self) -> str:
        """What it is, with its unit."""

    @property
    def default(self) -> float:
        """Its value until somebody says otherwise."""

    @property
    def low(self) -> float:
        """Smallest value allowed."""

    @property
    def high(self) -> float:
        """Largest value allowed."""


def title_of(agent: AgentName) -> str:
    """Return what people call an agent."""
    name, _, team = agent.behavior.partition("?team=")
    of_team = f" (team {team})" if team not in ("", "0") else ""
    return f"{name}{of_team}, agent {agent.agent_id}"


class WatchTab:
    """Pause, step, speed, reset, and who is looked at.

    Args:
      gui: of viser, in whose present container the tab's contents go.
      session: that is looked at.
      pace: of it.
      scene: has `look_at_everything`, `can_follow`.
      give: takes orders.
      cast: who plays.
    """

    def __init__(self, gui: Any, session: Session, pace: Pace, scene: Any, give: Give, cast: ChosenCast) -> None:
        self._session, self._pace, self._scene, self._give, self._cast = session, pace, scene, give, cast
        self._agents: list[AgentName] = []
        self._status: Any = gui.add_markdown("")
        self._pause: Any = gui.add_button("Pause", hint="stop time, or let it go on")
        self._step: Any = gui.add_button("Step", hint="stop time, and let one decision be taken")
        self._reset: Any = gui.add_button("Reset", hint="begin all episodes anew")
        self._speed: Any = gui.add_dropdown("speed", tuple(SPEEDS), initial_value="1 x")
        self._agent: Any = gui.add_dropdown("agent", ("-",))
        self.follows: Any = gui.add_checkbox("follow it", False, hint="keep the agent where it is in the picture")
        self.shows_rays: Any = gui.add_checkbox("its rays", True, hint="draw what the agent's rays see")
        self._everything: Any = gui.add_button("Look at everything", hint="move the camera to where it began")
        self._likely: Any = gui.add_checkbox("most likely actions", session.deterministic, hint="do not sample")
        self._pause.on_click(lambda _: give(self._toggle))
        self._step.on_click(lambda _: give(pace.ask_step))
        self._reset.on_click(lambda _: give(session.reset))
        self._speed.on_update(lambda _: give(self._set_speed))
        self._agent.on_update(_if_by_people(give, self._choose))
        self._everything.on_click(lambda _: give(self._look_at_everything))
        self._likely.on_update(lambda _: give(self._set_likely))

    def refresh(self) -> None:
        """Show how it stands."""
        session = self._session
        _set(self._pause, "label", "Go on" if self._pace.paused else "Pause")
        self._list_agents()
        chosen = session.chosen
        if chosen is None:
            _set(self._status, "content", "no agent yet")
            return
        player = "you" if chosen == session.taken else self._cast.describe(chosen.behavior)
        score = session.score(chosen)
        text = status_markdown(title_of(chosen), score, session.ended(chosen.behavior), player)
        if not session.has_played:
            text += "  \n*getting ready: code is compiled before the first decision of all*"
        _set(self._status, "content", text)
        _set(self.follows, "disabled", not self._scene.can_follow(chosen))

    def _list_agents(self) -> None:
        agents = self._session.agents
        if agents and agents != self._agents:
            self._agents = agents
            self._agent.options = tuple(map(title_of, agents))
        chosen = self._session.chosen
        if chosen is not None and chosen in agents:
            _set(self._agent, "value", title_of(chosen))

    def _toggle(self) -> None:
        self._pace.paused = not self._pace.paused

    def _set_speed(self) -> None:
        self._pace.speed = SPEEDS[self._speed.value]

    def _set_likely(self) -> None:
        self._session.deterministic = bool(self._likely.value)

    def _choose(self) -> None:
        found = [agent for agent in self._agents if title_of(agent) == self._agent.value]
        if found:
            self._session.choose(found[0])

    def _look_at_everything(self) -> None:
        self.follows.value = False
        self._scene.look_at_everything()


class PlayersTab:
    """Who plays which behavior: one choice per team.

    Args:
      gui: of viser.
      cast: changed by it.
      tell: shows a problem to people.
      give: takes orders.
    """

    def __init__(self, gui: Any, cast: ChosenCast, tell: Callable[[str], None], give: Give) -> None:
        self._cast, self._tell = cast, tell
        self._choices: dict[str, Any] = {}
        for behavior, label in cast.chosen.items():
            choice = gui.add_dropdown(_with_team(behavior), cast.options(behavior), initial_value=label)
            choice.on_update(_if_by_people(give, functools.partial(self._choose, behavior)))
            self._choices[behavior] = choice
        self._text: Any = gui.add_markdown("")

    def refresh(self) -> None:
        """Show who plays now."""
        lines = [f"{_with_team(behavior)}: {self._cast.describe(behavior)}" for behavior in self._choices]
        _set(self._text, "content", "  \n".join(line.replace("_", "\\_") for line in lines))

    def _choose(self, behavior: str) -> None:
        choice = self._choices[behavior]
        try:
            self._cast.choose(behavior, choice.value)
        except UNREADABLE as error:
            choice.value = self._cast.chosen[behavior]
            self._tell(str(error))


class TeachTab:
    """Take over an agent by keys or buttons, and record that.

    Args:
      gui: of viser.
      session: in which an agent is taken over.
      keys: what keys mean, by behavior.
      key_field: gathers keys.
      tell: shows a problem to people.
      give: takes orders.
    """

    def __init__(
        self,
        gui: Any,
        session: Session,
        keys: Mapping[str, Sequence[Any]],
        key_field: KeyField,
        tell: Callable[[str], None],
        give: Give,
    ) -> None:
        self._gui, self._session, self._keys, self._field, self._tell = gui, session, keys, key_field, tell
        self._take: Any = gui.add_button("Take over", hint="play the agent that is looked at")
        self._record: Any = gui.add_button("Record", hint="write what you do to a .demo file", visible=False)
        self._buttons: Any = gui.add_folder("keys, and buttons to hold", visible=False)
        self._shown: list[Any] = []
        self._list: Any = gui.add_markdown("")
        self._take.on_click(lambda _: give(self._take_or_give_back))
        self._record.on_click(lambda _: give(self._start_or_stop))

    def refresh(self) -> None:
        """Show how it stands."""
        session = self._session
        chosen, taken = session.chosen, session.taken
        _set(self._take, "label", "Take over" if taken is None else f"Give {title_of(taken)} back")
        _set(self._take, "disabled", taken is None and (chosen is None or chosen.behavior not in session.playable))
        _set(self._record, "visible", taken is not None)
        _set(self._record, "label", "Stop recording" if session.teacher.is_recording else "Record")
        _set(self._record, "color", "red" if session.teacher.is_recording else None)
        recordings = session.teacher.recordings
        text = recordings_markdown(recordings, session.teacher.is_recording)
        if not session.playable:
            text = "*no keys are known for these agents, so that nobody can take them over*"
        _set(self._list, "content", text)

    def _take_or_give_back(self) -> None:
        session = self._session
        if session.taken is not None:
            session.release()
            self._field.ignore()
        elif session.chosen is not None and session.chosen.behavior in session.playable:
            session.take_over(session.chosen)
            keys = self._keys[session.chosen.behavior]
            self._field.listen([name for each in keys for name in each.names])
            self._show_buttons(keys)
        self._buttons.visible = session.taken is not None

    def _start_or_stop(self) -> None:
        if self._session.teacher.is_recording:
            self._session.teacher.stop()
            return
        try:
            self._session.record()
        except (OSError, ValueError) as error:
            self._tell(str(error))

    def _show_buttons(self, keys: Sequence[Any]) -> None:
        for button in self._shown:
            button.remove()
        self._shown = []
        with self._buttons:
            for each in keys:
                button = self._gui.add_button(f"{each.meaning} ({' or '.join(each.names)})")
                button.on_hold(lambda _, name=each.names[0]: self._session.hands.touch(name), callback_hz=10.0)
                self._shown.append(button)


class ParametersTab:
    """Environment parameters as sliders.

    Args:
      gui: of viser.
      ranges: of the parameters, by name.
      change: tells the environment a new value, by an order.
      give: takes orders.
    """

    def __init__(self, gui: Any, ranges: Mapping[str, Range], change: Callable[[str, float], None], give: Give) -> None:
        self._sliders: dict[str, Any] = {}
        self._ranges = ranges
        if not ranges:
            gui.add_markdown("*this environment has no parameters*")
            return
        gui.add_markdown("New values hold from where the environment reads them: mostly from the next episode on.")
        for name, each in ranges.items():
            slider = gui.add_slider(
                name, each.low, each.high, step=_step(each.low, each.high), initial_value=each.default, hint=each.doc
            )
            slider.on_update(lambda _, n=name, s=slider: give(lambda: change(n, float(s.value))))
            self._sliders[name] = slider
        defaults = gui.add_button("Defaults")
        defaults.on_click(lambda _: self._reset())

    def _reset(self) -> None:
        for name, slider in self._sliders.items():
            slider.value = self._ranges[name].default


def _with_team(behavior: str) -> str:
    """Return a behavior's name and team in words."""
    return behavior.replace("?team=", " team ")


def _step(low: float, high: float) -> float:
    """Return about a thousandth of a range, as a power of ten."""
    return float(10.0 ** math.floor(math.log10(max(high - low, 1e-9) / 100.0)))


def _if_by_people(give: Give, order: Callable[[], None]) -> Callable[[Any], None]:
    """Return what heeds a change that somebody made on the page, not one that the program made."""

    def heed(event: Any) -> None:
        if event.client is not None:
            give(order)

    return heed


def _set(handle: Any, name: str, value: Any) -> None:
    """Set a property if it is another one: every setting is a message."""
    if getattr(handle, name) != value:
        setattr(handle, name, value)
