"""Unity's rule for one rigid contact: what velocity it demands along its normal, and how much friction it has.

A time step is solved twice. First come velocities that move the bodies: what overlaps is pushed apart, what is nearly
touching may close most of its gap. Then come the velocities that stay: nothing is left of the push. So what overlaps
is moved apart, and is not thrown away.

Held against recordings made in Unity: 3DBall's balls land, roll and hop by these numbers to 0.001 m/s, and Bouncer's
cube is caught above its floor by them to a millimetre.
"""

from __future__ import annotations

from typing import Final

from mlagents_sim.physics.compiled import compiled
from mlagents_sim.physics.rules import TIME_STEP_S

CONTACT_DISTANCE_M: Final = 0.02  # below it two bodies touch
DEPENETRATION_SPEED: Final = 10.0  # m/s
CORRECTION: Final = 0.8  # of a gap, or of a depth, that is closed in one step
BOUNCE_SPEED: Final = 2.0  # m/s; slower bodies do not bounce


@compiled
def moving_speed(gap: float) -> float:
    """Return the least speed apart of two bodies, m/s, while they are being moved.

    Args:
      gap: between their surfaces at the beginning of the step, m; negative if they overlap.
    """
    return min(-CORRECTION * gap / TIME_STEP_S, DEPENETRATION_SPEED)


@compiled
def staying_speed(gap: float) -> float:
    """Return what `moving_speed` does, of the velocities that stay."""
    return min(-CORRECTION * gap / TIME_STEP_S, 0.0)


@compiled
def bouncing_speed(speed: float, gap: float, bounciness: float) -> float:
    """Return the speed apart of two bodies that bounce off each other, m/s; 0 if they do not.

    Args:
      speed: along the normal, before; negative where they approach.
      gap: as for `moving_speed`.
      bounciness: part of the speed that is left.
    """
    bounces = -speed > BOUNCE_SPEED and -speed > gap / TIME_STEP_S
    return -bounciness * speed if bounces else 0.0
