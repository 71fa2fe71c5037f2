"""Environments draw themselves in notebooks, and say nothing where they cannot be seen."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from mlagents_envs.registry import default_registry
from mlagents_sim.rendering import RenderingError
from toys.contest import Race


def test_the_picture_is_what_a_spectator_sees_now():
    env = default_registry["GridWorld"].make(seed=1, num_areas=1)
    env.reset()
    with Image.open(io.BytesIO(env._repr_png_())) as picture:
        assert picture.format == "PNG"
        assert picture.size == (480, 360)
        np.testing.assert_array_equal(np.asarray(picture), env.picture(480, 360))
    env.close()


def test_who_cannot_be_seen_is_no_picture(monkeypatch):
    def picture(width, height):
        raise RenderingError("no OpenGL")

    env = default_registry["GridWorld"].make(seed=1, num_areas=1)
    monkeypatch.setattr(env, "picture", picture)
    assert env._repr_png_() is None
    assert not hasattr(Race(), "_repr_png_")
