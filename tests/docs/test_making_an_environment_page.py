"""What docs/making-an-environment.md says of grid and ray sensors holds."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "making-an-environment.md").read_text()


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


def test_the_ragdoll_does_what_the_page_says():
    section = PAGE.partition("## Ragdolls\n")[2]
    code = re.search(r"```python\n(.+?)```", section, re.DOTALL)
    assert code
    names: dict = {}
    exec(code[1], names)
    fleas = names["drop"](3, 0.5)
    assert fleas.touches[:, 1, 0].tolist() == [1, 1, 1]
    trunk, leg = fleas.rotation[0]
    bent = np.degrees(2.0 * (np.arctan2(leg[1], leg[0]) - np.arctan2(trunk[1], trunk[0])))
    assert -40.0 < bent < -20.0
    geoms = names["geoms_of"](names["FLEA"], fleas, (1.0, 0.0, 0.0))
    assert len(geoms.shape) == 6
