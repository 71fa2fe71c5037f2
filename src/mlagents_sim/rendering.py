"""Pictures of MuJoCo scenes, and of other bodies, drawn by MuJoCo without a window.

Unity's numbers are left-handed and MuJoCo draws right-handed, so every picture is turned left to right.
"""

from __future__ import annotations

import atexit
import ctypes
import functools
import os
import sys
import weakref
from typing import Any, Final

import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mlagents_envs.exception import UnityException
from mlagents_envs.spectating import BOX, CAPSULE, SPHERE
from mlagents_sim.physics.scene import Scene
from mlagents_sim.repainting import Bodies, Outlines, Part, part_around
from mlagents_sim.view import Pose, View
from mlagents_sim.visual_geoms import VisualGeoms

LIGHT_DIRECTION: Final = (-0.5417, -0.6428, 0.5417)
"""Down by 40 degrees and left by 45: Euler (40, -45, 0)."""
AMBIENT: Final = 0.62
DIFFUSE: Final = 0.78
SKY_TOP: Final = (0.56, 0.71, 0.85)
SKY_BOTTOM: Final = (0.90, 0.94, 0.96)

_SUPERSAMPLING: Final = 2
_SUN_DISTANCE: Final = 2.0  # in radii of the scene
_HAIR: Final = 5e-4
_MOST_SOLIDS: Final = 10_000  # more are left out
_HOW_TO_INSTALL: Final = (
    "On Debian and Ubuntu `apt-get install libegl1 libopengl0 libgl1-mesa-dri` brings a software renderer that needs"
    " no graphics card (or `apt-get install libosmesa6`, and set MUJOCO_GL=osmesa); on Fedora `dnf install mesa-libEGL"
    " mesa-dri-drivers`."
)


_GEOM_TYPE: Final = {
    BOX: mujoco.mjtGeom.mjGEOM_BOX,
    SPHERE: mujoco.mjtGeom.mjGEOM_SPHERE,
    CAPSULE: mujoco.mjtGeom.mjGEOM_CAPSULE,
}


class RenderingError(UnityException):
    """A picture cannot be drawn here; the message says what is missing."""


