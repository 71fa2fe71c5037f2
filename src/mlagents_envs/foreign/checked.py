"""Single Gymnasium environments, watched: what they return has the form that their spaces say."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from mlagents_envs.exception import UnityObservationException


class CheckedEnv(gymnasium.Wrapper[Any, Any, Any, Any]):
    """An environment whose wrong returns are told with its name and both shapes, not found later in numpy.

    Args:
      env: the environment.
      title: what messages call it.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], title: str) -> None:
        super().__init__(env)
        self._title = title
        self._shape = env.observation_space.shape

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Do as the environment's own method.

        Raises:
          UnityObservationException: what it returns is not an observation of its space and an info.
        """
        returned: Any = super().reset(seed=seed, options=options)
        self._check("reset()", returned, "observation, info")
        observation, info = returned
        return observation, info

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Do as the environment's own method.

        Raises:
          UnityObservationException: what it returns is not of the five parts of a step, or one has another form.
        """
        returned: Any = self.env.step(action)
        if type(returned) is tuple and len(returned) == 5:
            observation, reward, terminated, truncated, info = returned
            if type(observation) is np.ndarray and observation.shape == self._shape and isinstance(reward, float):
                return observation, reward, terminated, truncated, info  # as nearly always
        self._check("step()", returned, "observation, reward, terminated, truncated, info")
        if not isinstance(returned[1], float) and np.size(returned[1]) != 1:
            raise UnityObservationException(
                f"{self._title}: step() returned a reward of shape {np.shape(returned[1])}; expected a number."
            )
        observation, reward, terminated, truncated, info = returned
        return observation, reward, terminated, truncated, info

    def _check(self, method: str, returned: Any, parts: str) -> None:
        expected = parts.count(",") + 1
        if not isinstance(returned, tuple) or len(returned) != expected:
            found = f"{len(returned)} values" if isinstance(returned, tuple) else f"a {type(returned).__name__}"
            raise UnityObservationException(
                f"{self._title}: {method} returned {found}; expected {expected}: {parts}. Environments for gym before "
                "0.26 need a wrapper, such as shimmy's GymV21CompatibilityV0."
            )
        if (misfit := _misfit(self.observation_space, returned[0], "")) is not None:
            raise UnityObservationException(f"{self._title}: {method} returned an observation {misfit}.")


def _misfit(space: spaces.Space[Any], value: Any, place: str) -> str | None:
    """Return how a value differs in form from its space; None if it does not."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        kind = dict if isinstance(space, spaces.Dict) else tuple
        parts: dict[Any, spaces.Space[Any]] = (
            dict(space.spaces) if isinstance(space, spaces.Dict) else dict(enumerate(space.spaces))
        )
        if not isinstance(value, kind) or len(value) < len(parts) or (kind is dict and not set(parts) <= set(value)):
            entries = list(value) if isinstance(value, dict) else f"a {type(value).__name__}"
            return f"{place and f'{place} '}with {entries}; expected a {kind.__name__} with {list(parts)}"
        inner = (_misfit(inner_space, value[key], f"{place}[{key!r}]") for key, inner_space in parts.items())
        return next((found for found in inner if found is not None), None)
    expected = space.shape
    shape = value.shape if isinstance(value, np.ndarray) else np.shape(value)
    if expected is None or shape == expected:
        return None
    return f"{place and f'{place} '}of shape {shape}; its space {space} says {expected}"
