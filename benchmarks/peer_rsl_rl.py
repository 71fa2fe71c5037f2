"""3DBall with many areas trained by rsl_rl's PPO."""

from __future__ import annotations

import measure  # noqa: F401  # settles the number of threads

# isort: split
import numpy as np
import official
import torch
from many_agents_settings import Settings, parse
from peer_environment import Balls
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner
from tensordict import TensorDict


class BallsVecEnv(VecEnv):
    """The form in which rsl_rl wants environments."""

    def __init__(self, balls: Balls) -> None:
        self._balls = balls
        self.num_envs, self.num_actions = balls.agents, balls.action_size
        self.max_episode_length = 1000
        self.episode_length_buf = torch.zeros(balls.agents, dtype=torch.long)
        self.device, self.cfg = "cpu", {}
        self._seen = self._seen_as(balls.reset())

    def _seen_as(self, observations: np.ndarray) -> TensorDict:
        return TensorDict({"policy": torch.from_numpy(observations.copy())}, batch_size=[self.num_envs])

    def get_observations(self) -> TensorDict:
        """Return the present ones."""
        return self._seen

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        """Step; episodes that were cut are time-outs."""
        step = self._balls.step(actions.numpy())
        self._seen = self._seen_as(step.observations)
        extras = {"time_outs": torch.from_numpy(step.truncated.astype(np.float32))}
        done = torch.from_numpy(step.done.astype(np.float32))
        return self._seen, torch.from_numpy(step.reward.copy()), done, extras


def configuration(settings: Settings) -> dict[str, object]:
    """Return the settings in rsl_rl's words."""
    network = {
        "class_name": "rsl_rl.models.MLPModel",
        "hidden_dims": [official.HIDDEN_UNITS] * 2,
        "activation": "swish",
        "obs_normalization": True,
    }
    return {
        "num_steps_per_env": settings.buffer_size // settings.agents,
        "save_interval": 10**9,
        "check_for_nan": False,
        "obs_groups": {"actor": ["policy"], "critic": ["policy"]},
        "actor": network | {"distribution_cfg": {"class_name": "GaussianDistribution"}},
        "critic": network,
        "algorithm": {
            "class_name": "rsl_rl.algorithms.PPO",
            "num_learning_epochs": official.EPOCHS,
            "num_mini_batches": settings.buffer_size // settings.batch_size,
            "gamma": official.GAMMA,
            "lam": official.LAMBDA,
            "entropy_coef": official.BETA,
            "clip_param": official.EPSILON,
            "learning_rate": official.LEARNING_RATE,
            "schedule": "fixed",
        },
    }


def main() -> None:
    settings = parse(__doc__)
    torch.set_num_threads(1)
    torch.manual_seed(1)
    runner = OnPolicyRunner(BallsVecEnv(Balls(settings.agents, 1)), configuration(settings), log_dir=None)
    runner.learn(settings.max_steps // settings.buffer_size)


if __name__ == "__main__":
    main()
