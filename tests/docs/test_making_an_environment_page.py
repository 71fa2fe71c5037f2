"""docs/making-an-environment.md is followed literally: its blocks of code, in their order, are games that work."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from mlagents.cli.learn import main as learn
from mlagents.cli.main import main
from mlagents_envs.base_env import ActionTuple
from mlagents_envs.logging_util import NOTSET, set_log_level
from mlagents_envs.registry import default_registry
from mlagents_envs.testing import check_env

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "making-an-environment.md").read_text()
ROLLER_BALL, _, REST = PAGE.partition("## Two kinds of agents\n")
TAG = REST.partition("## People who play\n")[0]


def blocks(text, language="python"):
    return re.findall(rf"```{language}\n(.+?)```", text, re.DOTALL)


def commands(text):
    return [
        line[2:].split() for block in re.findall(r"```\n(\$.+?)```", text, re.DOTALL) for line in block.splitlines()
    ]


@pytest.fixture
def roller_ball(tmp_path, monkeypatch):
    """The files that a reader of the first part has at its end, and the block that looks for mistakes."""
    monkeypatch.chdir(tmp_path)
    *game, check = blocks(ROLLER_BALL)
    Path("roller_ball.py").write_text("\n\n".join(game))
    (configuration,) = blocks(ROLLER_BALL, "yaml")
    Path("roller_ball.yaml").write_text(configuration)
    return check


@pytest.fixture
def tag(tmp_path, monkeypatch):
    """The files that a reader of the second part has at its end."""
    monkeypatch.chdir(tmp_path)
    Path("tag.py").write_text("\n\n".join(blocks(TAG)))
    (configuration,) = blocks(TAG, "yaml")
    Path("tag.yaml").write_text(configuration)
    return default_registry["tag.py"]


def without_words(source):
    """The code of a module without docstrings and comments."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(body, list)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
        ):
            del body[0]
    return ast.unparse(tree)


def test_the_blocks_of_the_first_part_are_the_example(roller_ball):
    example = (ROOT / "examples" / "roller_ball" / "roller_ball.py").read_text()
    assert without_words(Path("roller_ball.py").read_text()) == without_words(example)


def test_the_first_part_gives_a_game_that_keeps_the_contract(roller_ball, monkeypatch, capsys):
    monkeypatch.syspath_prepend(".")
    try:
        exec(roller_ball, {})
    finally:
        sys.modules.pop("roller_ball", None)
    typed = [words for words in commands(ROLLER_BALL) if words[1] == "envs"]
    assert typed == [["mlagents", "envs", "roller_ball.py"]]
    assert main(typed[0][1:]) == 0
    assert "RollerBall" in capsys.readouterr().out
    assert main(["config", "check", "--strict", "roller_ball.yaml"]) == 0


def test_the_second_part_gives_a_game_that_keeps_the_contract(tag, capsys):
    check_env(lambda: tag.make(seed=1, num_areas=3), deterministic=True)
    assert set(tag.make(num_areas=1).behavior_specs) == {"Chaser?team=0", "Runner?team=0"}
    check = [words for words in commands(TAG) if words[1] == "config"]
    assert check == [["mlagents", "config", "check", "tag.yaml"]]
    assert main([*check[0][1:], "--strict"]) == 0
    assert "runner_speed" in capsys.readouterr().out


def test_who_is_caught_ends_with_the_chaser_and_both_last_see_the_catch(tag):
    """The runner stands still and the chaser runs to it: straight, so that it is there within 60 steps of 0.1 m."""
    env = tag.make(seed=2, num_areas=4)
    env.reset()
    caught = 0
    for _ in range(60):
        chasing, _ = env.get_steps("Chaser?team=0")
        env.set_actions(
            "Chaser?team=0", ActionTuple(np.sign(chasing.obs[0][:, 2:]) * (np.abs(chasing.obs[0][:, 2:]) > 0.01))
        )
        env.step()
        (_, chasers), (_, runners) = (env.get_steps(name) for name in env.behavior_specs)
        assert len(chasers) == len(runners)
        for own, other in zip(chasers.obs[0], runners.obs[0], strict=True):
            np.testing.assert_allclose(own[2:], -other[2:], atol=1e-6)  # each sees where the other is
            assert np.linalg.norm(own[2:]) * 3.0 < 0.5
        assert (chasers.reward > 0.9).all()
        assert (runners.reward < -0.9).all()
        assert not chasers.interrupted.any()
        caught += len(chasers)
    assert caught >= 4


