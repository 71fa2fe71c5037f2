"""What environments of other libraries share in this process: imports, resets, steps, side channels without effect."""

from __future__ import annotations

import importlib
import os
import sys
from abc import abstractmethod
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any, TypeVar

from mlagents_envs.base_env import ActionTuple, BehaviorName, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityEnvironmentException, UnityException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel, decode_parameter
from mlagents_envs.side_channel.framing import iter_frames
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.stepped_env import Report, SteppedEnv
from mlagents_envs.user_errors import describe, user_frames

_Result = TypeVar("_Result")

logger = get_logger(__name__)


class LocalEnv(SteppedEnv):
    """A `BaseEnv` but for three methods: how it resets, how it advances, how it closes.

    Args:
      side_channels: nothing here listens to them; an environment parameter is answered by a warning.
      title: what messages call the environment.
      spaces: what it should return, for messages.
    """

    def __init__(
        self, side_channels: list[SideChannel] | None = None, *, title: str = "The environment", spaces: str = ""
    ) -> None:
        super().__init__()
        self._title = title
        self._spaces = spaces
        self._side_channel_manager = SideChannelManager(side_channels)
        self._unheard: set[str] = set()
        self._closed = False

    @abstractmethod
    def _reset(self) -> dict[BehaviorName, Report]:
        """Begin new episodes, and return what is to be reported; behaviors without agents may be left out."""

    @abstractmethod
    def _advance(self, actions: Mapping[BehaviorName, ActionTuple]) -> dict[BehaviorName, Report]:
        """Do the actions of all agents in the last DecisionSteps, and return the next reports, as `_reset`."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of everything."""

    def reset(self) -> None:
        """Begin a new episode for every agent.

        Raises:
          UnityEnvironmentException: the environment is closed, or raised an exception.
        """
        self._check_open()
        self._pending.clear()
        self._publish(self._guarded("reset()", self._reset))

    def step(self) -> None:
        """Advance until at least one agent reports; the first step ever resets.

        Raises:
          UnityEnvironmentException: the environment is closed, or raised an exception.
        """
        if not self._reports:
            self.reset()
            return
        self._check_open()
        self._publish(self._guarded("step()", self._advance, self._take_actions()))

    def close(self) -> None:
        """Close the environment; may be called again."""
        if not self._closed:
            self._closed = True
            self._close()

    def _guarded(self, doing: str, call: Callable[..., _Result], *args: Any) -> _Result:
        """Return what the call returns; an exception from code of users becomes one sentence with its line."""
        try:
            return call(*args)
        except UnityException as error:
            if self._title in str(error):
                raise
            raise type(error)(f"{self._title}: {error}") from error
        except Exception as error:
            text = f"{self._title}: {doing} failed: {describe(error)}."
            if self._spaces and not user_frames(error):
                text += f" What it returns has another form than it should have: {self._spaces}."
            raise UnityEnvironmentException(text) from error

    def _check_open(self) -> None:
        if self._closed:
            raise UnityEnvironmentException("The environment is closed; make a new one.")
        for channel_id, payload in iter_frames(self._side_channel_manager.generate_side_channel_messages()):
            if channel_id == EnvironmentParametersChannel.CHANNEL_ID:
                self._warn_of_parameter(decode_parameter(payload)[0])

    def _warn_of_parameter(self, name: str) -> None:
        if name not in self._unheard:
            self._unheard.add(name)
            logger.warning(f"Environment parameter {name!r} has no effect: {type(self).__name__} has no parameters.")

    def _publish(self, reports: Mapping[BehaviorName, Report]) -> None:
        self._reports = {
            name: reports.get(name) or (DecisionSteps.empty(spec), TerminalSteps.empty(spec))
            for name, spec in self._specs.items()
        }


def import_module(name: str) -> ModuleType:
    """Import a module, also from the current folder, which is not on the path of an installed command.

    Raises:
      ImportError: there is no such module, or one that it needs.
    """
    here = os.getcwd()
    if here not in sys.path:
        sys.path.append(here)  # at the end: nothing installed is hidden by it
    return importlib.import_module(name)
