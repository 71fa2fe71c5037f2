"""Any environment as a PettingZoo parallel environment."""

from __future__ import annotations

from typing import Any

import gymnasium
from pettingzoo import ParallelEnv

from mlagents_envs.base_env import BaseEnv, DecisionStep, TerminalStep
from mlagents_envs.envs.env_helpers import _unwrap_batch_steps
from mlagents_envs.envs.reseedable import MakeEnv
from mlagents_envs.envs.unity_pettingzoo_base_env import UnityPettingzooBaseEnv

_Dict = dict[str, Any]


class UnityParallelEnv(UnityPettingzooBaseEnv, ParallelEnv):  # type: ignore[misc]  # PettingZoo has no types
    """All agents act at once. Names, spaces and masks are those of `UnityPettingzooBaseEnv`.

    ```
    env = UnityParallelEnv(lambda seed: default_registry["3DBall"].make(seed=seed))
    observations, infos = env.reset(seed=1)
    while env.agents:
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        observations, rewards, terminations, truncations, infos = env.step(actions)
    ```

    An agent that ends appears once with its last observation, reward and `terminations` (or, if it was interrupted,
    `truncations`) True, and is then gone until `reset()`, as PettingZoo demands: in the environment it goes on with
    zero actions, unseen. A step lasts until an agent decides or all have ended; agents that do not report in it keep
    their observation, get reward 0, and their action is not used.

    Args:
      env: the environment, or a function seed -> environment.
      seed: of the action spaces, and of the environment if it is made here.
    """

    def __init__(self, env: BaseEnv | MakeEnv, seed: int | None = None) -> None:
        super().__init__(env, seed)
        self._ended: set[str] = set()
        self._observations: _Dict = {}
        self._infos: _Dict = {}

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[_Dict, _Dict]:
        """Begin anew with all agents.

        Args:
          seed: of the environment, see `env`.
          options: not used.

        Returns: observations and infos by agent.
        """
        if seed is not None:
            self._source.reseed(seed)
        self._env.reset()
        self._ended.clear()
        self._observations.clear()
        self._infos.clear()
        self.agents = []
        while not self.agents:
            for agent, step in self._report()[0].items():
                self._note(agent, step)
            if not self.agents:
                self._env.step()
        return dict(self._observations), dict(self._infos)

    def step(self, actions: _Dict) -> tuple[_Dict, _Dict, _Dict, _Dict, _Dict]:
        """Let every agent act.

        Args:
          actions: one for each of `agents`.

        Returns: observations, rewards, terminations, truncations and infos, each by agent.

        Raises:
          gymnasium.error.ResetNeeded: all agents have ended.
          gymnasium.error.InvalidAction: one is missing, or not in its space.
        """
        if not self.agents:
            raise gymnasium.error.ResetNeeded("All agents have ended; call reset() before the next step().")
        for agent in self.agents:
            self._check_action(agent, actions.get(agent))
        self._set_actions({agent: actions[agent] for agent in self.agents})
        rewards = dict.fromkeys(self.agents, 0.0)
        ends: dict[str, TerminalStep] = {}
        decided = False
        while self.agents and not decided:
            self._env.step()
            decisions, terminals = self._report()
            for agent, end in terminals.items():
                if agent in self.agents:
                    ends[agent] = end
                    rewards[agent] = end.reward
                    self._end(agent, end)
            for agent, decision in decisions.items():
                if agent not in self._ended:
                    decided = True
                    rewards[agent] = decision.reward
                    self._note(agent, decision)
        return (
            {agent: self._observations[agent] for agent in rewards},
            rewards,
            {agent: agent in ends and not ends[agent].interrupted for agent in rewards},
            {agent: agent in ends and ends[agent].interrupted for agent in rewards},
            {agent: self._infos[agent] for agent in rewards},
        )

    def _report(self) -> tuple[dict[str, DecisionStep], dict[str, TerminalStep]]:
        decisions: dict[str, DecisionStep] = {}
        terminals: dict[str, TerminalStep] = {}
        for name in self._env.behavior_specs:
            deciding, ended = _unwrap_batch_steps(self._env.get_steps(name), name)
            decisions |= deciding
            terminals |= ended
        return decisions, terminals

    def _note(self, agent: str, step: DecisionStep) -> None:
        if agent not in self.agents:
            self._meet([agent])
            self.agents = sorted([*self.agents, agent])
        self._observations[agent] = self._observation(agent, step)
        self._infos[agent] = self._info(agent, step)

    def _end(self, agent: str, step: TerminalStep) -> None:
        self._ended.add(agent)
        self.agents = [other for other in self.agents if other != agent]
        self._observations[agent] = self._observation(agent, step)
        self._infos[agent] = self._info(agent, step)
