"""Runs in `.venv-official`: the official trainer's POCA on `team_game`, in one process, until the game ends it.

peer_official_poca.py FOLDER
"""

from __future__ import annotations

import measure  # noqa: F401  # settles the number of threads

# isort: split
import sys

import torch
from mlagents.plugins.trainer_type import register_trainer_plugins
from mlagents.trainers.environment_parameter_manager import EnvironmentParameterManager
from mlagents.trainers.simple_env_manager import SimpleEnvManager
from mlagents.trainers.trainer import TrainerFactory
from mlagents.trainers.trainer_controller import TrainerController
from team_game import TeamGame, configuration

from mlagents.trainers.settings import RunOptions
from mlagents_envs.side_channel.environment_parameters_channel import EnvironmentParametersChannel


def main() -> None:
    (folder,) = sys.argv[1:]
    torch.set_num_threads(1)
    register_trainer_plugins()
    options = RunOptions.from_dict(configuration())
    parameters = EnvironmentParameterManager()
    factory = TrainerFactory(
        trainer_config=options.behaviors,
        output_path=folder,
        train_model=True,
        load_model=False,
        seed=1,
        param_manager=parameters,
    )
    controller = TrainerController(factory, folder, "bench", parameters, train=True, training_seed=1)
    controller.start_learning(SimpleEnvManager(TeamGame(1), EnvironmentParametersChannel()))


if __name__ == "__main__":
    main()
