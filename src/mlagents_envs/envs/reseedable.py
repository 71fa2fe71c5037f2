"""Seeds at `reset()`, which Gymnasium and PettingZoo want and `BaseEnv` does not have."""

from __future__ import annotations

from collections.abc import Callable

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.logging_util import get_logger

logger = get_logger(__name__)

MakeEnv = Callable[[int], BaseEnv]
"""A seed -> a fresh environment."""


class Reseedable:
    """An environment that is made anew to get another seed, if it was given as a function of the seed.

    Args:
      env: the environment, or a function that makes it.
      seed: the first, for the function.

    Attributes:
      env: the environment as it is now.
    """

    def __init__(self, env: BaseEnv | MakeEnv, seed: int = 0) -> None:
        self._make = None if isinstance(env, BaseEnv) else env
        self._warned = False
        self._closed = False
        self.env = env if isinstance(env, BaseEnv) else env(seed)

    def reseed(self, seed: int) -> None:
        """Replace the environment by one with this seed; without the function, say once that it cannot be done.

        The new environment knows nothing of what the old one was told through side channels.
        """
        if self._make is not None:
            self.env.close()
            self.env = self._make(seed)
        elif not self._warned:
            self._warned = True
            logger.warning(
                f"reset(seed={seed}) changes nothing: the environment got its seed when it was made. To seed it here, "
                "give the wrapper a function, as `lambda seed: default_registry['3DBall'].make(seed=seed)`."
            )

    def close(self) -> None:
        """Close the environment; may be called again."""
        if not self._closed:
            self._closed = True
            self.env.close()
