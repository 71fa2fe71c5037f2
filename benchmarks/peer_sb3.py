"""3DBall trained by Stable-Baselines3's PPO, at the official settings if nothing else is said."""

from __future__ import annotations

import measure  # noqa: F401  # settles the number of threads

# isort: split
import argparse
from typing import Any

import gymnasium
import numpy as np
import official
import torch
from peer_environment import ACTION_LIMIT, Balls, Step
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecEnv, VecNormalize


class BallsVecEnv(VecEnv):
    """The form in which Stable-Baselines3 wants environments."""

    def __init__(self, balls: Balls) -> None:
        observation = gymnasium.spaces.Box(-np.inf, np.inf, (balls.observation_size,), np.float32)
        action = gymnasium.spaces.Box(-ACTION_LIMIT, ACTION_LIMIT, (balls.action_size,), np.float32)
        self._balls = balls
        self._actions = np.zeros((balls.agents, balls.action_size), np.float32)
        self.render_mode = None
        super().__init__(balls.agents, observation, action)

    def reset(self) -> np.ndarray:
        """Begin anew."""
        return self._balls.reset()

    def step_async(self, actions: np.ndarray) -> None:
        """Take over the actions."""
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict[str, Any]]]:
        """Step, and say of finished episodes what they ended with."""
        step: Step = self._balls.step(self._actions)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for row, observation in step.last_observations.items():
            infos[row]["terminal_observation"] = observation
            infos[row]["TimeLimit.truncated"] = bool(step.truncated[row])
        return step.observations, step.reward, step.done, infos

    def close(self) -> None:
        """Nothing to close."""

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return the same for every environment."""
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Not supported."""
        raise NotImplementedError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Not supported."""
        raise NotImplementedError(method_name)

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """No wrappers."""
        return [False] * self.num_envs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--max-steps", type=int, default=official.MAX_STEPS)
    parser.add_argument("--agents", type=int, default=official.AGENTS)
    parser.add_argument("--batch-size", type=int, default=official.BATCH_SIZE)
    parser.add_argument("--buffer-size", type=int, default=official.BUFFER_SIZE)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    env = BallsVecEnv(Balls(arguments.agents, arguments.seed))
    hidden = [official.HIDDEN_UNITS] * 2
    PPO(
        "MlpPolicy",
        VecNormalize(env, norm_reward=False, clip_obs=5.0, gamma=official.GAMMA),
        learning_rate=lambda remaining: official.LEARNING_RATE * remaining,
        n_steps=arguments.buffer_size // arguments.agents,
        batch_size=arguments.batch_size,
        n_epochs=official.EPOCHS,
        gamma=official.GAMMA,
        gae_lambda=official.LAMBDA,
        clip_range=lambda remaining: 0.1 + (official.EPSILON - 0.1) * remaining,
        ent_coef=official.BETA,
        policy_kwargs={"net_arch": {"pi": hidden, "vf": hidden}, "activation_fn": torch.nn.SiLU},
        seed=arguments.seed,
        device="cpu",
    ).learn(arguments.max_steps)


if __name__ == "__main__":
    main()
