"""Agents in batches: what one behavior's agents observe, do and earn, and how their episodes end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, DecisionSteps, TerminalSteps
from mlagents_envs.exception import UnityPolicyException
from mlagents_envs.spectating import RayFan
from mlagents_sim.actuators import Actions
from mlagents_sim.controllers import Controller
from mlagents_sim.keys import Keys, write_actions
from mlagents_sim.row_index import ALL, RowIndex, copy_rows
from mlagents_sim.sensors import Sensor, ray_fans

PLAYING: Final = 0
ENDED: Final = 1
INTERRUPTED: Final = 2


class AgentArrays(NamedTuple):
    """The memory of a batch, for compiled code.

    Attributes:
      continuous: float32 [agents, continuous size], what every agent does now.
      discrete: int32 [agents, branches], likewise.
      reward: float32 [agents], earned since the last report; adding to it is `add_reward`, assigning to it is
        `set_reward`.
      step_count: int64 [agents], physics steps since the agent's episode began.
      end: uint8 [agents], PLAYING; ENDED or INTERRUPTED from the moment an episode is over until the academy,
        in the same physics step, has reported it and begun the next.
    """

    continuous: NDArray[np.float32]
    discrete: NDArray[np.int32]
    reward: NDArray[np.float32]
    step_count: NDArray[np.int64]
    end: NDArray[np.uint8]


class Groups(NamedTuple):
    """Which agents of a batch play together, and what they earn together.

    Attributes:
      id: int32 [agents], from 1; 0 = no group.
      reward: float32 [agents], earned by the agent's group since the agent's last report.
    """

    id: NDArray[np.int32]
    reward: NDArray[np.float32]


class AgentBatch(ABC):
    """All agents of one behavior, one row each. A subclass says what an episode is.

    The academy calls, for many agents at once:

    - `reset(rows)`: the agents `rows` begin an episode;
    - `observe(rows)`: what they perceive now;
    - `act()`: all agents do what `actions` says, on every physics step;

    and, where agents do not all decide at once, `deciding()`: who asks for a decision now. The subclass answers through
    `add_reward`, `set_reward` and `end_episode`, and, where agents play in groups, through `assign_groups`,
    `add_group_reward` and `set_group_reward`.

    Args:
      behavior: fully qualified name, `3DBall?team=0`.
      count: number of agents.
      sensors: in the order of their names, as observations are reported.
      action_spec: continuous size and branches.
      max_step: physics steps after which an episode is interrupted; 0 for no limit.

    Attributes:
      spec: observations and actions.
      actions: what every agent does now.
      agent_id: int32 [agents].
      arrays: the memory of the batch, the same arrays for its whole life.
      groups: None as long as `assign_groups` was not called.
      controller: decides for agents that act by themselves and that no trainer sees; None for all others.
      keys: what the keys of people mean who play; a subclass says so.
      held_keys: names of the keys that the player holds now, the newest last.

    Raises:
      ValueError: `sensors` are not in the order of their names.
    """

    keys: Sequence[Keys] = ()
    held_keys: Sequence[str] = ()

    def __init__(
        self, behavior: str, count: int, sensors: Sequence[Sensor], action_spec: ActionSpec, max_step: int = 0
    ) -> None:
        names = [sensor.spec.name for sensor in sensors]
        if names != sorted(names):
            raise ValueError(f"Sensors must be listed in the order of their names; got {names}.")
        self.behavior = behavior
        self.spec = BehaviorSpec([sensor.spec for sensor in sensors], action_spec)
        self.max_step = max_step
        self.actions = Actions(action_spec, count)
        self.agent_id: NDArray[np.int32] = np.arange(count, dtype=np.int32)
        self.arrays = AgentArrays(
            self.actions.continuous,
            self.actions.discrete,
            reward=np.zeros(count, np.float32),
            step_count=np.zeros(count, np.int64),
            end=np.zeros(count, np.uint8),
        )
        self.groups: Groups | None = None
        self.controller: Controller | None = None
        self._reward, self._step_count, self._end = self.arrays[2:]
        self._sensors = tuple(sensors)
        self._waits: NDArray[np.bool_] = np.zeros(count, np.bool_)
        self._unseen: NDArray[np.bool_] = np.ones(count, np.bool_)

    def __len__(self) -> int:
        return len(self.agent_id)

    # What a subclass defines

    @abstractmethod
    def reset(self, rows: NDArray[np.intp]) -> None:
        """Begin an episode for the agents `rows`."""

    @abstractmethod
    def observe(self, rows: RowIndex) -> Sequence[ArrayLike]:
        """Return one frame [rows, ...] per sensor, in their order."""

    @abstractmethod
    def act(self) -> None:
        """Do what `actions` says for all agents: once per physics step, before the physics."""

    def deciding(self) -> RowIndex:
        """Return which agents ask for a decision now: all, unless a subclass says otherwise.

        Called once at every decision of the world, which are then so near to each other that nobody waits too long: a
        world whose agents ask whenever they like has a `decision_period` of 1.

        Returns: `ALL`, or int64 [n], rows in rising order.
        """
        return ALL

    def action_mask(self) -> list[NDArray[np.bool_]]:
        """Return bool [agents, branch size] per branch, True = forbidden. Nothing is, unless a subclass says so."""
        branches = self.spec.action_spec.discrete_branches
        return [np.zeros((len(self), size), np.bool_) for size in branches]

    def heuristic(self) -> ActionTuple:
        """Return what the agents that reported last would do by a rule of the author's, a row each; here the player's.

        Raises:
          UnityPolicyException: the subclass has neither a rule nor keys.
        """
        if not self.keys:
            raise UnityPolicyException(
                f"Behavior {self.behavior!r} has no heuristic: define {type(self).__name__}.heuristic() or its keys, "
                "or let a trainer or a model decide."
            )
        action = self.spec.action_spec.empty_action(int(np.count_nonzero(self._waits)))
        write_actions(self.keys, self.held_keys, action.continuous, action.discrete)
        return action

    @property
    def has_rule(self) -> bool:
        """Whether the author wrote a rule of their own that decides without keys."""
        return not self.keys and type(self).heuristic is not AgentBatch.heuristic

    def ray_fans(self) -> Mapping[int, RayFan]:
        """Return, for spectators, the rays behind observations by the sensor's place: those that look ahead."""
        return ray_fans(self._sensors)

    def state_arrays(self) -> Mapping[str, NDArray[Any]] | None:
        """Return the subclass's own arrays that outlive a physics step, to be read and written in place.

        Physics and sensors included, all that decides what happens next besides `arrays`. None: they are not known,
        and a training run that is resumed begins new episodes instead of going on.
        """
        return None

    # What a subclass says back

    def add_reward(self, value: float | NDArray[np.float32], rows: RowIndex = ALL) -> None:
        """Add to what the agents `rows` earn in this decision window."""
        self._reward[rows] += value

    def set_reward(self, value: float | NDArray[np.float32], rows: RowIndex = ALL) -> None:
        """Overwrite what the agents `rows` have earned in this decision window."""
        self._reward[rows] = value

    def end_episode(self, rows: RowIndex, *, interrupted: bool = False) -> None:
        """End the episode of the agents `rows`, now. The next begins before anything else happens.

        Args:
          rows: of the batch.
          interrupted: the episode is cut, not finished: its last state still has a value.
        """
        self._end[rows] = INTERRUPTED if interrupted else ENDED

    def assign_groups(self, group_id: ArrayLike) -> Groups:
        """Let agents play in groups: int [agents], numbered from 1 throughout the world, 0 = none; return `groups`."""
        ids = np.array(group_id, np.int32)
        if ids.shape != (len(self),) or (ids < 0).any():
            raise ValueError(f"Behavior {self.behavior!r}: expected a group number of at least 0 per agent; got {ids}.")
        if self.groups is None:
            self.groups = Groups(ids, np.zeros(len(self), np.float32))
        else:
            self.groups.id[:] = ids
        self.groups.reward[ids == 0] = 0.0
        return self.groups

    def add_group_reward(self, value: float | NDArray[np.float32], rows: RowIndex = ALL) -> None:
        """Add to what the groups of the agents `rows` earn in this decision window: once per member."""
        self._groups_of(rows).reward[rows] += value

    def set_group_reward(self, value: float | NDArray[np.float32], rows: RowIndex = ALL) -> None:
        """Overwrite what the groups of the agents `rows` have earned in this decision window."""
        self._groups_of(rows).reward[rows] = value

    def _groups_of(self, rows: RowIndex) -> Groups:
        if self.groups is None or not self.groups.id[rows].all():
            raise ValueError(f"Behavior {self.behavior!r}: a group reward for an agent that is in no group.")
        return self.groups

    # What the academy calls

    def all_state_arrays(self) -> dict[str, NDArray[Any]] | None:
        """Return `state_arrays` and the arrays of every batch; None if the subclass does not tell its own."""
        own = self.state_arrays()
        if own is None:
            return None
        groups = {} if self.groups is None else {"group_id": self.groups.id, "group_reward": self.groups.reward}
        return {**self.arrays._asdict(), "waits": self._waits, "unseen": self._unseen, **groups, **own}

    def begin_episodes(self, rows: NDArray[np.intp]) -> None:
        """Reset the agents `rows`; until they decide, their actions are zero."""
        self._clear(rows)
        self.reset(rows)

    def _clear(self, rows: NDArray[np.intp]) -> None:
        """Forget what the agents `rows` did, and perceived, in their last episode."""
        self._step_count[rows] = 0
        self._end[rows] = PLAYING
        self.actions.clear(rows)
        for sensor in self._sensors:
            sensor.clear(rows)

    def begin_all_episodes(self) -> None:
        """Do as `begin_episodes` for everybody; nothing earned or reported before counts."""
        self._reward[:] = 0.0
        if self.groups is not None:
            self.groups.reward[:] = 0.0
        if self.controller is not None:
            self.controller.reset(self.agent_id.tolist())
        self._waits[:] = False
        self._unseen[:] = True
        self.begin_episodes(np.arange(len(self)))

    def admit(self, rows: NDArray[np.intp]) -> None:
        """Let the agents `rows` go on here with episodes that began elsewhere; what was here before is void."""
        self._clear(rows)
        self._reward[rows] = 0.0
        self._unseen[rows] = True

    def decide(self, action: ActionTuple) -> None:
        """Take over the decisions of the agents that reported last, a row for each."""
        everybody = len(action.discrete) == len(self.agent_id)
        self.actions.assign(action, ALL if everybody else np.flatnonzero(self._waits))

    def take_step(self) -> bool:
        """Count one physics step and act in it; interrupt who reached `max_step`.

        Returns: whether any episode is over.
        """
        self._step_count += 1
        self.act()
        if self.max_step:
            self._end[(self._step_count >= self.max_step) & (self._end == PLAYING)] = INTERRUPTED
        return self.has_ended()

    def has_ended(self) -> bool:
        """Return whether any episode is over and not yet reported."""
        return bool(np.count_nonzero(self._end))

    def finish_episodes(self) -> TerminalSteps | None:
        """Report the episodes that are over, and begin the next ones.

        Returns: None if there is nothing to report.
        """
        over = np.flatnonzero(self._end)
        steps = self.report_ends(over)
        self.begin_episodes(over)
        return steps

    def report_ends(self, over: NDArray[np.intp]) -> TerminalSteps | None:
        """Return the last report of the agents `over`, whose episodes have ended.

        Who ends an episode before its first decision keeps quiet: nobody acted in it. What was earned there comes
        with the next report.

        Returns: None if there is nothing to report.
        """
        rows = over[~self._unseen[over]]
        if not len(rows):
            return None
        steps = TerminalSteps(
            self._observations(rows),
            self._reward[rows],
            self._end[rows] == INTERRUPTED,
            self.agent_id[rows],
            *self._take_group_columns(rows),
        )
        self._reward[rows] = 0.0
        self._unseen[rows] = True
        return steps

    def decision_steps(self) -> DecisionSteps:
        """Return what the agents report that ask for a decision now."""
        rows = self.deciding()
        self._waits.fill(False)
        self._waits[rows] = True
        if rows is not ALL and not self._waits.any():
            return DecisionSteps.empty(self.spec)
        steps = DecisionSteps(
            self._observations(rows),
            copy_rows(self._reward, rows),
            copy_rows(self.agent_id, rows),
            [mask[rows] for mask in self.action_mask()] if self.actions.spec.discrete_branches else None,
            *self._take_group_columns(rows),
        )
        self._reward[rows] = 0.0
        self._unseen[rows] = False
        return steps

    def _take_group_columns(self, rows: RowIndex) -> tuple[NDArray[np.int32], NDArray[np.float32]] | tuple[None, None]:
        """Group ids and rewards to be reported for `rows`, copies; the rewards then start from 0."""
        if self.groups is None:
            return None, None
        columns = copy_rows(self.groups.id, rows), copy_rows(self.groups.reward, rows)
        self.groups.reward[rows] = 0.0
        return columns

    def _observations(self, rows: RowIndex) -> list[NDArray[np.float32]]:
        frames = self.observe(rows)
        return [sensor.observe(rows, frame) for sensor, frame in zip(self._sensors, frames, strict=True)]
