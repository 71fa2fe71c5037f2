"""What the agents of one behavior report in one step: columns, one row per agent."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from mlagents_envs._specs import AgentId, BehaviorSpec, GroupId


class DecisionStep(NamedTuple):
    """What one agent reports when it asks for an action.

    Attributes:
      obs: one float32 array per observation spec, of the spec's shape.
      reward: gathered since the agent's last report.
      agent_id: stays with the agent for its whole life.
      action_mask: one bool array [branch size] per discrete branch, True = forbidden; None if none.
      group_id: 0 = no group.
      group_reward: gathered by the agent's group since the agent's last report.
    """

    obs: list[NDArray[np.float32]]
    reward: float
    agent_id: AgentId
    action_mask: list[NDArray[np.bool_]] | None
    group_id: GroupId
    group_reward: float


class TerminalStep(NamedTuple):
    """The last report of one agent's episode; fields as in `DecisionStep`.

    Attributes:
      interrupted: the episode was cut (step limit), not finished: its last state still has a value.
    """

    obs: list[NDArray[np.float32]]
    reward: float
    interrupted: bool
    agent_id: AgentId
    group_id: GroupId
    group_reward: float

    @property
    def max_step(self) -> bool:
        """Older name of `interrupted`."""
        return self.interrupted


_Step = TypeVar("_Step", DecisionStep, TerminalStep)
_Number = TypeVar("_Number", np.float32, np.int32, np.bool_)


_SHOWN = 8  # agents in a `repr`


def _column(values: NDArray[_Number], dtype: type[_Number]) -> NDArray[_Number]:
    """Return an array as it is; a list, which programs of users may pass, as an array."""
    return values if isinstance(values, np.ndarray) else np.asarray(values, dtype)


class _Steps(Mapping[AgentId, _Step], Generic[_Step]):
    """Columns of one batch, seen as a mapping from agent id to that agent's row."""

    agent_id: NDArray[np.int32]
    obs: list[NDArray[np.float32]]
    _agent_id_to_index: dict[AgentId, int] | None

    @property
    def agent_id_to_index(self) -> dict[AgentId, int]:
        """Agent id -> row; built at the first call. Should one id occur twice, the later row."""
        if self._agent_id_to_index is None:
            ids = np.asarray(self.agent_id).tolist()
            self._agent_id_to_index = dict(zip(ids, range(len(ids)), strict=True))
        return self._agent_id_to_index

    __hash__ = None  # type: ignore[assignment]  # as for all that compare by what may change

    def __eq__(self, other: object) -> bool:
        """Return whether another batch holds the same numbers."""
        if not isinstance(other, type(self)):
            return NotImplemented
        ours, theirs = self._columns(), other._columns()
        return len(ours) == len(theirs) and all(map(np.array_equal, ours, theirs))

    @abstractmethod
    def _columns(self) -> list[NDArray[Any]]:
        """Return all arrays."""

    def _described(self, doing: str, reward: NDArray[np.float32], rest: str = "") -> str:
        ids = np.asarray(self.agent_id).tolist()
        if not ids:
            return f"{type(self).__name__}(no agents)"
        shown = ", ".join(map(str, ids[:_SHOWN])) + (", ..." if len(ids) > _SHOWN else "")
        shapes = [tuple(column.shape[1:]) for column in self.obs]
        low, high = float(np.min(reward)), float(np.max(reward))
        rewards = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        head = f"{type(self).__name__}({len(ids)} agents {doing}: {shown}"
        return f"{head}; observations {shapes}; reward {rewards}{rest})"

    def __len__(self) -> int:
        return len(self.agent_id)

    def __iter__(self) -> Iterator[AgentId]:
        return iter(self.agent_id)

    def __contains__(self, agent_id: object) -> bool:
        return agent_id in self.agent_id_to_index

    def _row(self, agent_id: AgentId) -> int:
        try:
            return self.agent_id_to_index[agent_id]
        except KeyError:
            here = ", ".join(map(str, self.agent_id_to_index)) or "none"
            raise KeyError(f"no agent {agent_id} in this {type(self).__name__}; agents here: {here}") from None


