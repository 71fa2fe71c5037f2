"""The scene of the page: bodies as meshes that are made once and then only moved, rays, and who is looked at."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mlagents.viewing.browser_camera import Cameras, move_camera
from mlagents.viewing.browser_html import read_rays
from mlagents.viewing.browser_shapes import Instances, instances_of, linear_bytes, prototype, to_page
from mlagents.viewing.session import AgentName
from mlagents_envs.spectating import RayFan, Spectacle

WORLD: Final = "/world"
SKY_TOP, SKY_BOTTOM = (143, 181, 217), (230, 240, 245)
_SKY_ROWS: Final = 64
_ASPECT: Final = 1.2
"""Width over height of what panels leave free of a usual screen."""
_CLOSE_M: Final = 14.0
"""From here a camera follows, or from nearer where the whole scene is small."""
_PICTURE_FOV: Final = float(np.radians(30.0))
_MISSED: Final = (200, 205, 210)
_HIT_COLORS: Final = (
    (214, 60, 50),
    (60, 160, 75),
    (70, 110, 215),
    (220, 150, 30),
    (150, 80, 190),
    (40, 170, 180),
)


class SpaceScene:
    """An environment of bodies in space.

    Args:
      server: of viser.
      env: what is shown; it has begun.
    """

    def __init__(self, server: Any, env: Spectacle) -> None:
        self._server, self._env = server, env
        self._world = server.scene.add_frame(WORLD, show_axes=False)
        self._meshes = {
            name: _MeshNodes(server, name, functools.partial(prototype, name, env.meshes()))
            for name in ("box", "sphere", "cylinder", *(f"mesh{number}" for number in range(len(env.meshes()))))
        }
        self._rays: Any = None
        self._label: Any = None
        self._label_above = 0.0
        self._anchor: NDArray[np.float64] | None = None
        self._cameras = Cameras(server, self._place_camera)
        server.scene.set_up_direction("+z")
        server.scene.set_background_image(_sky(), format="png")
        server.scene.configure_default_lights(cast_shadow=True)
        self._aim_first()

    def show(self) -> None:
        """Send where everything is now."""
        bodies = self._env.bodies()
        if bodies is None:
            return
        found = instances_of(bodies)
        for name, nodes in self._meshes.items():
            nodes.show(found.get(name))

    def show_agent(self, agent: AgentName | None, rays: Mapping[int, NDArray[np.float32]], follow: bool) -> None:
        """Mark who is looked at, and let the scene move so that it stays in its place.

        Args:
          agent: the one; None for nobody.
          rays: what its rays see, by the observation's place; empty to draw none.
          follow: keep it where it is in the picture.
        """
        pose = None if agent is None else self._pose(agent)
        if pose is None or agent is None:
            self._hide()
            return
        position, rotation = pose
        self._mark(agent, position)
        self._draw_rays(self._env.ray_fans(agent.behavior), rays, position, rotation)
        if not follow:
            self._stop_following()
            return
        place = to_page(position)
        if self._anchor is None:
            self._anchor = place
            self._come_near(place)
        self._world.position = self._anchor - place

    def can_follow(self, agent: AgentName) -> bool:
        """Return whether the environment tells where the agent is."""
        return self._pose(agent) is not None

    def look_at_everything(self) -> None:
        """Move all cameras to where they began."""
        self._stop_following()
        self._cameras.look_at_everything()

    def fit(self, client: Any) -> None:
        """Put a camera whose picture got another size to where everything is in view, unless somebody moved it."""
        if self._anchor is None:
            self._cameras.fit(client)

    def _place_camera(self, aspect: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        view = self._env.viewpoint(aspect)
        return to_page(view.position), to_page(view.target)

    def _aim_first(self) -> None:
        """Say where cameras begin, before it is known how wide their pictures are."""
        view, start = self._env.viewpoint(_ASPECT), self._server.initial_camera
        position, target = to_page(view.position), to_page(view.target)
        distance = float(np.linalg.norm(position - target))
        start.position, start.look_at, start.up = position, target, np.array((0.0, 0.0, 1.0))
        start.fov = float(np.radians(view.fov_deg))
        start.near, start.far = 0.005 * distance, 20.0 * distance

    def _come_near(self, place: NDArray[np.float64]) -> None:
        """Look at the place from where cameras look, but from nearby."""
        view = self._server.initial_camera
        back = view.position - view.look_at
        distance = float(np.linalg.norm(back))
        near = min(_CLOSE_M * float(np.tan(np.radians(15.0)) / np.tan(0.5 * view.fov)), 0.6 * distance)
        for client in self._server.get_clients().values():
            move_camera(client, place + back * (near / distance), place)

    def _stop_following(self) -> None:
        if self._anchor is not None:
            self._anchor = None
            self._world.position = np.zeros(3)

    def _pose(self, agent: AgentName) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        poses = self._env.agent_poses(agent.behavior)
        if poses is None:
            return None
        rows = np.flatnonzero(np.asarray(poses.agent_id) == agent.agent_id)
        return None if not len(rows) else (poses.position[rows[0]], poses.rotation[rows[0]])

    def _mark(self, agent: AgentName, position: NDArray[np.float64]) -> None:
        text = f"agent {agent.agent_id}"
        if self._label is None or self._label.text != text:
            self._label = self._server.scene.add_label(f"{WORLD}/chosen", text, anchor="bottom-center")
            self._label_above = self._height_at(position)
        self._label.position = to_page(position) + np.array((0.0, 0.0, self._label_above))
        self._label.visible = True

    def _height_at(self, position: NDArray[np.float64]) -> float:
        """Return how far above the place the body there ends."""
        bodies = self._env.bodies()
        if bodies is None or not len(bodies.center):
            return 0.0
        nearest = int(np.linalg.norm(bodies.center - position, axis=1).argmin())
        return 1.3 * float(bodies.half_size[nearest].max())

    def _draw_rays(
        self,
        fans: Mapping[int, RayFan],
        seen: Mapping[int, NDArray[np.float32]],
        position: NDArray[np.float64],
        rotation: NDArray[np.float64],
    ) -> None:
        lines = [ray_lines(fans[place], values, position, rotation) for place, values in seen.items() if place in fans]
        if not lines:
            self._forget_rays()
            return
        points, colors = (np.concatenate(parts) for parts in zip(*lines, strict=True))
        if self._rays is None or self._rays.points.shape != points.shape:
            self._rays = self._server.scene.add_line_segments(
                f"{WORLD}/rays", points, colors, thickness=2.0, thickness_units="screen"
            )
            return
        self._rays.points, self._rays.colors, self._rays.visible = points, colors, True

    def _forget_rays(self) -> None:
        if self._rays is not None:
            self._rays.remove()
            self._rays = None

    def _hide(self) -> None:
        self._stop_following()
        self._forget_rays()
        if self._label is not None:
            self._label.visible = False


class PictureScene:
    """An environment that draws pictures of itself.

    Args:
      server: of viser.
      env: has `picture(width, height)`; it has begun.
    """

    SIZE: Final = (640, 480)

    def __init__(self, server: Any, env: Any) -> None:
        self._server, self._env = server, env
        self._last: NDArray[np.uint8] | None = None
        picture = env.picture(*self.SIZE)
        height, width = picture.shape[:2]
        self._wide = width / height
        self._image: Any = server.scene.add_image(
            "/picture",
            picture,
            render_width=2.0 * self._wide,
            render_height=2.0,
            wxyz=(0.70710678, -0.70710678, 0.0, 0.0),
        )
        self._cameras = Cameras(server, self._place_camera)
        server.scene.set_up_direction("+z")
        server.scene.set_background_image(picture[:1, :1], format="png")  # as if its border went on
        start = server.initial_camera
        start.position, start.look_at = self._place_camera(_ASPECT)
        start.up, start.fov = np.array((0.0, 0.0, 1.0)), _PICTURE_FOV

    def show(self) -> None:
        """Send the picture if it is another one."""
        picture = self._env.picture(*self.SIZE)
        if self._last is None or not np.array_equal(picture, self._last):
            self._image.image = self._last = picture

    def show_agent(self, agent: AgentName | None, rays: Mapping[int, NDArray[np.float32]], follow: bool) -> None:
        """Do nothing: nobody knows where in the picture an agent is."""

    def can_follow(self, agent: AgentName) -> bool:
        """Return False."""
        return False

    def look_at_everything(self) -> None:
        """Move all cameras to where they began."""
        self._cameras.look_at_everything()

    def fit(self, client: Any) -> None:
        """Put a camera whose picture got another size to where all of this one is in view, unless somebody moved it."""
        self._cameras.fit(client)

    def _place_camera(self, aspect: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        distance = max(1.0, self._wide / aspect) / float(np.tan(0.5 * _PICTURE_FOV))
        return np.array((0.0, -1.03 * distance, 0.0)), np.zeros(3)


class _MeshNodes:
    """All instances of one mesh: those that have never moved, and those that do."""

    def __init__(self, server: Any, name: str, make: Any) -> None:
        self._server, self._name, self._make = server, name, make
        self._last: Instances | None = None
        self._moves: NDArray[np.bool_] = np.zeros(0, np.bool_)
        self._moving: Any = None

    def show(self, found: Instances | None) -> None:
        """Send what has changed."""
        if found is None:
            return
        last = self._last
        if last is None or len(last.position) != len(found.position):
            self._moves = np.zeros(len(found.position), np.bool_)
            self._rebuild(found)
        else:
            changed = found.differs(last)
            if not changed.any():
                return
            if (changed & ~self._moves).any():
                self._moves |= changed
                self._rebuild(found)
            else:
                self._move(found.rows(self._moves), last.rows(self._moves))
        self._last = found

    def _rebuild(self, found: Instances) -> None:
        vertices, faces = self._make()
        with self._server.atomic():
            for kind, mask in (("still", ~self._moves), ("moving", self._moves)):
                path = f"{WORLD}/{self._name}/{kind}"
                if not mask.any():
                    self._server.scene.remove_by_name(path)
                    continue
                some = found.rows(mask)
                handle = self._server.scene.add_batched_meshes_simple(
                    path,
                    vertices,
                    faces,
                    some.wxyz,
                    some.position,
                    batched_scales=some.scale,
                    batched_colors=some.color,
                    lod="off",
                )
                if kind == "moving":
                    self._moving = handle

    def _move(self, now: Instances, before: Instances) -> None:
        node = self._moving
        columns = ("batched_positions", "batched_wxyzs", "batched_scales", "batched_colors")
        for name, new, old in zip(columns, now, before, strict=True):
            if not np.array_equal(np.asarray(new), np.asarray(old)):
                setattr(node, name, new)


def ray_lines(
    fan: RayFan, values: NDArray[np.float32], position: NDArray[np.float64], rotation: NDArray[np.float64]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return lines from an agent to what its rays hit, in the page's coordinates.

    Args:
      fan: the rays.
      values: what they see.
      position: [3], of the agent in the environment.
      rotation: [3, 3], likewise.

    Returns: points, float32 [rays, 2, 3], and colours, uint8 [rays, 2, 3].
    """
    seen = read_rays(fan, values)
    start = position + rotation[:, 1] * fan.start_height
    share = np.array([1.0 if tag is None else fraction for tag, fraction in seen])
    ends = start + share[:, np.newaxis] * (fan.path @ rotation.T)
    points = np.stack((np.broadcast_to(start, ends.shape), ends), axis=1)
    colors = linear_bytes(np.array([_color(fan.tags, tag) for tag, _ in seen]) / 255.0)
    return to_page(points).astype(np.float32), np.repeat(colors[:, np.newaxis], 2, axis=1)


def _color(tags: Sequence[str], tag: str | None) -> tuple[int, int, int]:
    if tag is None:
        return _MISSED
    return _HIT_COLORS[tags.index(tag) % len(_HIT_COLORS)] if tag in tags else (90, 90, 90)


def _sky() -> NDArray[np.uint8]:
    share = np.linspace(0.0, 1.0, _SKY_ROWS)[:, np.newaxis, np.newaxis]
    colors = (1.0 - share) * np.array(SKY_TOP) + share * np.array(SKY_BOTTOM)
    pixels: NDArray[np.uint8] = np.rint(np.broadcast_to(colors, (_SKY_ROWS, 4, 3))).astype(np.uint8)
    return pixels
