"""Cameras stand where all is in view, as large as the picture is, until somebody moves them."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest

from mlagents.viewing.browser_camera import Cameras


class Client:
    """A page of 1200 x 600 pixels, as viser tells of it."""

    def __init__(self, client_id=0):
        self.client_id = client_id
        far = np.array((0.0, -99.0, 0.0))
        self.camera = SimpleNamespace(image_width=1200, image_height=600, position=far, look_at=np.zeros(3))

    def atomic(self):
        return contextlib.nullcontext()

    def resize(self, width):
        self.camera.image_width = width


def cameras_of(*clients):
    server = SimpleNamespace(get_clients=lambda: {client.client_id: client for client in clients})
    return Cameras(server, lambda aspect: (np.array((0.0, -10.0 / aspect, 0.0)), np.zeros(3)))


def distance(client):
    return -client.camera.position[1]


def test_a_camera_goes_back_when_panels_take_their_part_of_the_window():
    client = Client()
    cameras = cameras_of(client)
    cameras.fit(client)
    assert distance(client) == pytest.approx(5.0)
    client.resize(600)
    cameras.fit(client)
    assert distance(client) == pytest.approx(10.0)


def test_a_camera_that_somebody_moved_stays_until_everything_is_asked_for():
    client = Client()
    cameras = cameras_of(client)
    cameras.fit(client)
    client.camera.position = np.array((1.0, -5.0, 0.0))
    client.resize(600)
    cameras.fit(client)
    np.testing.assert_array_equal(client.camera.position, (1.0, -5.0, 0.0))
    cameras.look_at_everything()
    assert distance(client) == pytest.approx(10.0)
    client.resize(1200)
    cameras.fit(client)
    assert distance(client) == pytest.approx(5.0)


def test_each_page_has_a_camera_of_its_own():
    one, other = Client(0), Client(1)
    cameras = cameras_of(one, other)
    other.resize(300)
    cameras.fit(one)
    cameras.fit(other)
    assert (distance(one), distance(other)) == (pytest.approx(5.0), pytest.approx(20.0))


def test_what_a_page_tells_may_be_older_than_its_last_move():
    client = Client()
    cameras = cameras_of(client)
    begun = client.camera.position
    cameras.fit(client)
    client.camera.position = begun
    client.resize(600)
    cameras.fit(client)
    assert distance(client) == pytest.approx(10.0)


def test_a_picture_that_is_not_laid_out_yet_moves_nothing():
    client = Client()
    cameras = cameras_of(client)
    cameras.fit(client)
    client.resize(1)
    cameras.fit(client)
    assert distance(client) == pytest.approx(5.0)
    client.camera.image_height = 0
    cameras.look_at_everything()
    assert np.isfinite(client.camera.position).all()
