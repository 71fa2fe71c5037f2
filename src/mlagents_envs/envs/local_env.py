"""What environments of other libraries share in this process: resets, steps, side channels without effect."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from mlagents_envs.base_env import ActionTuple, BehaviorName, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel, decode_parameter
from mlagents_envs.side_channel.framing import iter_frames
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager
from mlagents_envs.stepped_env import Report, SteppedEnv

logger = get_logger(__name__)


class LocalEnv(SteppedEnv):
    """A `BaseEnv` but for three methods: how it resets, how it advances, how it closes.

    Args:
      side_channels: Nothing here listens to them; an environment parameter is answered by a warning.
    """

    def __init__(self, side_channels: list[SideChannel] | None = None) -> None:
        super().__init__()
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
          UnityEnvironmentException: The environment is closed.
        """
        self._check_open()
        self._pending.clear()
        self._publish(self._reset())

    def step(self) -> None:
        """Advance until at least one agent reports; the first step ever resets.

        Raises:
          UnityEnvironmentException: The environment is closed.
        """
        if not self._reports:
            self.reset()
            return
        self._check_open()
        self._publish(self._advance(self._take_actions()))

    def close(self) -> None:
        """Close the environment; may be called again."""
        if not self._closed:
            self._closed = True
            self._close()

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
