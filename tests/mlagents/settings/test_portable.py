"""Configurations for the original toolkit: none of our own keys unless they say something, and then a sentence."""

import pytest

from mlagents.settings.portable import portable
from mlagents.settings.schema import RunSettings

SECTIONS = {
    "trainer_type": "ppo",
    "network_settings": {"memory": {"sequence_length": 8, "memory_size": 16}},
    "reward_signals": {"extrinsic": {}, "gail": {"demo_path": "expert.demo"}},
    "behavioral_cloning": {"demo_path": "expert.demo"},
    "self_play": {"window": 5},
}


def converted(**sections):
    tree, notes = portable(RunSettings.model_validate({"behaviors": {"Walk": SECTIONS | sections}}))
    return tree["behaviors"]["Walk"], notes


def test_own_keys_at_their_defaults_are_left_out():
    tree, notes = converted()
    assert not notes
    assert set(tree["self_play"]) == {
        "save_steps", "team_change", "swap_steps", "window", "play_against_latest_model_ratio", "initial_elo",
    }  # fmt: skip
    assert set(tree["behavioral_cloning"]) == {
        "demo_path", "steps", "strength", "samples_per_update",
    }  # fmt: skip
    assert set(tree["network_settings"]["memory"]) == {"sequence_length", "memory_size"}
    assert "demo_pairing" not in tree["reward_signals"]["gail"]


@pytest.mark.parametrize(
    ("sections", "where"),
    [
        ({"self_play": {"opponent_sampling": "pfsp"}}, "behaviors.Walk.self_play.opponent_sampling"),
        (
            {"behavioral_cloning": {"demo_path": "expert.demo", "demo_pairing": "next"}},
            "behaviors.Walk.behavioral_cloning.demo_pairing",
        ),
        (
            {"reward_signals": {"gail": {"demo_path": "expert.demo", "demo_pairing": "same"}}},
            "behaviors.Walk.reward_signals.gail.demo_pairing",
        ),
    ],
)
def test_own_keys_that_say_something_stay_and_are_noted(sections, where):
    tree, notes = converted(**sections)
    assert notes == [f"{where} is a key of this toolkit; the original refuses it or knows nothing of it"]
    *path, key = where.split(".")[2:]
    for name in path:
        tree = tree[name]
    assert key in tree


def test_own_trainers_are_noted():
    cloning = {"trainer_type": "bc", "reward_signals": {"extrinsic": {}}, "self_play": None}
    _, notes = converted(**cloning)
    assert notes == ["behaviors.Walk.trainer_type: bc is no trainer of the original, which refuses it"]
