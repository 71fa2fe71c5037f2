"""A model that was trained in Unity plays GridWorld here: it sees and moves as it did there."""

from __future__ import annotations

import json

import pytest

from mlagents.cli.main import main


def test_the_model_of_grid_world_plays_as_well_as_can_be(shared_data, capsys) -> None:
    """The best play earns 0.97638 on average, standard deviation 0.016 of one episode, 0.0012 of 200."""
    path = shared_data / "nn" / "GridWorld.nn"
    assert main(["play", "GridWorld", "--model", str(path), "--episodes", "200", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)["behaviors"].values()
    assert result["episodes"] == 200
    assert result["mean"] == pytest.approx(0.976, abs=0.005)
