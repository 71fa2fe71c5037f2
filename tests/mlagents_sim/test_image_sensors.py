"""Pictures as observations, and cameras in MuJoCo scenes."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from mlagents_envs.base_env import DimensionProperty, ObservationType
from mlagents_sim.physics.scene import Scene, compose
from mlagents_sim.row_index import ALL
from mlagents_sim.sensors import CameraSensor, ImageSensor, StackingSensor

LOOKS_NORTH = (1.0, 0.0, 0.0, 0.0)


def test_a_picture_becomes_channels_first_with_values_of_255ths() -> None:
    sensor = ImageSensor(2, 3, name="Map")
    assert sensor.spec.shape == (3, 2, 3)
    assert sensor.spec.name == "Map"
    assert sensor.spec.observation_type == ObservationType.DEFAULT
    equivariance = DimensionProperty.TRANSLATIONAL_EQUIVARIANCE
    assert sensor.spec.dimension_property == (DimensionProperty.NONE, equivariance, equivariance)
    pictures = np.arange(0, 252, 7, dtype=np.uint8).reshape(2, 2, 3, 3)
    image = sensor.observe(ALL, pictures)
    assert image.dtype == np.float32
    assert image.flags.c_contiguous
    assert image[1, 2, 0, 1] == np.float32(pictures[1, 0, 1, 2]) / np.float32(255.0)
    np.testing.assert_array_equal(np.rint(image * 255), pictures.transpose(0, 3, 1, 2))


def test_an_observation_drawn_ready_made_is_taken_as_it_is() -> None:
    image = np.random.default_rng(0).random((2, 1, 4, 5), np.float32)
    assert ImageSensor(4, 5, channels=1).observe(ALL, image) is image


@pytest.mark.parametrize(
    "frame", [np.zeros((2, 5, 4, 3), np.uint8), np.zeros((2, 4, 5, 3)), np.zeros((2, 4, 5, 3), np.float32)]
)
def test_other_pictures_are_refused(frame) -> None:
    with pytest.raises(ValueError, match=r"'RenderTextureSensor'.*uint8 \[agents, 4, 5, 3\] or float32.*\[2, "):
        ImageSensor(4, 5).observe(ALL, frame)


def test_pictures_are_stacked_by_channels() -> None:
    stack = StackingSensor(ImageSensor(1, 2), 2, agents=1)
    assert stack.spec.shape == (6, 1, 2)
    for level in (51, 255):
        image = stack.observe(ALL, np.full((1, 1, 2, 3), level, np.uint8))
    np.testing.assert_allclose(image[0, :, 0, 0], [0.2, 0.2, 0.2, 1.0, 1.0, 1.0])


def add_boxes(spec, prefix, origin) -> None:
    """Four cubes of 2 m, 10 m to the north, east, south and west: red, green, blue, grey."""
    colors = ((1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (0.3, 0.3, 0.3, 1))
    for place, rgba in zip(((0, 0, 10), (10, 0, 0), (0, 0, -10), (-10, 0, 0)), colors, strict=True):
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=[1, 1, 1], pos=origin + place, rgba=rgba)


@pytest.fixture
def scene(opengl) -> Scene:
    return Scene(compose(add_boxes, np.zeros((1, 3)), substeps=1))


def look(scene: Scene, *poses, **settings) -> np.ndarray:
    """[n, height, width, 3], by the cameras of as many agents."""
    sensor = CameraSensor(scene, len(poses), 40, 60, **settings)
    return sensor.observe(ALL, np.array(poses, np.float64)).transpose(0, 2, 3, 1)


def yaw(degrees: float) -> tuple[float, ...]:
    """The rotation (w, x, y, z) that turns forward to the right."""
    return (np.cos(np.radians(degrees) / 2), 0.0, np.sin(np.radians(degrees) / 2), 0.0)


def test_a_camera_sees_along_its_own_forward(scene: Scene) -> None:
    """A face of 2 m at 9 m, 60 degrees over 40 pixels: half of it is 1 / (9 tan 30) of 20 pixels, 3.85."""
    poses = [(0, 0, 0, *yaw(degrees)) for degrees in (0, 90, 180, 270)]
    images = look(scene, *poses)
    for image, color in zip(images, np.array([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1)]), strict=True):
        lit = image.max(axis=2) > 0
        rows, columns = np.nonzero(lit)
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (16, 23, 26, 33)
        assert ((image[20, 30] > 0) == color.astype(bool)).all()


def test_right_is_right_and_up_is_up(scene: Scene) -> None:
    """Turned a little to the left and moved down, the camera sees the northern cube at the right, high up.

    The cube's middle is at (10 sin 20, 2, 10 cos 20) of the camera: 12.6 pixels right, 7.4 up.
    """
    (image,) = look(scene, (0, -2, 0, *yaw(-20)))
    rows, columns = np.nonzero(image[..., 0] > 0)
    assert columns.mean() == pytest.approx(29.5 + 12.6, abs=1.0)
    assert rows.mean() == pytest.approx(19.5 - 7.4, abs=1.0)


def test_grey_is_the_mean_of_the_colours(scene: Scene) -> None:
    """One red cube, one of three greys: k / 255, with k the nearest to the mean of the three bytes."""
    poses = [(0, 0, 0, *yaw(degrees)) for degrees in (0, 270)]
    colored = np.rint(look(scene, *poses) * 255)
    grey = look(scene, *poses, channels=1)
    assert grey.shape == (2, 40, 60, 1)
    expected = np.floor((colored.sum(axis=3, keepdims=True) + 1) / 3)
    np.testing.assert_array_equal(grey, (expected / 255).astype(np.float32))
    assert 0 < grey[0, 20, 30, 0] < colored[0, 20, 30, 0] / 255 / 2


def test_grey_pictures_are_stacked(scene: Scene) -> None:
    stack = StackingSensor(CameraSensor(scene, 1, 40, 60, channels=1), 4, agents=1)
    assert stack.spec.shape == (4, 40, 60)
    for height in (0, 99):
        image = stack.observe(ALL, np.array([(0, height, 0, *LOOKS_NORTH)]))[0]
    assert [bool(channel.any()) for channel in image] == [False, False, True, False]


def test_a_camera_has_colours_or_grey() -> None:
    with pytest.raises(ValueError, match="'CameraSensor': expected 3 channels for colours or 1 for grey; got 4"):
        CameraSensor(None, 1, 40, 60, channels=4)


def test_nothing_is_seen_too_near_or_too_far(scene: Scene) -> None:
    assert look(scene, (0, 0, 0, *LOOKS_NORTH), far_m=8.9).max() == 0.0
    # All of the cube is nearer than 11.1.
    assert look(scene, (0, 0, 0, *LOOKS_NORTH), near_m=11.1).max() == 0.0


def test_the_background_is_where_nothing_is(scene: Scene) -> None:
    (image,) = look(scene, (0, 0, 0, *LOOKS_NORTH), background=(0.467, 0.565, 0.608))
    np.testing.assert_allclose(image[0, 0] * 255, (119, 144, 155), atol=1e-4)
    np.testing.assert_allclose(image[25, 30], image[0, 0])
    assert image[20, 30, 0] > image[20, 30, 1] + 0.4


def test_each_agent_may_see_bodies_of_its_own(scene: Scene) -> None:
    one_sees_north = np.array([[True, False, False, False], [False, True, True, True]])
    kept = scene.model.geom_rgba.copy()
    images = look(scene, *[(0, 0, 0, *LOOKS_NORTH)] * 2, geoms=one_sees_north)
    assert images[0].max() > 0.5
    assert images[1].max() == 0.0
    np.testing.assert_array_equal(scene.model.geom_rgba, kept)


def test_rows_see_with_their_own_cameras(scene: Scene) -> None:
    sensor = CameraSensor(scene, 3, 40, 60, geoms=np.eye(3, 4, dtype=bool))
    images = sensor.observe(np.array([2, 0]), np.array([(0, 0, 0, *yaw(180)), (0, 0, 0, *yaw(0))]))
    assert images[0, 2].max() > 0.5
    assert images[1, 0].max() > 0.5
    assert images[0, :2].max() == images[1, 1:].max() == 0.0
