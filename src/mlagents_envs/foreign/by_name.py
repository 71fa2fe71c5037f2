"""Environments of other libraries by name: `gym:CartPole-v1`, `pettingzoo:pettingzoo.butterfly.pistonball_v6`."""

from __future__ import annotations

from collections.abc import Callable

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.exception import UnityActionException, UnityEnvironmentException, UnityObservationException
from mlagents_envs.side_channel.side_channel import SideChannel


def make_foreign(
    name: str,
    *,
    seed: int = 0,
    num_areas: int | None = None,
    side_channels: list[SideChannel] | None = None,
    render_mode: str | None = None,
) -> BaseEnv:
    """Make an environment of another library; see `make_gymnasium`, which alone draws, and `make_pettingzoo`.

    Raises:
      UnityException: the library is not installed, has no such environment, or it cannot be learned.
      ValueError: `num_areas` is less than 1.
    """
    kind, _, inner = name.partition(":")
    try:
        if kind == "gym":
            from mlagents_envs.foreign.from_gymnasium import make_gymnasium

            make: Callable[..., BaseEnv] = make_gymnasium
        else:
            from mlagents_envs.foreign.from_pettingzoo import make_pettingzoo

            make = make_pettingzoo
    except ImportError as error:
        raise UnityEnvironmentException(
            f"{name} needs a library: {error}. pip install 'mlagents-jax[{kind}]'"
        ) from error
    mode = {"render_mode": render_mode} if render_mode and kind == "gym" else {}
    try:
        return make(inner, seed=seed, num_areas=num_areas, side_channels=side_channels, **mode)
    except (UnityObservationException, UnityActionException) as error:  # of its spaces
        raise type(error)(f"{name}: {error}") from error
