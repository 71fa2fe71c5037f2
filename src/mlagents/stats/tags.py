"""Statistic tags with a meaning for the writers. Any other tag is a plain scalar."""

from __future__ import annotations

from typing import Final

CUMULATIVE_REWARD: Final = "Environment/Cumulative Reward"
GROUP_CUMULATIVE_REWARD: Final = "Environment/Group Cumulative Reward"
EPISODE_LENGTH: Final = "Environment/Episode Length"
ELO: Final = "Self-play/ELO"
IS_TRAINING: Final = "Is Training"
STEP: Final = "Step"
