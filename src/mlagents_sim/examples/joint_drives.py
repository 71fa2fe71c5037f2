"""What actions do to the drives of a ragdoll's joints, in Crawler, Walker and Worm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.articulated import Ragdoll, Ragdolls, from_euler
from mlagents_sim.row_index import ALL, RowIndex

AXES = "xyz"


class JointDrives:
    """Turns actions into targets and force limits of drives.

    Args:
      ragdoll: the description of the ragdolls; its joints are named by their children.
      ragdolls: one row per agent.
      turned: joint and axes, in the order of actions: ("leg0", "xy") takes two.
      strengths: joints whose force limit an action sets; these actions follow those.
      most_force: the force limit of a joint at full strength.
      first_force: that of all joints before anybody has acted.

    Attributes:
      size: how many actions there are.
      rotation: float64 [agents, joints, 3], where in their range targets are, 0 to 1; 0 about locked axes, and
        before anybody has acted.
      strength: float64 [agents, joints], part of `most_force`, 0 before anybody has acted.
    """

    def __init__(
        self,
        ragdoll: Ragdoll,
        ragdolls: Ragdolls,
        turned: Sequence[tuple[str, str]],
        strengths: Sequence[str],
        most_force: float,
        first_force: float = 0.0,
    ) -> None:
        index = {joint.child: i for i, joint in enumerate(ragdoll.joints)}
        axes = [(index[name], AXES.index(axis)) for name, letters in turned for axis in letters]
        self._joints, self._axes = np.array(axes).T
        self._driven = np.array([index[name] for name, _ in turned])
        self._strong = np.array([index[name] for name in strengths])
        self._low = np.array([(j.x[0], -j.y, -j.z) for j in ragdoll.joints])
        self._range = np.array([(j.x[1] - j.x[0], 2.0 * j.y, 2.0 * j.z) for j in ragdoll.joints])
        self._most_force, self._first_force = most_force, first_force
        self._ragdolls = ragdolls
        agents, joints = ragdolls.force_limit.shape
        self.size = len(axes) + len(strengths)
        self.rotation = np.zeros((agents, joints, 3))
        self.strength = np.zeros((agents, joints))
        self.clear()

    def clear(self, rows: RowIndex = ALL) -> None:
        """Begin as if nobody had ever acted."""
        self.rotation[rows], self.strength[rows] = 0.0, 0.0
        self._ragdolls.target[rows] = (1.0, 0.0, 0.0, 0.0)
        self._ragdolls.force_limit[rows] = self._first_force

    def apply(self, actions: NDArray[np.float32]) -> None:
        """Set all targets and force limits. They stay until the next actions, beyond the end of an episode, too.

        Axes of a driven joint that no action turns are held in the middle of their range.

        Args:
          actions: float32 [agents, size], -1 to 1 from the lowest to the highest turn, and from no to all strength.
        """
        actions = actions.astype(np.float64)
        middle = np.zeros(self.rotation.shape)
        middle[:, self._joints, self._axes] = actions[:, : len(self._joints)]
        part, driven = 0.5 * (middle + 1.0), self._driven
        degrees = self._low[driven] + part[:, driven] * self._range[driven]
        self._ragdolls.target[:, driven] = from_euler(*np.moveaxis(degrees, -1, 0))
        self.rotation[:, driven] = np.where(self._range > 0.0, np.clip(part, 0.0, 1.0), 0.0)[:, driven]
        strength = 0.5 * (actions[:, len(self._joints) :] + 1.0)
        self.strength[:, self._strong] = strength
        self._ragdolls.force_limit[:, self._strong] = np.maximum(strength, 0.0) * self._most_force

    def state_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Return what is observed of the drives; their targets and limits belong to the ragdolls."""
        return {"drive_rotation": self.rotation, "drive_strength": self.strength}
