"""Tasks in which every agent has to choose the one right action, with optimum 1, for every kind of observation.

What is right follows from what is seen: at once, or, with a delay, from what was seen first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from mlagents_envs.base_env import BaseEnv, BehaviorMapping, DecisionSteps, ObservationSpec, TerminalSteps
from toys.specs import behavior, observation

NAME = "Guess?team=0"


class Question(NamedTuple):
    """What is asked.

    Attributes:
      specs: of the observations.
      choices: number of actions.
      draw: (rng, agents) to observations, one array each, and right answers, int [agents].
    """

    specs: list[ObservationSpec]
    choices: int
    draw: Callable


def pixels(size: int, channels: int = 1) -> Question:
    """A bright square in one of the four quarters of a dim noisy image."""

    def draw(rng, agents):
        images = rng.integers(0, 60, (agents, channels, size, size)).astype(np.float32)
        answers = rng.integers(0, 4, agents)
        half = size // 2
        for image, answer in zip(images, answers.tolist(), strict=True):
            top, left = (answer // 2) * (size - half), (answer % 2) * (size - half)
            image[:, top : top + half, left : left + half] += 150.0
        return [images / np.float32(255.0)], answers

    return Question([observation(channels, size, size)], 4, draw)


def entities(most: int = 8) -> Question:
    """One to eight entities with a distance and a colour of three: what colour has the nearest?"""

    def draw(rng, agents):
        seen = np.zeros((agents, most, 4), np.float32)
        answers = np.zeros(agents, int)
        for agent in range(agents):
            count = rng.integers(1, most + 1)
            distance, colour = rng.uniform(0.2, 1.0, count), rng.integers(0, 3, count)
            seen[agent, :count, 0] = distance
            seen[agent, np.arange(count), 1 + colour] = 1.0
            answers[agent] = colour[distance.argmin()]
        return [seen], answers

    return Question([observation(most, 4, variable=True)], 3, draw)


def goal() -> Question:
    """Two numbers, -1 or 1, one of them a goal signal: are they alike?"""

    def draw(rng, agents):
        numbers = rng.choice(np.array([-1.0, 1.0], np.float32), (agents, 2))
        return [numbers[:, :1], numbers[:, 1:]], (numbers[:, 0] == numbers[:, 1]).astype(int)

    return Question([observation(1), observation(1, goal=True)], 2, draw)


def listed_goals(most: int) -> Question:
    """A number that says nothing, and a list of 1 to `most` goals: are their first numbers positive?

    Each goal is (value, 1), all values of a list have one sign, and padding is zero.
    """

    def draw(rng, agents):
        number = rng.choice(np.array([-1.0, 1.0], np.float32), (agents, 1))
        count = rng.integers(1, most + 1, agents)
        values = rng.choice(np.array([-1.0, 1.0], np.float32), (agents, 1)) * rng.uniform(0.5, 1.0, (agents, most))
        there = np.arange(most) < count[:, None]
        seen = np.stack([values * there, there], axis=2).astype(np.float32)
        return [number, seen], (values[:, 0] > 0).astype(int)

    return Question([observation(1), observation(most, 2, goal=True, variable=True)], 2, draw)


def cue() -> Question:
    """A sign, -1 or 1."""

    def draw(rng, agents):
        answers = rng.integers(0, 2, agents)
        return [(2.0 * answers[:, None] - 1.0).astype(np.float32)], answers

    return Question([observation(1)], 2, draw)


class Guess(BaseEnv):
    """Every agent is shown a question, then nothing for `delay` decisions; its action in the last one is its answer.

    The right one gives 1, any other 0, and the episode ends; with a `verdict` only one decision later, before which
    everything seen is 2 if the answer was right, and -2 if not. `latest` are the rewards of the latest 500 answers.
    """

    behavior_specs = None

    def __init__(self, question: Question, agents: int = 16, delay: int = 0, seed: int = 0, verdict: bool = False):
        self._question, self._agents, self._delay, self._verdict = question, agents, delay, verdict
        self._rng = np.random.default_rng(seed)
        self.latest = deque(maxlen=500)
        self.spec = behavior(*question.specs, branches=(question.choices,))
        self.behavior_specs = BehaviorMapping({NAME: self.spec})

    def _ask(self):
        self._shown, self._right = self._question.draw(self._rng, self._agents)
        self._clock = 0

    def reset(self):
        self._ask()
        self._terminal = TerminalSteps.empty(self.spec)
        self._actions = None

    def _seen(self):
        if self._clock > self._delay:
            sign = 2.0 * self._answered - 1.0
            return [np.full_like(o, 2.0) * sign.reshape(-1, *[1] * (o.ndim - 1)) for o in self._shown]
        return [o.copy() if self._clock == 0 else np.zeros_like(o) for o in self._shown]

    def step(self):
        ids = np.arange(self._agents, dtype=np.int32)
        self._terminal = TerminalSteps.empty(self.spec)
        if self._clock < self._delay:
            self._clock += 1
            return
        if self._clock == self._delay:
            self._answered = (self._actions.discrete[:, 0] == self._right).astype(np.float32)
            if self._verdict:
                self._clock += 1
                return
        reward = self._answered
        self.latest.extend(reward.tolist())
        self._clock = -1
        self._terminal = TerminalSteps(self._seen(), reward, np.zeros(self._agents, np.bool_), ids)
        self._ask()

    def set_actions(self, behavior_name, action):
        self._actions = action

    def set_action_for_agent(self, behavior_name, agent_id, action):
        raise NotImplementedError

    def get_steps(self, behavior_name):
        n = self._agents
        masks = [np.zeros((n, self._question.choices), np.bool_)]
        ids = np.arange(n, dtype=np.int32)
        return DecisionSteps(self._seen(), np.zeros(n, np.float32), ids, masks), self._terminal

    def close(self):
        pass