class Renderer:
    """Draws pictures of one size. All renderers of a process must be used by one thread.

    Args:
      bodies: what will be drawn: this scene at any time, or any solids.
      width: of the pictures.
      height: of the pictures.
      fov_deg: field of view from bottom to top.
      near_m: nothing closer is drawn.
      far_m: nothing farther is drawn.
      background: uint8, broadcastable to [height, width, 3], where there is nothing; None for black.
      shadows: centre, float64 [3], and radius, m, of where the sun casts shadows; None for no shadows.
      measures_depth: let `draw` say where there is nothing.

    Raises:
      RenderingError: there is no OpenGL on this machine.
    """

    def __init__(
        self,
        bodies: Bodies,
        width: int,
        height: int,
        *,
        fov_deg: float = 60.0,
        near_m: float = 0.3,
        far_m: float = 1000.0,
        background: NDArray[np.uint8] | None = None,
        shadows: tuple[NDArray[np.float64], float] | None = None,
        measures_depth: bool = False,
    ) -> None:
        self._gl = _gl_context()
        self._gl.make_current()
        model = bodies.model if isinstance(bodies, Scene) else mujoco.MjSpec().compile()
        model.vis.global_.offwidth, model.vis.global_.offheight = width, height
        model.vis.quality.offsamples = 0
        model.vis.quality.shadowsize = 0 if shadows is None else 2048
        if shadows is not None:
            # Towards the edge of the clipped box MuJoCo's shadow maps speckle what the sun shines on.
            model.vis.map.shadowclip = 2.0 * shadows[1] / model.stat.extent
        self._context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        _contexts[id(self._context)] = self._context
        weakref.finalize(self, _forget, self._gl, id(self._context)).atexit = False
        most = model.ngeom + 1 if isinstance(bodies, Scene) else _MOST_SOLIDS
        self._visual = mujoco.MjvScene(model, maxgeom=most)
        self._visual.flags[:] = 0
        self._visual.flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows is not None
        self._option, self._unused_camera = mujoco.MjvOption(), mujoco.MjvCamera()
        self._whole = Part(0, 0, width, height)
        self._pixels: NDArray[np.uint8] = np.empty(height * width * 3, np.uint8)
        self._depth: NDArray[np.float32] | None = None
        if background is not None or measures_depth:
            self._depth = np.empty(height * width, np.float32)
        self._background: NDArray[np.uint8] | None = None
        if background is not None:
            self._background = np.ascontiguousarray(np.broadcast_to(background, (height, width, 3))[::-1, ::-1])
        self._half_height = near_m * np.tan(np.radians(fov_deg) / 2.0)
        self._near, self._far = near_m, far_m
        self._shadows = shadows

    def picture(self, bodies: Bodies, pose: Pose) -> NDArray[np.uint8]:
        """Return what a camera sees now: uint8 [height, width, 3], a view that the next picture overwrites."""
        pixels, depth = self.draw(bodies, pose)
        if depth is not None and self._background is not None:
            np.copyto(pixels, self._background, where=(depth == 1.0)[:, :, np.newaxis])
        return pixels[::-1, ::-1]

    def draw(
        self, bodies: Bodies, pose: Pose, part: Part | None = None
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32] | None]:
        """Return what a camera sees now as OpenGL has it: turned left to right, the first row at the bottom.

        Args:
          bodies: to draw.
          pose: of the camera.
          part: of the picture; None for all of it.

        Returns: uint8 [height, width, 3] of the part, and, if depth is measured, float32 [height, width], 1 where there
          is nothing; views that the next picture overwrites.
        """
        part = part or self._whole
        width, height = part.right - part.left, part.top - part.bottom
        self._gl.make_current()
        if isinstance(bodies, Scene):
            self._show_scene(bodies)
        else:
            self._show_solids(bodies)
        self._shine()
        self._aim(pose, part)
        pixels = self._pixels[: height * width * 3].reshape(height, width, 3)
        depth = None if self._depth is None else self._depth[: height * width].reshape(height, width)
        rect = mujoco.MjrRect(0, 0, width, height)
        # Every time: another renderer may have been at work.
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        mujoco.mjr_render(rect, self._visual, self._context)
        mujoco.mjr_readPixels(pixels, depth, rect, self._context)
        return pixels, depth

    def _show_scene(self, scene: Scene) -> None:
        mujoco.mj_kinematics(scene.model, scene.data)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            scene.model, scene.data, self._option, None, self._unused_camera, everything, self._visual
        )

    def _show_solids(self, solids: VisualGeoms) -> None:
        self._visual.ngeom = min(len(solids.shape), self._visual.maxgeom)
        for geom, shape, center, rotation, half_size, color in zip(self._visual.geoms, *solids, strict=False):
            rgba = np.append(color, 1.0).astype(np.float32)
            size = _mujoco_size(shape, half_size)
            mujoco.mjv_initGeom(geom, _GEOM_TYPE[shape], size, center, rotation.ravel(), rgba)

    def _shine(self) -> None:
        """Add light from everywhere, and the sun; lights of the model are not used."""
        self._visual.nlight = 2
        for light, is_sun in zip(self._visual.lights, (False, True), strict=False):
            light.headlight = not is_sun
            if hasattr(light, "directional"):  # as in MuJoCo 3.3.0
                light.directional = True
            else:
                light.type = mujoco.mjtLightType.mjLIGHT_DIRECTIONAL
            light.castshadow = is_sun and self._shadows is not None
            if self._shadows is not None:
                light.pos = self._shadows[0] - _SUN_DISTANCE * self._shadows[1] * np.array(LIGHT_DIRECTION)
            light.dir = LIGHT_DIRECTION
            light.ambient = (0.0 if is_sun else AMBIENT,) * 3
            light.diffuse = (DIFFUSE if is_sun else 0.0,) * 3
            light.specular = (0.0,) * 3

    def _aim(self, pose: Pose, part: Part) -> None:
        pixel = 2.0 * self._half_height / self._whole.top  # its size on the near plane
        middle = 0.5 * self._whole.right
        for camera in self._visual.camera:  # the left and the right eye
            camera.pos, camera.forward, camera.up = pose.position, pose.forward, pose.up
            camera.orthographic, camera.frustum_width = 0, 0.0
            camera.frustum_center = pixel * (0.5 * (part.left + part.right) - middle)  # its sides follow from the rest
            camera.frustum_bottom = pixel * part.bottom - self._half_height
            camera.frustum_top = pixel * part.top - self._half_height
            camera.frustum_near, camera.frustum_far = self._near, self._far


