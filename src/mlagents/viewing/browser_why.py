"""Why does it do that: what the agent sees, does and thinks, and how that went, as live plots."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from mlagents.viewing.browser_html import action_html, choice_meanings, observations_html
from mlagents.viewing.session import AgentName, Moment, Score, Session
from mlagents_envs.base_env import BehaviorSpec
from mlagents_envs.spectating import RayFan

SHOWN_DECISIONS: Final = 300
_SCALES: Final[Any] = {"x": {"time": False}}
_LEGEND: Final[Any] = {"live": False}  # otherwise it says nothing but dashes until the pointer is over a line
_COLORS: Final = ("#4a90d9", "#e08a3c", "#5aa469", "#b0529c", "#c9463d", "#3ca5a5", "#8a7a3c", "#6b6bd6")


class Plot:
    """Lines over the last decisions.

    Args:
      gui: of viser.
      title: of the plot.
    """

    def __init__(self, gui: Any, title: str) -> None:
        self._gui, self._title = gui, title
        self._names: tuple[str, ...] = ()
        self._rows: deque[tuple[float, ...]] = deque(maxlen=SHOWN_DECISIONS)
        self._plot: Any = None
        self._changed = False

    def add(self, values: Mapping[str, float]) -> None:
        """Add what a decision gave; other names than before begin a new plot."""
        names = tuple(values)
        if names != self._names:
            self.clear()
            self._names = names
        if names:
            self._rows.append(tuple(values.values()))
            self._changed = True

    def clear(self) -> None:
        """Forget everything."""
        self._rows.clear()
        self._names = ()
        self._changed = True

    def refresh(self) -> None:
        """Send what is new."""
        if not self._changed:
            return
        self._changed = False
        if len(self._rows) < 2:
            self._remove()
            return
        columns = np.array(self._rows, np.float64).T
        data = (np.arange(-len(self._rows) + 1, 1, dtype=np.float64), *map(np.ascontiguousarray, columns))
        if self._plot is not None and len(self._plot.data) == len(data) and self._labels() == self._names:
            self._plot.data = data
            return
        self._remove()
        self._plot = self._gui(data, self._series(), self._title)

    def _labels(self) -> tuple[str, ...]:
        return tuple(series["label"] for series in self._plot.series[1:])

    def _series(self) -> tuple[dict[str, Any], ...]:
        lines = ({"label": n, "stroke": _COLORS[i % len(_COLORS)], "width": 2} for i, n in enumerate(self._names))
        return ({"label": "decision"}, *lines)

    def _remove(self) -> None:
        if self._plot is not None:
            self._plot.remove()
            self._plot = None


class WhyPanel:
    """What the agent that is looked at sees and thinks.

    Args:
      gui: of viser.
      container: where it goes; a tab.
      session: that is looked at.
      keys: what keys mean, by behavior.
      fans: rays behind observations of a behavior.
    """

    def __init__(
        self, gui: Any, container: Any, session: Session, keys: Mapping[str, Sequence[Any]], fans: Any
    ) -> None:
        self._session, self._fans = session, fans
        self._meanings = {behavior: choice_meanings(each) for behavior, each in keys.items()}
        self._agent: AgentName | None = None
        self._moment: Moment | None = None
        self._end: Score | None = None
        self._shown: Moment | None = None
        self._largest: list[float] = []
        with container:
            folders = [gui.add_folder(title) for title in ("what it does", "what it sees", "how it went")]
            with folders[0]:
                self._action: Any = gui.add_html("")
            with folders[1]:
                self._observation: Any = gui.add_html("")

        def add(data: Any, series: Any, title: str) -> Any:
            with folders[2]:
                return gui.add_uplot(
                    data, series, title=title, height=150, scales=_SCALES, legend=_LEGEND, padding=(10, 4, 0, 0)
                )

        titles = ("reward since the episode began", "value estimate", "probability of what it does", "actions")
        self._reward, self._value, self._chance, self._numbers = (Plot(add, title) for title in titles)

    def listen(self) -> None:
        """Take in the newest decision, and what the episode ended with; called after each step."""
        agent, moment = self._session.chosen, self._session.moment
        if agent != self._agent:
            self._agent, self._largest = agent, []
            for plot in self._plots:
                plot.clear()
        if moment is not None and moment is not self._moment and agent is not None:
            self._take_in(moment)
        self._plot_end(self._session.last_end)

    def _take_in(self, moment: Moment) -> None:
        self._moment = moment
        if not self._largest:
            self._largest = [1e-6] * len(moment.obs)
        self._largest = [
            max(largest, float(np.abs(column).max(initial=0.0)))
            for largest, column in zip(self._largest, moment.obs, strict=True)
        ]
        self._reward.add(_rewards(moment.score))
        self._plot_thoughts(moment)

    def _plot_end(self, end: Score | None) -> None:
        """Add what came last in an episode, to which no decision belongs any more."""
        if end is not None and end is not self._end:
            self._reward.add(_rewards(end))
        self._end = end

    def _plot_thoughts(self, moment: Moment) -> None:
        why, action = moment.explanation, moment.action
        self._numbers.add({f"action {i}": float(value) for i, value in enumerate(action.continuous[0])})
        if why is None:
            self._value.add({})
            self._chance.add({})
            return
        self._value.add(why.values)
        chances = enumerate(zip(why.probabilities, action.discrete[0].tolist(), strict=True))
        self._chance.add({f"branch {branch}": float(each[choice]) for branch, (each, choice) in chances})

    def refresh(self) -> None:
        """Show what was taken in; nothing after a reset, and of another agent, until it has decided."""
        if self._session.moment is None and self._shown is not None:
            self._moment = self._shown = None
            self._action.content = self._observation.content = ""
        moment, agent = self._moment, self._agent
        if moment is None or moment is self._shown or agent is None or agent.behavior not in self._session.specs:
            return
        self._shown = moment
        spec: BehaviorSpec = self._session.specs[agent.behavior]
        meanings = self._meanings.get(agent.behavior, {})
        self._action.content = action_html(
            spec.action_spec, moment.action, moment.explanation, meanings, by_person=moment.by_person
        )
        fans: Mapping[int, RayFan] = self._fans(agent.behavior)
        self._observation.content = observations_html(spec.observation_specs, moment.obs, fans, self._largest)
        for plot in self._plots:
            plot.refresh()

    @property
    def _plots(self) -> tuple[Plot, ...]:
        return self._reward, self._value, self._chance, self._numbers


def _rewards(score: Score) -> dict[str, float]:
    return {"own": score.own, "group": score.group} if score.in_group else {"own": score.own}
