"""Bodies as instances of meshes in the coordinates of the page: exchanging Y and Z mirrors what is left-handed."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.viewing.browser_scene import ray_lines
from mlagents.viewing.browser_shapes import instances_of, prototype, quaternions, rotations_to_page, to_page
from mlagents_envs.spectating import BOX, CAPSULE, CYLINDER, ELLIPSOID, MESH, SPHERE, Mesh, RayFan
from mlagents_sim.visual_geoms import VisualGeoms, yaw_rotations


def bodies_of(*shapes, center=(1.0, 2.0, 3.0), half_size=(0.1, 0.2, 0.5), rotation=None):
    count = len(shapes)
    turned = np.eye(3) if rotation is None else rotation
    return VisualGeoms(
        np.array(shapes),
        np.tile(np.array(center), (count, 1)),
        np.tile(turned, (count, 1, 1)),
        np.tile(np.array(half_size), (count, 1)),
        np.tile((1.0, 0.5, 0.0), (count, 1)),
    )


def turned_by(wxyz):
    """The matrix of a quaternion, from its definition v -> q v q*."""
    w, v = wxyz[0], np.asarray(wxyz[1:])
    cross = np.array(((0, -v[2], v[1]), (v[2], 0, -v[0]), (-v[1], v[0], 0)))
    return np.eye(3) + 2 * w * cross + 2 * cross @ cross


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("degrees", [0.0, 30.0, 170.0, 180.0, -120.0])
def test_quaternions_turn_as_the_matrices(axis, degrees):
    angle = np.radians(degrees)
    unit = np.eye(3)[axis]
    cross = np.cross(np.eye(3), -unit)
    matrix = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross  # Rodrigues
    found = quaternions(matrix[np.newaxis])[0]
    np.testing.assert_allclose(turned_by(found), matrix, atol=1e-6)
    assert abs(found[0]) == pytest.approx(abs(np.cos(angle / 2)), abs=1e-6)


def test_a_point_of_a_turned_body_is_at_the_same_place_on_the_page():
    rotation = yaw_rotations(np.array(0.7)) @ np.array(((1, 0, 0), (0, 0.6, -0.8), (0, 0.8, 0.6)))
    local = np.array((0.3, -0.4, 0.5))
    on_page = rotations_to_page(rotation[np.newaxis])[0] @ to_page(local)
    np.testing.assert_allclose(on_page, to_page(rotation @ local), atol=1e-12)
    assert np.linalg.det(rotations_to_page(rotation[np.newaxis])[0]) == pytest.approx(1.0)


def test_what_looks_right_from_above_stays_on_the_right():
    """In a left-handed world +X is right of who looks along +Z; on the page +X is right of who looks along +Y."""
    right, up, ahead = (to_page(np.eye(3)[axis]) for axis in range(3))
    np.testing.assert_array_equal(np.cross(ahead, up), right)  # right-handed: ahead x up = right


def test_boxes_keep_their_sizes_along_the_exchanged_axes():
    (box,) = (instances_of(bodies_of(BOX))["box"],)
    np.testing.assert_allclose(box.position, [(1, 3, 2)])
    np.testing.assert_allclose(box.scale, [(0.1, 0.5, 0.2)])
    np.testing.assert_array_equal(box.color, [(255, 55, 0)])  # 0.5 on a screen is 0.214 of its light


def test_spheres_are_round_and_ellipsoids_are_not():
    found = instances_of(bodies_of(SPHERE, ELLIPSOID))
    assert set(found) == {"sphere"}
    np.testing.assert_allclose(found["sphere"].scale, [(0.1, 0.1, 0.1), (0.1, 0.5, 0.2)])


def test_a_capsule_is_a_cylinder_between_two_spheres():
    # Turned by 90 degrees to the right, its Z axis lies along +X. Radius 0.1, half length 0.5: caps at +-0.4.
    found = instances_of(bodies_of(CAPSULE, half_size=(0.1, 0.1, 0.5), rotation=yaw_rotations(np.array(np.pi / 2))))
    np.testing.assert_allclose(found["sphere"].position, [(1.4, 3, 2), (0.6, 3, 2)], atol=1e-6)
    np.testing.assert_allclose(found["sphere"].scale, np.full((2, 3), 0.1))
    np.testing.assert_allclose(found["cylinder"].scale, [(0.1, 0.4, 0.1)])
    ends = turned_by(found["cylinder"].wxyz[0]) @ (0, 1, 0)
    np.testing.assert_allclose(np.abs(ends), (1, 0, 0), atol=1e-6)


@pytest.mark.parametrize(("name", "volume"), [("box", 8.0), ("sphere", 4 / 3 * np.pi), ("cylinder", 2 * np.pi)])
def test_prototypes_have_their_volume_and_show_their_outside(name, volume):
    vertices, faces = prototype(name, ())
    a, b, c = vertices[faces].transpose(1, 0, 2)
    assert np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6 == pytest.approx(volume, rel=0.04)
    assert np.abs(vertices).max() == pytest.approx(1.0)


def test_meshes_of_the_environment_are_turned_over_with_the_mirror():
    vertices = np.array([(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1.0)])
    faces = np.array([(0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3)])
    found = instances_of(bodies_of(MESH + 1, CYLINDER, half_size=(1, 1, 1)))
    assert set(found) == {"mesh1", "cylinder"}
    vertices, faces = prototype("mesh1", (Mesh(vertices[:3], faces[:1]), Mesh(vertices, faces)))
    a, b, c = vertices[faces].transpose(1, 0, 2)
    assert np.einsum("fi,fi->f", a, np.cross(b, c)).sum() / 6 == pytest.approx(1 / 6)


def test_ray_lines_end_where_rays_hit():
    fan = RayFan(0.5, np.array(((0.0, 0.0, 10.0), (10.0, 0.0, 0.0))), ("wall", "goal"))
    values = np.array((9, 9, 9, 9, 9, 9, 9, 9, 0, 1, 0, 0.25, 0, 0, 1, 1), np.float32)  # an older frame goes before
    position, rotation = np.array((1.0, 0.0, 2.0)), yaw_rotations(np.array(np.pi / 2))  # looks along +X
    points, colors = ray_lines(fan, values, position, rotation)
    np.testing.assert_allclose(points[0], [(1, 2, 0.5), (3.5, 2, 0.5)], atol=1e-6)
    np.testing.assert_allclose(points[1], [(1, 2, 0.5), (1, -8, 0.5)], atol=1e-6)  # its right is -Z
    assert (colors[0] == colors[0, 0]).all()
    assert (colors[0, 0] != colors[1, 0]).any()
