"""The package `gym_unity` of 2020, for programs that import it: `gym_unity.envs`."""

from mlagents_envs import __version__

__all__ = ["__version__"]
