"""Pictures for spectators: what is in them, and that looking changes nothing."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents_envs.base_env import ActionTuple
from mlagents_sim import rendering, solids
from mlagents_sim.academy import World
from mlagents_sim.examples import ball3d
from mlagents_sim.parameters import EnvironmentParameters
from mlagents_sim.rendering import RenderingError, Spectator
from mlagents_sim.view import View


def test_a_scene_is_wholly_in_the_picture(opengl) -> None:
    env = ball3d.ENTRY.make(num_areas=12)
    env.reset()
    picture = env.picture(320, 240)
    assert picture.shape == (240, 320, 3)
    assert picture.dtype == np.uint8
    # A sky that is lighter below: at the border there is nothing else, every row there is of one colour.
    border = np.concatenate([picture[:, :4], picture[:, -4:]], axis=1)
    assert (border == border[:, :1]).all()
    assert (np.diff(border[:, 0].astype(int), axis=0) >= 0).all()
    red, green, blue = picture.astype(int).transpose(2, 0, 1)
    assert (blue - red > 150).mean() > 0.1  # platforms
    assert ((red > 240) & (green > 240)).mean() > 0.001  # balls
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100


def test_pictures_follow_what_moves(opengl) -> None:
    env = ball3d.ENTRY.make(num_areas=1)
    env.reset()
    first = env.picture(64, 48)
    again = env.picture(64, 48)
    np.testing.assert_array_equal(first, again)
    env.step()
    assert (env.picture(64, 48) != first).any()
    assert env.picture(32, 48).shape == (48, 32, 3)


def play(entry, looked_at: bool) -> list[np.ndarray]:
    env = entry.make(seed=5, num_areas=2)
    pictures = []
    if looked_at:
        env.watch(lambda: pictures.append(env.picture(32, 24)), 2)
    env.reset()
    (name,) = env.behavior_specs
    rng, columns = np.random.default_rng(0), []
    for _ in range(30):
        for steps in env.get_steps(name):
            columns += [*steps.obs, steps.reward, steps.agent_id]
        env.set_actions(name, ActionTuple(rng.uniform(-1, 1, (len(env.get_steps(name)[0]), 2))))
        env.step()
    assert len(pictures) == (len(pictures) > 0) * (1 + env._academy.step_count // 2)
    return columns


@pytest.mark.parametrize("entry", [ball3d.ENTRY, ball3d.HARD_ENTRY], ids=lambda entry: entry.identifier)
def test_looking_changes_nothing(opengl, entry) -> None:
    for one, other in zip(play(entry, True), play(entry, False), strict=True):
        np.testing.assert_array_equal(one, other)


def test_solids_are_drawn_where_they_are(opengl) -> None:
    """A red box ahead on the left, a green sphere on the right, and one far below that is out of play."""
    box = solids.make_boxes([(-3.0, 0.0, 0.0)], (1.0, 1.0, 1.0), (1.0, 0.0, 0.0))
    ball = solids.make_boxes([(3.0, 0.0, 0.0), (0.0, -1000.0, 0.0)], (1.0, 9.0, 9.0), (0.0, 1.0, 0.0))
    bodies = solids.join(box, ball._replace(shape=np.full(2, solids.SPHERE)))
    picture = Spectator(lambda: bodies, View(pitch_deg=0.0, yaw_deg=0.0), 160, 120).picture().astype(int)
    red, green = (picture[..., own] - picture[..., other] > 100 for own, other in ((0, 1), (1, 0)))
    # 8 m and a margin of 8 % on 160 pixels, a little less behind the front: some 18 per metre
    for lit, column, area in ((red, 79.5 - 3 * 18, 36**2), (green, 79.5 + 3 * 18, np.pi * 18**2)):
        assert np.nonzero(lit)[1].mean() == pytest.approx(column, abs=3)
        assert lit.sum() == pytest.approx(area, rel=0.25)  # nearer than that, and sideways


def test_faces_look_forward() -> None:
    """Turned right by 90 degrees, +Z is +X: the eyes are there, one on either side."""
    center, rotation = np.array([(1.0, 2.0, 3.0)]), solids.yaw_rotations(np.array([np.pi / 2]))
    eyes = solids.make_faces(center, rotation).center[:2] - center
    np.testing.assert_allclose(eyes, [(0.5, 0.08, 0.2), (0.5, 0.08, -0.2)], atol=1e-12)


def test_a_world_without_bodies_says_so() -> None:
    with pytest.raises(RenderingError, match="World cannot be seen"):
        World([], 1, EnvironmentParameters("Nothing", {})).picture(10, 10)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering.sys, "platform", "linux")
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(rendering, "_is_there", lambda library: False)
    rendering._gl_context.cache_clear()
    with pytest.raises(RenderingError, match=r"neither libEGL.so.1 nor libOSMesa.so.8.*apt-get install libegl1"):
        rendering.check_opengl()


def test_what_drivers_say_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(width: int, height: int) -> None:
        raise RuntimeError("no devices")

    monkeypatch.setattr(rendering, "_context_class", lambda: fail)
    rendering._gl_context.cache_clear()
    with pytest.raises(RenderingError, match=r"does not start here \(RuntimeError: no devices\)"):
        rendering.check_opengl()
