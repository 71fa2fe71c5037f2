"""Small PettingZoo games, made as users make them."""

from __future__ import annotations

import itertools
from typing import ClassVar

import numpy as np
from gymnasium import spaces
from pettingzoo import AECEnv, ParallelEnv


class Countdown(ParallelEnv):
    """Agent i observes [its number, steps left, the last seed] and ends after i + 1 steps: 0 by itself, others cut.

    The reward is the action: a force for runners, 10 times the choice for jumpers.
    """

    metadata: ClassVar = {"name": "countdown_v0", "render_modes": []}
    render_mode = None

    def __init__(self, runners=2, jumpers=0, known=True):
        kinds = ["runner"] * runners + ["jumper"] * jumpers
        self._everybody = [f"{kind}_{index}" for index, kind in enumerate(kinds)]
        if known:
            self.possible_agents = self._everybody
        self.agents = []
        self.seed_seen = None
        self.games = 0

    def observation_space(self, agent):
        return spaces.Box(-np.inf, np.inf, (3,), np.float64)

    def action_space(self, agent):
        return spaces.Box(0, 10, (1,), np.float32) if agent.startswith("runner") else spaces.Discrete(3, start=1)

    def _observe(self):
        return {agent: np.array([self._number(agent), self.left[agent], self.seed_seen or 0]) for agent in self.agents}

    @staticmethod
    def _number(agent):
        return int(agent.rpartition("_")[2])

    def reset(self, seed=None, options=None):
        if seed is not None:
            self.seed_seen = seed
        self.games += 1
        self.agents = self._everybody[:]
        self.left = {agent: self._number(agent) + 1 for agent in self.agents}
        infos = {agent: {} for agent in self.agents}
        if "jumper_1" in infos:
            infos["jumper_1"]["action_mask"] = np.int8([1, 0, 1])
        return self._observe(), infos

    def step(self, actions):
        assert set(actions) == set(self.agents)
        rewards = {a: float(actions[a][0]) if a.startswith("runner") else 10.0 * actions[a] for a in self.agents}
        for agent in self.agents:
            self.left[agent] -= 1
        observations = self._observe()
        ended = {agent: self.left[agent] == 0 for agent in self.agents}
        terminations = {agent: over and agent.endswith("_0") for agent, over in ended.items()}
        truncations = {agent: over and not agent.endswith("_0") for agent, over in ended.items()}
        infos = {agent: {} for agent in self.agents}
        self.agents = [agent for agent in self.agents if not ended[agent]]
        return observations, rewards, terminations, truncations, infos


class Nim(AECEnv):
    """Sticks; the players take one or two in turn, never more than there are. Who takes the last one wins."""

    metadata: ClassVar = {"name": "nim_v1", "is_parallelizable": False, "render_modes": []}
    render_mode = None

    def __init__(self, *sticks):
        super().__init__()
        self._games = itertools.cycle(sticks or [5])
        self.possible_agents = ["player_0", "player_1"]
        self._space = spaces.Dict({"observation": spaces.Discrete(6), "action_mask": spaces.Box(0, 1, (2,), np.int8)})

    def observation_space(self, agent):
        return self._space

    def action_space(self, agent):
        return spaces.Discrete(2)

    def observe(self, agent):
        turn = agent == self.agent_selection
        return {"observation": self.sticks, "action_mask": np.int8([turn, turn and self.sticks > 1])}

    def reset(self, seed=None, options=None):
        self.agents = self.possible_agents[:]
        self.sticks = next(self._games)
        self.rewards = dict.fromkeys(self.agents, 0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos = {agent: {} for agent in self.agents}
        self.agent_selection = "player_0"

    def step(self, action):
        if self.terminations[self.agent_selection]:
            self._was_dead_step(action)
            return
        assert action + 1 <= self.sticks
        self._clear_rewards()
        self.sticks -= int(action) + 1
        if self.sticks == 0:
            self.rewards = {agent: 1 if agent == self.agent_selection else -1 for agent in self.agents}
            self.terminations = dict.fromkeys(self.agents, True)
        self._accumulate_rewards()
        self.agent_selection = "player_0" if self.agent_selection == "player_1" else "player_1"
