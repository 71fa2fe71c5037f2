"""What the two PettingZoo wrappers share: agents by name, their spaces, and values in the form of these spaces.

| behavior | observation | action |
|---|---|---|
| one observation | `Box(-inf, inf, float32)` | |
| several | `Tuple` of these | |
| continuous actions | | `Box(-1, 1, (k,), float32)` |
| one branch | `Dict` of `observation`, as above, and `action_mask` | `Discrete` |
| several branches | the same; one mask per branch | `MultiDiscrete` |
| both | as above, without mask | `Tuple` of continuous and discrete |

Masks are int8, 1 = allowed, as PettingZoo has them and `action_space(agent).sample(mask)` takes them; for both kinds
of actions the mask is `infos[agent]["action_mask"]`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple, BaseEnv, BehaviorSpec, DecisionStep, TerminalStep
from mlagents_envs.envs.env_helpers import _agent_id_to_behavior, _behavior_to_agent_id
from mlagents_envs.envs.reseedable import MakeEnv, Reseedable
from mlagents_envs.side_channel.side_channel import SideChannel


class Observations(tuple[NDArray[np.float32], ...]):
    """Several observations of one agent, in the order of the specs."""

    __slots__ = ()
    dtype: ClassVar[None] = None  # what `Tuple` spaces have; PettingZoo's api_test compares it


class UnityPettingzooBaseEnv:
    """Agents of any environment under names such as `3DBall?team=0?agent_id=4`.

    Args:
      env: the environment, or a function seed -> environment. Only with the function `reset(seed=...)` has an
        effect: it makes the environment anew.
      seed: of the action spaces, and of the environment if it is made here.
      metadata: more entries for `metadata`.

    Attributes:
      agents: those that play, sorted by name.
      possible_agents: all seen so far.
    """

    def __init__(self, env: BaseEnv | MakeEnv, seed: int | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__()
        self.metadata: dict[str, Any] = {"render_modes": [], "name": "mlagents", "is_parallelizable": True}
        self.metadata |= metadata or {}
        self.render_mode = None
        self.agents: list[str] = []
        self.possible_agents: list[str] = []
        self._source = Reseedable(env, seed or 0)
        self._seed = seed
        self._observation_spaces: dict[str, spaces.Space[Any]] = {}
        self._action_spaces: dict[str, spaces.Space[Any]] = {}
        self._env.reset()
        for name in self._env.behavior_specs:
            self._meet(_behavior_to_agent_id(name, agent) for agent in self._env.get_steps(name)[0])

    @property
    def _env(self) -> BaseEnv:
        return self._source.env

    @property
    def side_channel(self) -> dict[str, SideChannel]:
        """Class name -> side channel of the environment."""
        manager = getattr(self._env, "_side_channel_manager", None)
        channels = manager._side_channels_dict.values() if manager is not None else ()
        return {type(channel).__name__: channel for channel in channels}

    @property
    def observation_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Agent -> space of its observations."""
        return {agent: self.observation_space(agent) for agent in self.possible_agents}

    @property
    def action_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Agent -> space of its actions."""
        return {agent: self.action_space(agent) for agent in self.possible_agents}

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of an agent's observations, the same object every time."""
        return self._observation_spaces[_agent_id_to_behavior(agent)]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """Return the space of an agent's actions, the same object every time; each agent has its own."""
        return self._action_spaces[agent]

    def seed(self, seed: int | None = None) -> None:
        """Seed the action spaces: agent i of `possible_agents` gets seed + i."""
        self._seed = seed
        if seed is not None:
            for index, agent in enumerate(self.possible_agents):
                self._action_spaces[agent].seed(seed + index)

    def render(self) -> None:
        """Do nothing: environments show themselves."""

    def close(self) -> None:
        """Close the environment; may be called again."""
        self._source.close()

    def _spec(self, agent: str) -> BehaviorSpec:
        return self._env.behavior_specs[_agent_id_to_behavior(agent)]

    def _meet(self, agents: Iterable[str]) -> None:
        """Make spaces for agents not seen before."""
        for agent in sorted(set(agents) - set(self.possible_agents)):
            spec = self._spec(agent)
            self._observation_spaces.setdefault(_agent_id_to_behavior(agent), _observation_space(spec))
            self._action_spaces[agent] = _action_space(spec.action_spec)
            self.possible_agents.append(agent)
            if self._seed is not None:
                self._action_spaces[agent].seed(self._seed + len(self.possible_agents) - 1)

    def _observation(self, agent: str, step: DecisionStep | TerminalStep) -> Any:
        """Return what the agent observes, as its space says; who ended may do anything."""
        spec = self._spec(agent).action_spec
        plain = step.obs[0] if len(step.obs) == 1 else Observations(step.obs)
        return {"observation": plain, "action_mask": _allowed(spec, step)} if spec.is_discrete() else plain

    def _info(self, agent: str, step: DecisionStep | TerminalStep) -> dict[str, Any]:
        info = {
            "behavior_name": _agent_id_to_behavior(agent),
            "group_id": step.group_id,
            "group_reward": step.group_reward,
        }
        if isinstance(step, TerminalStep):
            info["interrupted"] = step.interrupted
        spec = self._spec(agent).action_spec
        if spec.continuous_size and spec.discrete_branches:
            info["action_mask"] = (None, _allowed(spec, step))
        return info

    def _check_action(self, agent: str, action: Any) -> None:
        """Raise `gymnasium.error.InvalidAction` unless the action is in the agent's space."""
        space = self.action_space(agent)
        if action is None or not space.contains(_as_float32(action)):
            raise gymnasium.error.InvalidAction(f"The action {action!r} of agent {agent} is not in its space {space}.")

    def _set_actions(self, actions: dict[str, Any]) -> None:
        """Hand on the actions of agents that have a pending decision; agents without an action get zeros."""
        for name, spec in self._env.behavior_specs.items():
            decisions, _ = self._env.get_steps(name)
            batch = spec.action_spec.empty_action(len(decisions))
            for row, agent_id in enumerate(decisions.agent_id.tolist()):
                action = actions.get(_behavior_to_agent_id(name, agent_id))
                if action is not None:
                    _write(batch, row, spec.action_spec, action)
            self._env.set_actions(name, batch)


