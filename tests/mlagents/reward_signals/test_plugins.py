"""A reward signal of another package: known in files, one more column, saved and restored."""

from __future__ import annotations

import numpy as np
import pytest

from mlagents.data.segments import FlatSegments
from mlagents.plugins import PluginError
from mlagents.reward_signals.stack import RewardSignalError, RewardSignals
from mlagents.settings import REWARD_SIGNALS, BehaviorSettings
from mlagents.settings.schema import reward_signal_types
from toys.packages import on_the_path, write_package
from toys.segments import make_segment
from toys.specs import behavior

PLUGIN = """
import numpy as np
from mlagents.settings import RewardSignalSettings, RewardSignalType

class NoveltySettings(RewardSignalSettings):
    scale: float = 2.0

class Novelty:
    respects_ends = False
    compile_seconds = 0.0
    def __init__(self, behavior, spec, settings, seed):
        self.settings, self.learned = settings, np.zeros(1, np.float32)
    def rewards(self, rows):
        return np.full(len(rows.closing), self.settings.scale * self.settings.strength, np.float32)
    def learn(self, rows, rng, epochs, batch_size):
        self.learned += rows.steps
        return {"Losses/Novelty Loss": 1.0}
    def state_dict(self):
        return {"learned": self.learned}
    def load_state_dict(self, state):
        self.learned = state["learned"]

NOVELTY = RewardSignalType(NoveltySettings, Novelty)
NOTHING = 3
MUTE = RewardSignalType(NoveltySettings, lambda *arguments: object())
CURIOSITY = NOVELTY
"""


@pytest.fixture
def offered(tmp_path):
    (tmp_path / "signal_plugin_for_test.py").write_text(PLUGIN)
    points = {name: f"signal_plugin_for_test:{name.upper()}" for name in ("novelty", "nothing", "mute", "curiosity")}
    write_package(tmp_path, "wonders", "mlagents.reward_signal", points)
    with on_the_path(tmp_path):
        yield
    for name in points.keys() - {"curiosity"}:
        REWARD_SIGNALS.pop(name, None)
        reward_signal_types._loaded.pop(name, None)


def signals_with(**signals):
    sections = {"reward_signals": {"extrinsic": {"gamma": 0.9}} | signals}
    spec = behavior(1, branches=(2,))
    return RewardSignals("B", spec, BehaviorSettings.model_validate(sections).reward_signals, 0), spec


def test_it_is_one_more_column_and_survives(offered):
    signals, spec = signals_with(novelty={"strength": 0.5, "scale": 3.0, "gamma": 0.8})
    assert signals.names == ("extrinsic", "novelty")
    np.testing.assert_allclose(signals.gamma, [0.9, 0.8])
    rows = FlatSegments(spec, 4)
    steps = np.zeros((2, 0), np.float32)
    seen, reward = np.zeros((3, 1), np.float32), np.float32([1.0, 2.0])
    rows.extend(
        make_segment(
            (seen,), steps, steps, np.zeros((2, 1), np.int32), np.zeros((2, 1), np.float32), np.ones((2, 2), bool),
            reward, terminated=True, group_reward=np.float32([0.0, 4.0]),
        )
    )  # fmt: skip
    rewards = signals.rewards(rows)
    np.testing.assert_allclose(rewards[:2], [[1.0, 1.5], [6.0, 1.5]])
    assert signals.terminated(rows)[:2].tolist() == [[False, False], [True, False]]
    found = signals.learn(rows, rewards, np.random.default_rng(0), 1, 2)
    assert found == {"Losses/Novelty Loss": 1.0, "Policy/Novelty Reward": 3.0}
    other, _ = signals_with(novelty={})
    other.load_state_dict(signals.state_dict())
    assert other.state_dict()["novelty"]["learned"].tolist() == [2.0]


def test_its_settings_are_checked_like_all_others(offered):
    with pytest.raises(ValueError, match="scale"):
        signals_with(novelty={"scale": "wide"})
    with pytest.raises(ValueError, match="novlety"):
        signals_with(novlety={})


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("nothing", PluginError, r"is 3; expected a mlagents.settings.RewardSignalType"),
        ("curiosity", PluginError, "has the name of another reward signal"),
        ("mute", RewardSignalError, "made a object, which lacks what"),
    ],
)
def test_what_breaks_the_contract_is_refused(offered, name, error, said):
    with pytest.raises(error, match=said):
        signals_with(**{name: {}})
