"""A plug-in's learner is checked against the contract before it is used."""

from __future__ import annotations

import pytest

from mlagents.algorithms.ppo.learner import PPOLearner
from mlagents.plugins import PluginError
from mlagents.settings import BehaviorSettings
from mlagents.training.build import make_learner
from mlagents.training.trainer_types import make_plugin_learner
from toys.packages import on_the_path, write_package
from toys.specs import behavior

PLUGIN = """
from mlagents.reward_signals.stack import RewardSignals
from mlagents.settings import PPOSettings, TrainerType

class Hyperparameters(PPOSettings):
    pass

def whole(behavior, spec, settings, seed):
    from mlagents.algorithms.ppo.learner import PPOLearner

    return PPOLearner(behavior, spec, settings, RewardSignals(behavior, spec, settings.reward_signals, seed), seed)

class Torso:
    steps = 0
    compile_seconds = 0.0
    version = 0
    def extend(self, segments): ...
    def ready(self): ...
    def update(self): ...
    def initialize_from(self, state): ...
    def snapshot(self): return "none"

class Mute(Torso):
    def reserve(self, lanes): ...
    def state_dict(self, experience=False): ...
    def load_state_dict(self, state): ...

WHOLE = TrainerType(Hyperparameters, whole)
TORSO = TrainerType(Hyperparameters, lambda behavior, spec, settings, seed: Torso())
MUTE = TrainerType(Hyperparameters, lambda behavior, spec, settings, seed: Mute())
"""


@pytest.fixture
def offered(tmp_path):
    (tmp_path / "learner_plugin_for_test.py").write_text(PLUGIN)
    points = {name: f"learner_plugin_for_test:{name.upper()}" for name in ("whole", "torso", "mute")}
    write_package(tmp_path, "bodies", "mlagents.trainer_type", points)
    with on_the_path(tmp_path):
        yield


def make(trainer_type):
    settings = BehaviorSettings.model_validate({"trainer_type": trainer_type})
    return make_learner("B", behavior(2, continuous=1), settings, 0)


def test_a_plug_in_makes_the_learner(offered):
    assert isinstance(make("whole"), PPOLearner)


@pytest.mark.parametrize(
    ("trainer_type", "fault"),
    [
        ("torso", "made a Torso for behavior B that lacks reserve, state_dict, load_state_dict."),
        ("mute", "made a Mute for behavior B that has a str as its snapshot() (expected mlagents.nn.policy.Policy)."),
    ],
)
def test_a_learner_that_breaks_the_contract_is_refused(offered, trainer_type, fault):
    with pytest.raises(PluginError) as caught:
        make(trainer_type)
    assert fault in str(caught.value)
    assert f"'{trainer_type} = learner_plugin_for_test:{trainer_type.upper()}' of bodies" in str(caught.value)


def test_a_trainer_without_a_learner():
    settings = BehaviorSettings.model_validate({"trainer_type": "poca"})
    with pytest.raises(PluginError, match="no installed package offers the trainer_type 'poca'"):
        make_plugin_learner("B", behavior(2, continuous=1), settings, 0)
