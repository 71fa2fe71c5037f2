"""Pictures of what a demonstration holds."""

from __future__ import annotations

import numpy as np

from mlagents.viewing.demonstration import describe_decisions, draw_decision, observation_names
from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec, ObservationSpec
from mlagents_envs.base_env import DimensionProperty as Axis
from mlagents_envs.base_env import ObservationType as Kind
from mlagents_envs.demonstrations import Demonstration, Episode

SPEC = BehaviorSpec(
    [
        ObservationSpec((3, 2, 2), (Axis.NONE,) * 3, Kind.DEFAULT, "camera"),
        ObservationSpec((2,), (Axis.NONE,), Kind.DEFAULT, ""),
    ],
    ActionSpec(1, (3,)),
)


def made() -> tuple[Demonstration, Episode]:
    """A red image with one green pixel; the numbers 1 and -0.5."""
    images = np.zeros((3, 3, 2, 2), np.float32)
    images[:, 0] = 1.0
    images[:, :, 0, 1] = [0.0, 1.0, 0.0]
    numbers = np.tile(np.float32([1.0, -0.5]), (3, 1))
    action = ActionTuple(np.float32([[0.25], [0.5]]), np.int32([[2], [0]]))
    rewards = np.float32([0.5, 1.0])
    episode = Episode([images, numbers], action, None, 0.0, rewards, 0 * rewards, True, False)
    return Demonstration("made", "Dog?team=0", SPEC, (episode,)), episode


def test_images_and_bars():
    """Half of the height under the text is for each. A pixel of the image is 102 pixels wide, a bar 310."""
    demonstration, episode = made()
    picture = draw_decision(demonstration, episode, 0, [1.0, 1.0])
    assert picture.shape == (480, 640, 3)
    np.testing.assert_array_equal(picture[60, 20], [255, 0, 0])
    np.testing.assert_array_equal(picture[60, 150], [0, 255, 0])
    up, down = picture[300, 100], picture[390, 500]  # the axis lies at 367
    assert (picture[300, 500] == picture[479, 0]).all()  # nothing upwards from the negative number
    assert (up != picture[479, 0]).any()
    assert (down != picture[479, 0]).any()
    assert (up != down).any()
    assert (picture[450, 500] == picture[479, 0]).all()  # half of the height only


def test_text():
    demonstration, episode = made()
    assert observation_names(demonstration) == ("camera", "observation 1")
    assert list(describe_decisions(demonstration, episode, 9)) == [
        ("0", "0.25 2", "0.500", "image 3x2x2, mean 0.33", "1.00 -0.50"),
        ("1", "0.50 0", "1.000", "image 3x2x2, mean 0.33", "1.00 -0.50"),
    ]
