"""Settings of Gymnasium's small environments, for every system alike: those of `config/gym`, as peers need them.

A peer names the same things differently; what is written once here cannot differ by accident.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
from ruamel.yaml import YAML

CONFIGURATIONS = Path(__file__).resolve().parents[1] / "config" / "gym"


class Task(NamedTuple):
    """What everybody learns.

    Attributes:
      env_id: of Gymnasium.
      configuration: name of the file in `config/gym`.
      copies: of the environment.
      reward: mean reward of the episodes since the last summary that counts as learned.
      changes: of the behavior's section, so that all systems update after the same number of decisions.
    """

    env_id: str
    configuration: str
    copies: int
    reward: float
    changes: dict[str, Any]

    def behavior(self) -> tuple[str, dict[str, Any]]:
        """Return name and section of the configuration's one behavior."""
        sections = YAML(typ="safe").load(CONFIGURATIONS / f"{self.configuration}.yaml")["behaviors"]
        ((name, section),) = sections.items()
        return name, section | self.changes


TASKS = {
    "sac": Task("Pendulum-v1", "Pendulum_sac", 1, -200.0, {}),
    "ppo": Task("Pendulum-v1", "Pendulum", 64, -250.0, {"time_horizon": 32}),
    "cartpole": Task("CartPole-v1", "CartPole", 8, 475.0, {}),
}
"""PPO's horizon is the peers' number of steps a copy: 2,048 decisions of 64 copies, 1,024 of 8."""


class Progress:
    """Counts the steps and returns of all copies, and prints a line a summary as `observe` reads it.

    Args:
      every: steps between summaries.

    Attributes:
      steps: so far.
    """

    def __init__(self, every: int) -> None:
        self._every = every
        self.steps = 0
        self._returns: list[float] = []

    def step(self) -> None:
        """Count a step."""
        self.steps += 1
        if self.steps % self._every == 0:
            mean = f" Mean Reward: {sum(self._returns) / len(self._returns):.3f}." if self._returns else ""
            print(f"Step: {self.steps}.{mean}", flush=True)
            self._returns.clear()

    def end(self, total: float) -> None:
        """Count an episode."""
        self._returns.append(total)


class Watched(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment that tells a `Progress` how it goes, and scales what is learned from.

    Args:
      env: the environment.
      progress: told every step, and the unscaled return of every episode.
      strength: factor of the reward.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], progress: Progress, strength: float) -> None:
        super().__init__(env)
        self._progress = progress
        self._strength = strength
        self._total = 0.0

    def reset(self, **kwargs: Any) -> tuple[Any, dict[str, Any]]:
        """Do as the environment's own method."""
        self._total = 0.0
        return self.env.reset(**kwargs)

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Do as the environment's own method."""
        observation, reward, terminated, truncated, info = self.env.step(action)
        self._total += float(reward)
        if terminated or truncated:
            self._progress.end(self._total)
        self._progress.step()
        return observation, self._strength * float(reward), terminated, truncated, info


def maker(task: Task, progress: Progress) -> Callable[[], Watched]:
    """Return a function that makes copies of the task's environment, which all tell one `Progress`."""
    strength = task.behavior()[1]["reward_signals"]["extrinsic"]["strength"]
    return lambda: Watched(gymnasium.make(task.env_id), progress, strength)


def arguments(description: str | None) -> argparse.Namespace:
    """Parse what every peer takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("--max-steps", type=int, required=True)
    parser.add_argument("--summary-freq", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()
