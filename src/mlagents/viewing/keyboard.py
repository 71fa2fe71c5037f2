"""A person plays: keys become actions, in real time or turn by turn, and the scene is shown."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from mlagents.viewing.recording import Watchable
from mlagents.viewing.seat import ESCAPE, Seat

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mlagents_envs.base_env import ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps

LOOK_EVERY_S: Final = 0.04
TURN_POLL_S: Final = 0.02
PAUSE_AFTER_EPISODE_S: Final = 0.7
MAKES_UP_FOR_S: Final = 0.3  # of time that drawing took; what is beyond is lost
LARGEST_SHARE_OF_DRAWING: Final = 0.5


class Keys(Protocol):
    """One or more keys that all mean the same."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the keys, such as `up`, `space` or `w`."""

    @property
    def meaning(self) -> str:
        """What pressing them does, in a few words for the player."""


class Playable(Watchable, Protocol):
    """An environment that people can play; one of `mlagents_sim` is playable if it declares keys."""

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Behavior name -> spec."""

    @property
    def keys(self) -> Mapping[str, Sequence[Keys]]:
        """What keys mean, by behavior."""

    @property
    def turn_based(self) -> bool:
        """Whether time stands still until the player has decided."""

    def hold_keys(self, names: Sequence[str]) -> None:
        """Tell which keys the player holds, the newest last."""

    def heuristic(self, behavior_name: str) -> ActionTuple:
        """Return what these keys mean for the agents that wait."""

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        """Return what the agents reported last."""


class Game:
    """Keeps the pace of an environment, shows it, and gathers the player's keys.

    Args:
      env: is watched from its next reset on.
      seat: of the player.
    """

    def __init__(self, env: Playable, seat: Seat) -> None:
        self._env = env
        self._seat = seat
        every = max(1, round(LOOK_EVERY_S / env.step_seconds))
        self._seconds_per_look = every * env.step_seconds
        self._due = 0.0
        self._next_picture = 0.0
        self._pressed: list[str] = []
        self._has_begun = False
        self._picture: NDArray[np.uint8]
        self._keys = f"{describe_keys(env.keys)}, {ESCAPE}: stop"
        self.status = ""
        env.watch(self._look, every)

    def choose_keys(self) -> list[str]:
        """Return the keys that decide now, the newest last.

        Raises:
          Quit: the player has had enough.
        """
        if not self._has_begun:
            self._begin()
        if self._env.turn_based:
            self._show()
            while not self._pressed:
                self._pressed += self._seat.wait(TURN_POLL_S)
            return [self._pressed.pop(0)]
        held = self._seat.held()
        tapped = [name for name in self._pressed if name not in held]
        self._pressed.clear()
        return tapped + held

    def end_episode(self) -> None:
        """Leave time to see how it ended."""
        self._show()  # the picture is still of the end: it was taken before the next episode began
        self._seat.wait(PAUSE_AFTER_EPISODE_S)
        self._pressed.clear()
        self._picture = self._env.picture(*self._seat.size)
        self._due = time.perf_counter()

    def _begin(self) -> None:
        """Wait for the first key if the game runs in real time."""
        self._has_begun = True
        if self._env.turn_based:
            return
        self.status, status = "press any key to begin", self.status
        self._show()
        while not self._seat.wait(TURN_POLL_S):
            pass
        self.status = status
        self._due = time.perf_counter()

    def _look(self) -> None:
        """Keep pace and show what there is; called by the environment."""
        if self._env.turn_based:
            self._picture = self._env.picture(*self._seat.size)
            return
        now = time.perf_counter()
        if now >= self._next_picture:
            self._picture = self._env.picture(*self._seat.size)
            self._show()
            cost = time.perf_counter() - now
            self._next_picture = now + max(1.0 / self._seat.pictures_per_second, cost / LARGEST_SHARE_OF_DRAWING)
        now = time.perf_counter()
        self._due = max(self._due + self._seconds_per_look, now - MAKES_UP_FOR_S)
        self._pressed += self._seat.wait(self._due - now)

    def _show(self) -> None:
        self._seat.show(self._picture, (self.status, self._keys))


class KeyboardPlayer:
    """Plays a behavior by the keys that a person presses; a `Model`.

    Args:
      env: being played.
      behavior: the one to play.
      game: where keys come from.
    """

    def __init__(self, env: Playable, behavior: str, game: Game) -> None:
        self._env = env
        self._behavior = behavior
        self._game = game
        self._episode = 1
        self._step = 0
        self._reward = 0.0

    def act(self, decision_steps: DecisionSteps, deterministic: bool, rng: np.random.Generator) -> ActionTuple:
        """Return what the keys mean, the same for all agents."""
        self._reward += float(decision_steps.reward[0])
        self._tell()
        self._env.hold_keys(self._game.choose_keys())
        self._step += 1
        return self._env.heuristic(self._behavior)

    def forget(self, agent_ids: Iterable[int]) -> None:
        """Tell how an episode ended, and begin the next."""
        terminal_steps = self._env.get_steps(self._behavior)[1]
        if not len(terminal_steps):
            return
        self._reward += float(terminal_steps.reward[0])
        self._tell()
        self._game.end_episode()
        self._episode, self._step, self._reward = self._episode + 1, 0, 0.0

    def _tell(self) -> None:
        self._game.status = (
            f"{self._behavior.split('?')[0]}: episode {self._episode}, step {self._step}, reward {self._reward:.3f}"
        )


def describe_keys(keys: Mapping[str, Sequence[Keys]]) -> str:
    """Say "up or w: run ahead, left or a: turn left"; what several behaviors have in common is said once."""
    texts = [f"{' or '.join(each.names)}: {each.meaning}" for behavior in keys.values() for each in behavior]
    return ", ".join(dict.fromkeys(texts))