def _mujoco_size(shape: int, half_size: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a geom's size as MuJoCo describes it: a capsule's is its radius, and half its length without caps."""
    if shape == SPHERE:
        return half_size[[0, 0, 0]]
    if shape == CAPSULE:
        return np.array((half_size[0], half_size[2] - half_size[0], 0.0))
    return half_size


class Spectator:
    """A camera that stands where it has all bodies in view as they are now, before a sky.

    Only what has moved since the last picture is drawn, with its shadow.

    Args:
      bodies: what it will look at.
      view: from where; None for the usual place.
      width: of the pictures.
      height: of the pictures.

    Attributes:
      size: width and height.

    Raises:
      RenderingError: there is no OpenGL on this machine.
    """

    def __init__(self, bodies: Bodies, view: View | None, width: int, height: int) -> None:
        view = view or View()
        self.size = (width, height)
        low, high = Outlines.of(bodies).bounds()
        center, half_size = 0.5 * (low + high), 0.5 * (high - low)
        self._pose = view.place(center, half_size, width / height)
        self._half_height = float(np.tan(np.radians(view.fov_deg) / 2.0))
        distance = float(np.linalg.norm(self._pose.position - center))
        self._renderer = Renderer(
            bodies,
            _SUPERSAMPLING * width,
            _SUPERSAMPLING * height,
            fov_deg=view.fov_deg,
            near_m=0.02 * distance,
            far_m=5.0 * distance,
            shadows=(center, float(np.linalg.norm(half_size))),
            measures_depth=True,
        )
        fraction = np.linspace(0.0, 1.0, height)[::-1, np.newaxis, np.newaxis]  # the first row is at the bottom
        self._sky = np.rint(255.0 * ((1.0 - fraction) * np.array(SKY_TOP) + fraction * np.array(SKY_BOTTOM)))
        self._drawn: Outlines | None = None
        self._canvas: NDArray[np.uint8] = np.zeros((height, width, 3), np.uint8)

    def picture(self, bodies: Bodies) -> NDArray[np.uint8]:
        """Return what the spectator sees: uint8 [height, width, 3]."""
        outlines = Outlines.of(bodies)
        part = self._part_to_draw(outlines)
        if part.left < part.right and part.bottom < part.top:
            self._draw(bodies, part)
        self._drawn = outlines
        return np.ascontiguousarray(self._canvas[::-1, ::-1])

    def _part_to_draw(self, outlines: Outlines) -> Part:
        width, height = self.size
        points = None if self._drawn is None else outlines.moved_since(self._drawn, np.array(LIGHT_DIRECTION))
        found = None if points is None else part_around(points, self._pose, self._half_height, width, height)
        return found or Part(0, 0, width, height)

    def _draw(self, bodies: Bodies, part: Part) -> None:
        """Draw a part of the picture finely, and put its average on the canvas, the sky where there is nothing."""
        pixels, depth = self._renderer.draw(
            _a_hair_smaller(bodies), self._pose, Part(*(_SUPERSAMPLING * edge for edge in part))
        )
        assert depth is not None  # it is measured
        picture = np.asarray(Image.fromarray(pixels).reduce(_SUPERSAMPLING))
        nothing = np.where(depth == 1.0, np.uint8(255), np.uint8(0))
        share = np.asarray(Image.fromarray(nothing).reduce(_SUPERSAMPLING))
        rows, columns = slice(part.bottom, part.top), slice(part.left, part.right)
        if share.any():
            sky = (share[:, :, np.newaxis] * (self._sky[rows] / 255.0).astype(np.float32) + 0.5).astype(np.uint8)
            picture = picture + sky  # black where there is nothing
        self._canvas[rows, columns] = picture


def _a_hair_smaller(bodies: Bodies) -> Bodies:
    """Return solids that are smaller by a part of their size.

    Where a large body and a small one end in the same plane, as a floor and the wall on its edge, the small one is then
    in front: of two faces in one plane each pixel shows either, by chance.
    """
    return bodies if isinstance(bodies, Scene) else bodies._replace(half_size=(1.0 - _HAIR) * bodies.half_size)


_contexts: dict[int, Any] = {}
"""What renderers hold in the drivers' memory, by id."""


def _forget(gl: Any, key: int) -> None:
    if context := _contexts.pop(key, None):
        gl.make_current()
        context.free()


def check_opengl() -> None:
    """See whether pictures can be drawn here.

    Raises:
      RenderingError: they cannot; the message says what to install.
    """
    _gl_context()


@functools.cache
def _gl_context() -> Any:
    """Return the OpenGL context of this process."""
    try:
        context = _context_class()(640, 480)
        context.make_current()
        # Some drivers fail only here.
        mujoco.MjrContext(mujoco.MjSpec().compile(), mujoco.mjtFontScale.mjFONTSCALE_100.value).free()
    except Exception as error:  # whatever the drivers come up with
        raise RenderingError(
            f"Drawing this scene needs OpenGL, which does not start here ({type(error).__name__}: {error})."
            f" {_HOW_TO_INSTALL}"
        ) from error
    atexit.register(_free, context)
    return context


def _free(gl: Any) -> None:
    """Free the context before the drivers are unloaded."""
    for key in list(_contexts):
        _forget(gl, key)
    gl.free()


def _context_class() -> Any:
    """Return MuJoCo's own choice where the user has made one or the system has only one; else what needs no screen."""
    # Small pictures are drawn fastest by the calling thread alone, and the other cores have work of their own.
    os.environ.setdefault("LP_NUM_THREADS", "0")
    if sys.platform.startswith("linux") and not os.environ.get("MUJOCO_GL"):
        if _is_there("libEGL.so.1"):
            if not (_is_there("libOpenGL.so.0") or _is_there("libGL.so.1")):
                raise RenderingError("there is libEGL.so.1, but neither libOpenGL.so.0 nor libGL.so.1")
            from mujoco.egl import GLContext
        elif _is_there("libOSMesa.so.8"):
            from mujoco.osmesa import GLContext
        else:
            raise RenderingError("there is neither libEGL.so.1 nor libOSMesa.so.8")
        return GLContext
    return mujoco.GLContext


def _is_there(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
