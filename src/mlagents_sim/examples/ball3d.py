"""3DBall and 3DBallHard: keep a ball on a platform by tilting it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlagents_envs.base_env import ActionSpec
from mlagents_sim.academy import World
from mlagents_sim.agent import ENDED, INTERRUPTED, PLAYING, AgentBatch
from mlagents_sim.entry import SimEntry
from mlagents_sim.parameters import EnvironmentParameters, Parameter
from mlagents_sim.physics.compiled import compiled, mj_step
from mlagents_sim.physics.rules import (
    apply_angular_drag,
    apply_gravity,
    push_out_of_box,
    turn_x,
    turn_z,
)
from mlagents_sim.rows import Rows
from mlagents_sim.sensors import StackingSensor, VectorSensor

if TYPE_CHECKING:
    import mujoco

    from mlagents_sim.physics.scene import Scene

# Time and rewards
MAX_STEP: Final = 5000
DECISION_PERIOD: Final = 5
BALANCE_REWARD: Final = 0.1
FALL_REWARD: Final = -1.0
STACKED_FRAMES: Final = 9  # 3DBallHard

# Platform
HALF_SIZE_M: Final = 2.5
TURN_RAD: Final = np.radians(2.0)  # per physics step, at full action
TILT_LIMIT: Final = 0.25  # of the rotation's quaternion component
RESET_TILT_RAD: Final = np.radians(10.0)

# Ball
START_HEIGHT_M: Final = 4.0
START_SPREAD_M: Final = 1.5
LOWEST_M: Final = -2.0
FARTHEST_M: Final = 3.0
ANGULAR_DRAG: Final = 0.01
FRICTION: Final = 0.6

# MuJoCo: the variant that came closest to a recording made in Unity
SUBSTEPS: Final = 4
SOLREF: Final = (0.01, 1.0)
RESTING_DEPTH_M: Final = 0.0003

PARAMETERS: Final = {
    "mass": Parameter("mass of the ball, kg", 1.0, 0.1, 20.0),
    "scale": Parameter("diameter of the ball, m", 1.0, 0.2, 5.0),
    "gravity": Parameter("gravity, m/s^2", 9.81, 4.0, 105.0),
}


# Scene


def _origins(areas: int) -> NDArray[np.float64]:
    """float64 [areas, 3]: layers of 4 x 3 platforms, 9 m apart."""
    index = np.arange(areas)
    return np.stack([index % 4 * 9.0 - 9.0, index // 4 % 3 * 9.0 - 9.0, index // 12 * 9.0 + 5.0], axis=1)


def _build_area(spec: mujoco.MjSpec, prefix: str, origin: NDArray[np.float64]) -> None:
    """A platform that is moved by hand and a ball that moves freely; they touch each other, and nothing else."""
    import mujoco

    platform = spec.worldbody.add_body(name=prefix + "platform", pos=origin, mocap=True)
    box = platform.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[HALF_SIZE_M] * 3)
    ball = spec.worldbody.add_body(name=prefix + "ball", pos=origin + (0.0, START_HEIGHT_M, 0.0))
    ball.add_freejoint()
    sphere = ball.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.5, 0.0, 0.0], mass=1.0)
    for name, geom in ((prefix + "platform", box), (prefix + "ball", sphere)):
        geom.name, geom.contype, geom.conaffinity = name, 0, 0
    friction = [FRICTION, FRICTION, 0.0, 0.0, 0.0]
    spec.add_pair(
        geomname1=box.name, geomname2=sphere.name, condim=3, friction=friction, solref=SOLREF
    )
