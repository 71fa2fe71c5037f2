"""The published trainer settings of 3DBall, for every system alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

AGENTS = 12
BATCH_SIZE = 64
BUFFER_SIZE = 12000
EPOCHS = 3
LEARNING_RATE = 3e-4
BETA = 1e-3
EPSILON = 0.2
LAMBDA = 0.99
GAMMA = 0.99
HORIZON = 1000
HIDDEN_UNITS = 128
MAX_STEPS = 500_000
SUMMARY_STEPS = 12_000
REWARD_REACHED = 90.0


def behavior(**changes: Any) -> dict[str, Any]:
    """Return the section of a behavior as the configuration has it; `changes` are hyperparameters."""
    return {
        "trainer_type": "ppo",
        "hyperparameters": {
            "batch_size": BATCH_SIZE,
            "buffer_size": BUFFER_SIZE,
            "learning_rate": LEARNING_RATE,
            "learning_rate_schedule": "linear",
            "beta": BETA,
            "epsilon": EPSILON,
            "lambd": LAMBDA,
            "num_epoch": EPOCHS,
            **changes,
        },
        "network_settings": {"normalize": True, "hidden_units": HIDDEN_UNITS, "num_layers": 2},
        "reward_signals": {"extrinsic": {"gamma": GAMMA, "strength": 1.0}},
        "max_steps": MAX_STEPS,
        "time_horizon": HORIZON,
        "summary_freq": SUMMARY_STEPS,
    }


def write_configuration(path: Path, max_steps: int) -> None:
    """Write a configuration for `mlagents-learn`; every JSON document is a YAML document, too."""
    path.write_text(json.dumps({"behaviors": {"3DBall": behavior() | {"max_steps": max_steps}}}))
