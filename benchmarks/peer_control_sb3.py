"""Gymnasium's small environments trained by Stable-Baselines3's SAC or PPO at the settings of `config/gym`.

Prints `Step: N. Mean Reward: r.` lines.
"""

from __future__ import annotations

import measure  # noqa: F401  # settles the number of threads

# isort: split
from typing import Any

import classic_control
import torch
from stable_baselines3 import PPO, SAC
from stable_baselines3.common.vec_env import DummyVecEnv


def common(section: dict[str, Any], linear: bool) -> dict[str, Any]:
    """Return the arguments that both algorithms share."""
    rate = section["hyperparameters"]["learning_rate"]
    return {
        "learning_rate": (lambda remaining: rate * remaining) if linear else rate,
        "batch_size": section["hyperparameters"]["batch_size"],
        "gamma": section["reward_signals"]["extrinsic"]["gamma"],
        "device": "cpu",
    }


def sac(section: dict[str, Any], env: DummyVecEnv, seed: int) -> SAC:
    """Return the trainer; one update a step."""
    hp, network = section["hyperparameters"], section["network_settings"]
    return SAC(
        "MlpPolicy",
        env,
        buffer_size=hp["buffer_size"],
        learning_starts=hp["buffer_init_steps"],
        tau=hp["tau"],
        ent_coef=f"auto_{hp['init_entcoef']}",
        policy_kwargs={"net_arch": [network["hidden_units"]] * network["num_layers"]},
        seed=seed,
        **common(section, linear=False),
    )


def ppo(section: dict[str, Any], env: DummyVecEnv, seed: int) -> PPO:
    """Return the trainer; learning rate and clipping fall to their ends linearly, as ours do."""
    hp, network = section["hyperparameters"], section["network_settings"]
    hidden = [network["hidden_units"]] * network["num_layers"]
    return PPO(
        "MlpPolicy",
        env,
        n_steps=hp["buffer_size"] // env.num_envs,
        n_epochs=hp["num_epoch"],
        gae_lambda=hp["lambd"],
        clip_range=lambda remaining: 0.1 + (hp["epsilon"] - 0.1) * remaining,
        ent_coef=hp["beta"],
        policy_kwargs={"net_arch": {"pi": hidden, "vf": hidden}},
        seed=seed,
        **common(section, linear=True),
    )


def main() -> None:
    arguments = classic_control.arguments(__doc__)
    torch.set_num_threads(1)
    task = classic_control.TASKS[arguments.task]
    make = classic_control.maker(task, classic_control.Progress(arguments.summary_freq))
    env = DummyVecEnv([make for _ in range(task.copies)])
    section = task.behavior()[1]
    trainer = sac if section["trainer_type"] == "sac" else ppo
    trainer(section, env, arguments.seed).learn(arguments.max_steps)


if __name__ == "__main__":
    main()
