"""What environments in this process share: actions waiting for the next step, and the last reports."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from mlagents_envs.base_env import (
    ActionTuple,
    AgentId,
    BaseEnv,
    BehaviorMapping,
    BehaviorName,
    BehaviorSpec,
    DecisionSteps,
    TerminalSteps,
)
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException
from mlagents_envs.logging_util import get_logger
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel, decode_parameter
from mlagents_envs.side_channel.framing import iter_frames
from mlagents_envs.side_channel.side_channel import SideChannel
from mlagents_envs.side_channel.side_channel_manager import SideChannelManager

logger = get_logger(__name__)

Report = tuple[DecisionSteps, TerminalSteps]


class LocalEnv(BaseEnv):
    """A `BaseEnv` but for three methods: how it resets, how it advances, how it closes.

    Args:
      side_channels: Nothing here listens to them; an environment parameter is answered by a warning.
    """

    def __init__(self, side_channels: list[SideChannel] | None = None) -> None:
        self._specs: dict[BehaviorName, BehaviorSpec] = {}
        self._reports: dict[BehaviorName, Report] = {}
        self._pending: dict[BehaviorName, ActionTuple] = {}
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

    @property
    def behavior_specs(self) -> Mapping[BehaviorName, BehaviorSpec]:
        """Behavior name -> spec."""
        return BehaviorMapping(self._specs)

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
        actions = {
            name: self._pending.get(name) or self._specs[name].action_spec.empty_action(len(decisions))
            for name, (decisions, _) in self._reports.items()
        }
        self._pending.clear()
        self._publish(self._advance(actions))

    def close(self) -> None:
        """Close the environment; may be called again."""
        if not self._closed:
            self._closed = True
            self._close()

    def set_actions(self, behavior_name: BehaviorName, action: ActionTuple) -> None:
        """Set what all agents of the last DecisionSteps do in the next step, in the order of its rows.

        Raises:
          UnityActionException: Unknown behavior, or wrong shapes.
        """
        spec = self._spec(behavior_name).action_spec
        if self._reports:
            agents = len(self._reports[behavior_name][0])
            self._pending[behavior_name] = spec._validate_action(action, agents, behavior_name)

    def set_action_for_agent(self, behavior_name: BehaviorName, agent_id: AgentId, action: ActionTuple) -> None:
        """Set what one agent does in the next step; the others of its behavior get zeros unless set too.

        Raises:
          UnityActionException: Unknown behavior, or wrong shapes.
          IndexError: The agent has no pending decision.
        """
        spec = self._spec(behavior_name).action_spec
        if not self._reports:
            return
        action = spec._validate_action(action, 1, behavior_name)
        decisions = self._reports[behavior_name][0]
        row = decisions.agent_id_to_index.get(agent_id)
        if row is None:
            raise IndexError(
                f"Agent {agent_id} of behavior {behavior_name!r} has no pending decision; waiting are agents "
                f"{decisions.agent_id.tolist()}."
            )
        pending = self._pending.get(behavior_name) or spec.empty_action(len(decisions))
        continuous, discrete = pending.continuous.copy(), pending.discrete.copy()
        continuous[row], discrete[row] = action.continuous[0], action.discrete[0]
        self._pending[behavior_name] = ActionTuple(continuous, discrete)

    def get_steps(self, behavior_name: BehaviorName) -> Report:
        """What the agents of a behavior reported in the last `step()` or `reset()`.

        Raises:
          UnityActionException: Unknown behavior.
          KeyError: Nothing was reported yet; call `reset()`.
        """
        self._spec(behavior_name)
        if not self._reports:
            raise KeyError(f"{behavior_name!r} has not reported yet; call reset() first.")
        return self._reports[behavior_name]

    def _spec(self, behavior_name: BehaviorName) -> BehaviorSpec:
        try:
            return self._specs[behavior_name]
        except KeyError:
            raise UnityActionException(
                f"There is no behavior {behavior_name!r} in this environment; its behaviors: {list(self._specs)}."
            ) from None

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
