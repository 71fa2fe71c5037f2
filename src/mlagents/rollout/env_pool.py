"""Environments as one source of steps, in this process or in several."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

from mlagents.rollout.parameters import ParameterValue, for_worker, tell
from mlagents_envs.base_env import ActionTuple, BaseEnv, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel
from mlagents_envs.side_channel.stats_side_channel import EnvironmentStats, StatsSideChannel


class WorkerStep(NamedTuple):
    """What one environment reports, by fully qualified behavior name.

    The arrays belong to the pool and hold until the next `receive`.
    `restarted`: the environment failed and was made anew; what its agents had begun has no end, drop it.
    """

    worker: int
    steps: Mapping[str, tuple[DecisionSteps, TerminalSteps]]
    restarted: bool = False


def never() -> bool:
    """Say that there is no reason to stop."""
    return False


class EnvPool(Protocol):
    """One or more environments, each waiting for actions or on its way to the next decision."""

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of every behavior seen so far; may grow with `receive`."""

    def reset(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Start new episodes everywhere, with these environment parameters; pending actions are dropped."""

    def set_parameters(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Tell all environments parameters, which hold from each agent's next episode."""

    def receive(self, stop: Callable[[], bool] = never) -> list[WorkerStep]:
        """Wait until at least one environment reports and return all that have; none if `stop` says so first."""

    def send(self, worker: int, actions: Mapping[str, ActionTuple]) -> None:
        """Give a worker that reported its actions, by behavior, rows as in its DecisionSteps."""

    def statistics(self) -> list[tuple[int, EnvironmentStats]]:
        """Return and forget what environments reported on the statistics channel, with their worker."""

    def state_dict(self) -> dict[str, Any] | None:
        """Return all that decides how the environments go on, or None if they cannot tell."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, after a `reset`; the next `receive` goes on from there."""

    def close(self) -> None:
        """Stop every environment; harmless when called again."""


@runtime_checkable
class Restorable(Protocol):
    """What an environment may offer besides `BaseEnv`, so that a run that was stopped goes on as if it had not been."""

    def state_dict(self) -> dict[str, Any] | None:
        """Return arrays and plain values, in nested mappings, that decide how it goes on; None if not known."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned in an environment made alike."""


class InlinePool:
    """One environment in this process.

    Args:
      env: already constructed with the two channels among its side channels.
      parameters: channel for environment parameters.
      stats: channel for statistics.
    """

    def __init__(self, env: BaseEnv, parameters: EnvironmentParametersChannel, stats: StatsSideChannel):
        self._env = env
        self._parameters = parameters
        self._stats = stats
        self._fresh = False
        self._closed = False

    @property
    def behavior_specs(self) -> Mapping[str, BehaviorSpec]:
        """Specs of every behavior seen so far."""
        return self._env.behavior_specs

    def reset(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Start new episodes, with these environment parameters."""
        self.set_parameters(parameters)
        self._env.reset()
        self._fresh = True

    def set_parameters(self, parameters: Mapping[str, ParameterValue]) -> None:
        """Tell the environment parameters, which hold from each agent's next episode."""
        tell(self._parameters, for_worker(parameters, 0))

    def receive(self, stop: Callable[[], bool] = never) -> list[WorkerStep]:
        """Step the environment and return its report (after a reset, the first observations)."""
        if not self._fresh:
            self._env.step()
        self._fresh = False
        return [WorkerStep(0, {name: self._env.get_steps(name) for name in self._env.behavior_specs})]

    def send(self, worker: int, actions: Mapping[str, ActionTuple]) -> None:
        """Set the actions of the next step."""
        for name, action in actions.items():
            self._env.set_actions(name, action)

    def statistics(self) -> list[tuple[int, EnvironmentStats]]:
        """Return and forget the statistics reported since the last call."""
        return [(0, self._stats.get_and_reset_stats())]

    def state_dict(self) -> dict[str, Any] | None:
        """Return the environment's state, None if it does not offer one."""
        environment = self._env.state_dict() if isinstance(self._env, Restorable) else None
        return None if environment is None else {"environment": environment, "fresh": self._fresh}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the environment go on from this state, with the actions that it had been given."""
        if not isinstance(self._env, Restorable):
            raise TypeError(f"{type(self._env).__name__} has no state to restore")
        self._env.load_state_dict(state["environment"])
        self._fresh = state["fresh"]

    def close(self) -> None:
        """Close the environment."""
        if not self._closed:
            self._closed = True
            self._env.close()
