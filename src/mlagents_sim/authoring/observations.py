"""The numbers that an agent adds in `collect_observations`."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.exception import UnityObservationException


class ObservationWriter:
    """Takes an agent's vector observation, number by number.

    Args:
      size: how many numbers there are to be.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: list[float] = []

    def add_observation(self, value: ArrayLike) -> None:
        """Add a number, a truth value (0 or 1), or all numbers of a vector or quaternion as it stands."""
        if isinstance(value, (int, float)):  # bool is an int
            self._values.append(value)
        else:
            self._values.extend(np.asarray(value, np.float64).ravel().tolist())

    def add_quaternion_observation(self, quat: ArrayLike) -> None:
        """Add a rotation that is stored as MuJoCo does, (w, x, y, z), in Unity's order (x, y, z, w)."""
        w, x, y, z = np.asarray(quat, np.float64).tolist()
        self._values += (x, y, z, w)

    def add_one_hot_observation(self, choice: int, choices: int) -> None:
        """Add as many numbers as there are choices: 1 for the one that holds, 0 for the others.

        Raises:
          UnityObservationException: there is no such choice.
        """
        if not 0 <= choice < choices:
            raise UnityObservationException(f"One-hot observation of choice {choice}; expected 0 to {choices - 1}.")
        self._values += [float(number == choice) for number in range(choices)]

    def take(self, who: str) -> NDArray[np.float32]:
        """Return the numbers so far, float32 [size]; the next observation starts empty.

        Args:
          who: the behavior and agent, for errors.

        Raises:
          UnityObservationException: too many or too few, or one is NaN or infinite.
        """
        values, self._values = np.array(self._values, np.float32), []
        if len(values) != self._size:
            raise UnityObservationException(
                f"{who}: collect_observations added {len(values)} numbers; expected {self._size}, the "
                "vector_observation_size of its BehaviorParameters."
            )
        if not np.isfinite(values).all():
            index = int(np.flatnonzero(~np.isfinite(values))[0])
            raise UnityObservationException(f"{who}: number {index} of collect_observations is {values[index]}.")
        return values
