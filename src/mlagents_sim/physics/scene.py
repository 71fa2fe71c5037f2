"""Many training areas in one MuJoCo model."""

from __future__ import annotations

import ctypes
import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import llvmlite.binding  # type: ignore[import-untyped]  # numba brings it
import mujoco
import numpy as np
from numpy.typing import NDArray

from mlagents_sim.physics.rules import TIME_STEP_S

BuildArea = Callable[[mujoco.MjSpec, str, NDArray[np.float64]], None]
"""(the whole scene, a prefix for names, the area's origin): adds one area to the scene."""


def compose(build_area: BuildArea, origins: NDArray[np.float64], substeps: int) -> Any:
    """Return one model of many areas.

    Gravity is off, `rules.apply_gravity` applies it. Elliptic friction cones, and no islands: in scenes of
    many small areas both save time.

    Args:
      build_area: adds one area. Collisions between areas must be excluded by explicit contact pairs or
        by distance.
      origins: float64 [areas, 3], m.
      substeps: MuJoCo steps per 0.02 s.

    Returns: The compiled mujoco.MjModel.
    """
    spec = mujoco.MjSpec()
    spec.option.timestep = TIME_STEP_S / substeps
    spec.option.gravity = (0.0, 0.0, 0.0)
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    # Before MuJoCo 3.3.6 islands were off unless asked for.
    spec.option.disableflags |= getattr(mujoco.mjtDisableBit, "mjDSBL_ISLAND", 0)
    for area, origin in enumerate(origins):
        build_area(spec, f"area{area}/", origin)
    return spec.compile()


_STATE: Final = (  # as mjSTATE_INTEGRATION, but for the time, on which nothing here depends
    "qpos",
    "qvel",
    "act",
    "qacc_warmstart",
    "ctrl",
    "qfrc_applied",
    "xfrc_applied",
    "eq_active",
    "mocap_pos",
    "mocap_quat",
)
_CHANGEABLE: Final = (
    "geom_size",
    "geom_rbound",
    "geom_aabb",
    "body_mass",
    "body_subtreemass",
    "body_inertia",
    "body_invweight0",
    "dof_M0",
    "dof_invweight0",
)


class Scene:
    """A model and its data, with the addresses that compiled code needs.

    Attributes:
      model: mujoco.MjModel.
      data: mujoco.MjData.
      model_address: for `mj_step` in compiled functions.
      data_address: as `model_address`.
    """

    def __init__(self, model: Any) -> None:
        _link_mj_step()
        self.model = model
        self.data: Any = mujoco.MjData(model)
        self.model_address: int = model._address
        self.data_address: int = self.data._address

    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """Return arrays that decide how the physics goes on, MuJoCo's own: the state, and what `set_...` changes."""
        data, model = self.data, self.model
        of_data = {name: getattr(data, name) for name in _STATE}
        of_model = {name: getattr(model, name) for name in _CHANGEABLE}
        return {name: array for name, array in {**of_data, **of_model}.items() if array.size}

    def set_free_spheres(
        self, bodies: NDArray[np.intp], radius: NDArray[np.float64], mass: NDArray[np.float64]
    ) -> None:
        """Change size and mass of solid spheres, each the only geom of a body that moves freely.

        Writes what `mujoco.mj_setConst` would derive, for these bodies alone; nothing if nothing changes.

        Args:
          bodies: [n], ids.
          radius: float64 [n], m.
          mass: float64 [n], kg.
        """
        model = self.model
        geoms = model.body_geomadr[bodies]
        if (model.body_mass[bodies] == mass).all() and (model.geom_size[geoms, 0] == radius).all():
            return
        inertia = 0.4 * mass * radius**2
        model.geom_size[geoms, 0] = radius
        model.geom_rbound[geoms] = radius
        model.geom_aabb[geoms, 3:] = radius[:, np.newaxis]
        model.body_mass[bodies] = model.body_subtreemass[bodies] = mass
        model.body_inertia[bodies] = inertia[:, np.newaxis]
        model.body_invweight0[bodies] = np.stack((1.0 / mass, 1.0 / inertia), axis=1)
        dofs = model.body_dofadr[bodies]
        for axis in range(3):
            model.dof_M0[dofs + axis], model.dof_M0[dofs + 3 + axis] = mass, inertia
            model.dof_invweight0[dofs + axis], model.dof_invweight0[dofs + 3 + axis] = (
                1.0 / mass,
                1.0 / inertia,
            )


@functools.cache
def _link_mj_step() -> None:
    """Tell the linker of compiled functions where MuJoCo's own mj_step is."""
    name = {"win32": "mujoco.dll", "darwin": "libmujoco*.dylib"}.get(sys.platform, "libmujoco.so*")
    package = Path(mujoco.__file__).parent
    library = ctypes.CDLL(str(next(package.glob(name))))
    llvmlite.binding.add_symbol("mj_step", ctypes.cast(library.mj_step, ctypes.c_void_p).value)