def _observation_space(spec: BehaviorSpec) -> spaces.Space[Any]:
    boxes = [spaces.Box(-np.inf, np.inf, sensor.shape, np.float32) for sensor in spec.observation_specs]
    plain: spaces.Space[Any] = boxes[0] if len(boxes) == 1 else spaces.Tuple(boxes)
    if not spec.action_spec.is_discrete():
        return plain
    masks = [spaces.MultiBinary(size) for size in spec.action_spec.discrete_branches]
    return spaces.Dict({"observation": plain, "action_mask": masks[0] if len(masks) == 1 else spaces.Tuple(masks)})


def _action_space(spec: ActionSpec) -> spaces.Space[Any]:
    continuous, branches = spec
    box = spaces.Box(-1.0, 1.0, (continuous,), np.float32)
    if not branches:
        return box
    discrete = spaces.Discrete(branches[0]) if len(branches) == 1 else spaces.MultiDiscrete(list(branches))
    return spaces.Tuple((box, discrete)) if continuous else discrete


def _allowed(spec: ActionSpec, step: DecisionStep | TerminalStep) -> Any:
    """Return what `sample(mask)` of the discrete space takes: int8, 1 = allowed, a tuple for several branches."""
    forbidden = step.action_mask if isinstance(step, DecisionStep) else None
    if forbidden is None:
        forbidden = [np.zeros(size, np.bool_) for size in spec.discrete_branches]
    masks = tuple((~mask).astype(np.int8) for mask in forbidden)
    return masks[0] if len(masks) == 1 else masks


def _as_float32(action: Any) -> Any:
    """Return the action with floats of the precision that spaces have, for policies that compute in double."""
    if isinstance(action, tuple):
        return tuple(_as_float32(part) for part in action)
    is_float = isinstance(action, np.ndarray) and np.issubdtype(action.dtype, np.floating)
    return action.astype(np.float32) if is_float else action


def _write(batch: ActionTuple, row: int, spec: ActionSpec, action: Any) -> None:
    continuous, discrete = action if spec.continuous_size and spec.discrete_branches else (action, action)
    if spec.continuous_size:
        batch.continuous[row] = continuous
    if spec.discrete_branches:
        batch.discrete[row] = discrete
