"""The official `mlagents-envs` 1.1.0 drives our environments over the wire."""

from __future__ import annotations

import json

import numpy as np

from interop.scene import CHOOSER, PAINTER, Scene
from interop.session import SEED, Channels, play
from mlagents_envs.registry import default_registry


def in_this_process(session):
    """The same session with the same environment, without any wire."""
    make = Scene if session.environment == "scene" else default_registry[session.environment].make
    channels = Channels()
    with make(seed=SEED, num_areas=session.num_areas, side_channels=channels.all) as env:
        return play(env, channels, session.steps, session.parameters)


def test_it_sees_what_we_see_without_a_wire(session):
    expected = in_this_process(session)
    assert session.seen.keys() == expected.keys()
    for label, values in expected.items():
        np.testing.assert_array_equal(session.seen[label], values, err_msg=label)
    assert session.exit_code == 0


def test_the_sessions_have_in_them_what_they_should(session):
    seen = session.seen
    if session.environment == "3DBall":
        assert seen["0 3DBall?team=0 DecisionSteps obs 0"].shape == (12, 8)
        ends = [label for label in seen if label.endswith("TerminalSteps interrupted") and len(seen[label])]
        assert ends
        return
    if session.environment == "GridWorld":
        grid = "GridWorld?team=0"
        pictures, forbidden = seen[f"1 {grid} DecisionSteps obs 0"], seen[f"1 {grid} DecisionSteps mask 0"]
        assert pictures.shape == (3, 3, 64, 84)
        assert len(np.unique(pictures)) == 14  # the 15 parts of five colours, of which two are the same
        assert forbidden.shape == (3, 5)
        assert forbidden[:, 1:].any()
        assert not forbidden[:, 0].any()
        return
    mask = seen[f"5 {CHOOSER} DecisionSteps mask 0"]
    assert mask.shape == (3, 3)
    assert mask.sum() == 3
    assert seen[f"5 {CHOOSER} DecisionSteps group_id"].tolist() == [1, 1, 2]
    assert seen[f"3 {CHOOSER} TerminalSteps interrupted"].tolist() == [True]
    assert seen[f"3 {CHOOSER} DecisionSteps obs 0"][:, 1:4].tolist() == [[SEED, 1, 6.5]] * 3
    assert json.loads(str(seen["3 stats"])) == [["time", 3.0, 3]]
    assert f"1 {PAINTER} DecisionSteps obs 0" not in seen
    image = seen[f"2 {PAINTER} DecisionSteps obs 0"]
    assert image.shape == (2, 3, 6, 5)
    assert image.std() > 0.1
