"""Random streams: one for every part of a run, so that nothing starts equal by accident."""

from __future__ import annotations

import hashlib

import numpy as np


def stream(seed: int, behavior: str, part: str) -> np.random.Generator:
    """Return the random stream of one part of a behavior's run.

    Streams of other seeds, behaviors or parts are independent: the three are hashed together.

    Args:
      seed: of the run, 0 or more.
      behavior: name.
      part: what the numbers are for, such as "policy" or "reward_signals.curiosity".
    """
    name = hashlib.sha256(f"{behavior}\0{part}".encode()).digest()
    return np.random.default_rng([seed, *np.frombuffer(name, np.uint32).tolist()])