class DecisionSteps(_Steps[DecisionStep]):
    """The agents of one behavior that ask for an action: columns, and a mapping agent id -> `DecisionStep`.

    Args:
      obs: one float32 array [n, *shape] per observation spec.
      reward: float32 [n].
      agent_id: int32 [n].
      action_mask: one bool array [n, branch size] per discrete branch, True = forbidden; None if
        there are no branches, or no agents.
      group_id: int32 [n], 0 = no group; zeros if left out.
      group_reward: float32 [n]; zeros if left out.
    """

    def __init__(
        self,
        obs: list[NDArray[np.float32]],
        reward: NDArray[np.float32],
        agent_id: NDArray[np.int32],
        action_mask: list[NDArray[np.bool_]] | None,
        group_id: NDArray[np.int32] | None = None,
        group_reward: NDArray[np.float32] | None = None,
    ) -> None:
        self.obs = obs
        self.reward = _column(reward, np.float32)
        self.agent_id = _column(agent_id, np.int32)
        self.action_mask = action_mask
        self.group_id = np.zeros(len(agent_id), np.int32) if group_id is None else _column(group_id, np.int32)
        self.group_reward = (
            np.zeros(len(agent_id), np.float32) if group_reward is None else _column(group_reward, np.float32)
        )
        self._agent_id_to_index = None

    def __getitem__(self, agent_id: AgentId) -> DecisionStep:
        row = self._row(agent_id)
        masks = self.action_mask
        return DecisionStep(
            obs=[column[row] for column in self.obs],
            reward=float(self.reward[row]),
            agent_id=int(agent_id),
            action_mask=None if masks is None else [mask[row] for mask in masks],
            group_id=int(self.group_id[row]),
            group_reward=float(self.group_reward[row]),
        )

    def _columns(self) -> list[NDArray[Any]]:
        masks = self.action_mask or ()
        return [*self.obs, self.reward, self.agent_id, self.group_id, self.group_reward, *masks]

    def __repr__(self) -> str:
        return self._described("ask for an action", self.reward)

    @staticmethod
    def empty(spec: BehaviorSpec) -> DecisionSteps:
        """Return a batch of no agents."""
        return DecisionSteps(spec._empty_obs(), np.zeros(0, np.float32), np.zeros(0, np.int32), None)


class TerminalSteps(_Steps[TerminalStep]):
    """The agents of one behavior whose episode ended: columns, and a mapping agent id -> `TerminalStep`.

    Args:
      obs: one float32 array [n, *shape] per observation spec: the last observation of the episode.
      reward: float32 [n].
      interrupted: bool [n].
      agent_id: int32 [n].
      group_id: int32 [n], 0 = no group; zeros if left out.
      group_reward: float32 [n]; zeros if left out.
    """

    def __init__(
        self,
        obs: list[NDArray[np.float32]],
        reward: NDArray[np.float32],
        interrupted: NDArray[np.bool_],
        agent_id: NDArray[np.int32],
        group_id: NDArray[np.int32] | None = None,
        group_reward: NDArray[np.float32] | None = None,
    ) -> None:
        self.obs = obs
        self.reward = reward
        self.interrupted = _column(interrupted, np.bool_)
        self.agent_id = agent_id
        self.group_id = np.zeros(len(agent_id), np.int32) if group_id is None else _column(group_id, np.int32)
        self.group_reward = (
            np.zeros(len(agent_id), np.float32) if group_reward is None else _column(group_reward, np.float32)
        )
        self._agent_id_to_index = None

    @property
    def max_step(self) -> NDArray[np.bool_]:
        """Older name of `interrupted`."""
        return self.interrupted

    def __getitem__(self, agent_id: AgentId) -> TerminalStep:
        row = self._row(agent_id)
        return TerminalStep(
            obs=[column[row] for column in self.obs],
            reward=float(self.reward[row]),
            interrupted=bool(self.interrupted[row]),
            agent_id=int(agent_id),
            group_id=int(self.group_id[row]),
            group_reward=float(self.group_reward[row]),
        )

    def _columns(self) -> list[NDArray[Any]]:
        return [*self.obs, self.reward, self.agent_id, self.group_id, self.group_reward, self.interrupted]

    def __repr__(self) -> str:
        return self._described("ended", self.reward, f", {int(np.sum(self.interrupted))} interrupted")

    @staticmethod
    def empty(spec: BehaviorSpec) -> TerminalSteps:
        """Return a batch of no agents."""
        return TerminalSteps(spec._empty_obs(), np.zeros(0, np.float32), np.zeros(0, np.bool_), np.zeros(0, np.int32))
