"""A game of groups for whoever trains a `BaseEnv`: runs in our environment, and in `.venv-official`.

It takes the trainer's CPU time from inside: from one number of agent steps to another. Then it writes what it took to
the file that TEAM_GAME_RESULT names, as JSON, and ends the process.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from mlagents_envs.base_env import (
    ActionSpec,
    ActionTuple,
    BaseEnv,
    BehaviorMapping,
    BehaviorSpec,
    DecisionSteps,
    DimensionProperty,
    ObservationSpec,
    ObservationType,
    TerminalSteps,
)

NAME = "Team?team=0"
GROUPS, MEMBERS, ROUNDS, OBSERVED, CHOICES = 16, 3, 32, 120, 7
BATCH, BUFFER, HORIZON, UNITS = 256, 2048, 64, 128
WARM_BUFFERS, MEASURED_BUFFERS = 2, 4


def configuration() -> dict[str, Any]:
    """Return what both trainers are to do; every JSON document is a YAML document, too."""
    behavior = {
        "trainer_type": "poca",
        "hyperparameters": {"batch_size": BATCH, "buffer_size": BUFFER, "num_epoch": 3},
        "network_settings": {"hidden_units": UNITS, "num_layers": 2},
        "reward_signals": {"extrinsic": {"gamma": 0.99, "strength": 1.0}},
        "max_steps": 10_000_000,
        "time_horizon": HORIZON,
        "summary_freq": 1_000_000,
    }
    return {"behaviors": {"Team": behavior}}


class TeamGame(BaseEnv):
    """Every round, each group earns the share of its members that choose the largest of the first seven numbers seen.

    Args:
      seed: of the numbers.
    """

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        agents = GROUPS * MEMBERS
        seen = ObservationSpec((OBSERVED,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "numbers")
        self._specs = BehaviorMapping({NAME: BehaviorSpec([seen], ActionSpec.create_discrete((CHOICES,)))})
        self._rng = np.random.default_rng(seed)
        self._ids = np.arange(agents, dtype=np.int32)
        self._groups = (1 + self._ids // MEMBERS).astype(np.int32)
        self._nothing = np.zeros(agents, np.float32)
        self._steps, self._begun_s = 0, 0.0

    @property
    def behavior_specs(self) -> BehaviorMapping:
        """Observations and actions of the one behavior."""
        return self._specs

    def reset(self) -> None:
        """Begin an episode for all groups."""
        self._round, self._over = 0, False
        self._earned = self._nothing
        self._draw()

    def _draw(self) -> None:
        self._seen = self._rng.standard_normal((len(self._ids), OBSERVED), np.float32)

    def set_actions(self, behavior_name: str, action: ActionTuple) -> None:
        """Let everybody choose."""
        right = action.discrete[:, 0] == self._seen[:, :CHOICES].argmax(axis=1)
        share = right.reshape(GROUPS, MEMBERS).mean(axis=1)
        self._earned = np.repeat(share, MEMBERS).astype(np.float32)

    def set_action_for_agent(self, behavior_name: str, agent_id: int, action: ActionTuple) -> None:
        """Do not: no trainer calls this."""
        raise NotImplementedError

    def step(self) -> None:
        """Play a round."""
        self._count()
        self._round = (self._round + 1) % ROUNDS
        self._over = self._round == 0
        self._draw()

    def get_steps(self, behavior_name: str) -> tuple[DecisionSteps, TerminalSteps]:
        """Return what the agents see, and what their groups have earned."""
        earned, none = self._earned, self._nothing
        if not self._over:
            decisions = DecisionSteps([self._seen], none, self._ids, None, self._groups, earned)
            return decisions, TerminalSteps.empty(self._specs[NAME])
        decisions = DecisionSteps([self._seen], none, self._ids, None, self._groups, none)
        ended = np.zeros(len(self._ids), np.bool_)
        return decisions, TerminalSteps([self._seen], none, ended, self._ids, self._groups, earned)

    def close(self) -> None:
        """Do nothing."""

    def _count(self) -> None:
        """Take the time where the trainer has filled its buffer so often."""
        before, self._steps = self._steps, self._steps + len(self._ids)
        begin, end = WARM_BUFFERS * BUFFER, (WARM_BUFFERS + MEASURED_BUFFERS) * BUFFER
        if before < begin <= self._steps:
            self._begun_s = time.process_time()
        if before < end <= self._steps:
            took = {"steps": end - begin, "cpu_s": time.process_time() - self._begun_s}
            Path(os.environ["TEAM_GAME_RESULT"]).write_text(json.dumps(took))
            os._exit(0)
