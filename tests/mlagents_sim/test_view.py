"""Where spectators stand, and how cameras are turned."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from mlagents_sim.view import Pose, View

lengths = st.floats(0.1, 50.0)
angles = st.floats(-3.0, 3.0)


@given(st.tuples(lengths, lengths, lengths), st.floats(0.0, 80.0), st.floats(-180.0, 180.0), st.floats(0.5, 2.0))
def test_a_box_is_in_view_and_fills_it(half_size, pitch: float, yaw: float, aspect: float) -> None:
    view, center = View(pitch, yaw, fov_deg=40.0), np.array((1.0, 2.0, 3.0))
    pose = view.place(center, np.array(half_size), aspect)
    corners = center + half_size * np.array(list(itertools.product((-1, 1), repeat=3))) - pose.position
    depth = corners @ pose.forward
    assert depth.min() > 0.0
    reach = depth * np.tan(np.radians(20.0))
    right = np.cross(pose.up, pose.forward)
    rows, columns = corners @ pose.up / reach, corners @ right / (reach * aspect)
    assert max(np.abs(rows).max(), np.abs(columns).max()) == pytest.approx(1 / 1.08)
    # Where it is narrowest there is as much room on one side as on the other, so that no nearer place would do.
    assert max(np.ptp(rows), np.ptp(columns)) == pytest.approx(2 / 1.08)
    np.testing.assert_allclose(np.dot(pose.forward, pose.up), 0.0, atol=1e-12)
    assert pose.forward[1] == pytest.approx(-np.sin(np.radians(pitch)))


def test_a_spectator_looks_ahead_and_to_the_right() -> None:
    pose = View(pitch_deg=0.0, yaw_deg=30.0).place(np.zeros(3), np.ones(3), 1.0)
    np.testing.assert_allclose(pose.forward, (0.5, 0.0, np.sqrt(0.75)))
    np.testing.assert_allclose(pose.up, (0.0, 1.0, 0.0), atol=1e-12)


@given(st.tuples(angles, angles, angles))
def test_a_rotation_turns_forward_and_up(euler) -> None:
    turned = Rotation.from_euler("yxz", euler)
    position, quat = np.ones((2, 3)), np.array([(1.0, 0.0, 0.0, 0.0), np.roll(turned.as_quat(), 1)])
    ahead, pose = Pose.of_rotations(position, quat)
    np.testing.assert_allclose((ahead.forward, ahead.up), [(0, 0, 1), (0, 1, 0)])
    np.testing.assert_allclose(pose.forward, turned.apply((0, 0, 1)), atol=1e-12)
    np.testing.assert_allclose(pose.up, turned.apply((0, 1, 0)), atol=1e-12)