def test_the_limit_comes_to_both_at_once(tag):
    env = tag.make(seed=2, num_areas=2)
    env.reset()
    ends = []
    for _ in range(200 // 5):
        env.step()
        ends += [env.get_steps(name)[1] for name in env.behavior_specs]
    over = [end for end in ends if end.interrupted.any()]
    assert len(over) == 2
    chasers, runners = over
    np.testing.assert_allclose(chasers.obs[0][:, 2:], -runners.obs[0][:, 2:], atol=1e-6)


@pytest.mark.slow
def test_the_curriculum_of_the_second_part_gets_to_its_last_lesson(tag, capsys):
    (typed,) = [words for words in commands(TAG) if words[0] == "mlagents-learn"]
    try:
        assert learn([*typed[1:], "--seed=1"]) == 0
    finally:
        set_log_level(NOTSET)
    assert "is in lesson 'Fast'" in capsys.readouterr().out
    assert Path("models/tag/Chaser.onnx").exists()
    assert Path("models/tag/Runner.onnx").exists()


@pytest.mark.slow
def test_the_commands_of_the_first_part_work_in_their_order(roller_ball, capsys):
    try:
        for program, *words in commands(ROLLER_BALL):
            assert (learn if program == "mlagents-learn" else main)(words) == 0, words
    finally:
        set_log_level(NOTSET)
    assert Path("models/roller/RollerBall.onnx").exists()
    assert Path("roller.gif").exists()


def test_the_agent_with_a_grid_sees_what_the_page_says():
    section = PAGE.partition("## Seeing a grid\n")[2]
    code = re.search(r"```python\n(.+?)```", section, re.DOTALL)
    food = re.search(r"food is at row (\d+), column (\d+)", section)
    shape = re.search(r"here ([\dx ]+), of zeros", section)
    assert code
    assert food
    assert shape
    names: dict = {}
    exec(code[1], names)
    (sensor,) = names["Forager"]().sensors
    image = sensor.observe()
    assert image.shape == sensor.spec.shape == tuple(map(int, shape[1].split(" x ")))
    assert [tuple(cell) for cell in np.argwhere(image[0])] == [(int(food[1]), int(food[2]))]
    assert image[1].sum() == 2 * 18  # the wall is half a metre thick, on the border of two rows of cells


def test_the_agent_with_rays_sees_what_the_page_says():
    section = PAGE.partition("## Seeing by rays\n")[2]
    code = re.search(r"```python\n(.+?)```", section, re.DOTALL)
    assert code
    names: dict = {}
    exec(code[1], names)
    (sensor,) = names["Seeker"](names["boxes_of"](2), 1).sensors
    np.testing.assert_allclose(sensor.observe(), [1, 0, 0, 0.4, 0, 1, 0, 0.3, 0, 0, 1, 1], rtol=1e-6)
    assert "0.4 of its length" in section
    assert "the food at 0.3" in section


def test_the_agent_of_a_flat_world_sees_what_the_page_says():
    section = PAGE.partition("**A flat world**")[2]
    code = re.search(r"```python\n(.+?)```", section, re.DOTALL)
    assert code
    names: dict = {}
    exec(code[1], names)
    (sensor,) = names["Pilot"]().sensors
    np.testing.assert_allclose(sensor.observe(), [1, 0, 0, 0.35, 0, 1, 0, 0.3, 0, 0, 1, 1], rtol=1e-6)
    assert "the rock at 0.35" in section
    assert "the wall at 0.3," in section
