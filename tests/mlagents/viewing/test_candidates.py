"""Who can play on the page: a run is followed as it goes on, and its checkpoint says why it does what."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from mlagents.algorithms.poca.learner import POCALearner
from mlagents.algorithms.ppo.learner import PPOLearner
from mlagents.algorithms.sac.learner import SACLearner
from mlagents.artifacts.checkpoints import Checkpoints
from mlagents.artifacts.interface import KEY, interface
from mlagents.artifacts.layout import Layout
from mlagents.inference import ModelError, ModelMismatch, RandomPolicy
from mlagents.reward_signals.stack import RewardSignals
from mlagents.viewing.candidates import Chance, Rule, Run
from mlagents.viewing.cast import ChosenCast
from mlagents.viewing.explanation import explain
from mlagents_envs.base_env import DecisionSteps
from toys.line_game import LINE, Always, LineEnv
from toys.specs import behavior
from toys.training import poca_settings, ppo_settings, sac_settings

SPEC = behavior(3, continuous=2, branches=(3, 2))
MAKES = {
    "ppo": (PPOLearner, ppo_settings, {}),
    "shared critic": (PPOLearner, ppo_settings, {"hyperparameters": {"shared_critic": True}}),
    "memory": (PPOLearner, ppo_settings, {"network_settings": {"memory": {"memory_size": 8, "sequence_length": 4}}}),
    "sac": (SACLearner, sac_settings, {}),
    "poca": (POCALearner, poca_settings, {}),
}


def learner_of(kind, seed=0):
    make, settings_of, changes = MAKES[kind]
    settings = settings_of(10_000, **changes)
    return make("Line", SPEC, settings, RewardSignals("Line", SPEC, settings.reward_signals, seed), seed), settings


def save(folder, learner, settings, step):
    state = learner.state_dict() | {
        "steps": step,
        KEY: interface(SPEC, settings.network_settings, learner.snapshot()),
    }
    layout = Layout(folder.name, folder.parent)
    checkpoints = Checkpoints.open(layout) if layout.status.is_file() else Checkpoints(layout)
    checkpoints.save({"Line": state}, {}, {})
    layout.configuration.write_text("behaviors:\n  Line:\n    reward_signals:\n      extrinsic: {gamma: 0.9}\n")


def one_agent(rng):
    mask = [np.array(((False, True, False),)), np.zeros((1, 2), np.bool_)]
    return DecisionSteps([rng.normal(size=(1, 3)).astype(np.float32)], np.zeros(1), np.zeros(1, np.int32), mask)


@pytest.mark.parametrize("kind", MAKES)
def test_a_checkpoint_says_exactly_what_it_would_do(tmp_path, kind):
    learner, settings = learner_of(kind)
    save(tmp_path / "run", learner, settings, 100)
    player = Run("run", tmp_path / "run").load(LINE, SPEC)
    rng = np.random.default_rng(1)
    steps = one_agent(rng)
    why = explain(player, steps, SPEC.action_spec, rng)
    assert why.samples == 0
    assert why.probabilities[0][1] == 0.0  # it is forbidden
    assert [each.sum() for each in why.probabilities] == pytest.approx([1.0, 1.0], abs=1e-5)
    count = 4000
    many = DecisionSteps(
        [np.repeat(steps.obs[0], count, axis=0)],
        np.zeros(count),
        np.arange(1, count + 1, dtype=np.int32),
        [np.repeat(mask, count, axis=0) for mask in steps.action_mask],
    )
    action = player.act(many, False, rng)
    for branch, chances in enumerate(why.probabilities):
        drawn = np.bincount(action.discrete[:, branch], minlength=len(chances)) / count
        np.testing.assert_allclose(drawn, chances, atol=5 * np.sqrt(0.25 / count))
    middle = np.median(action.continuous, axis=0)  # clipping and squashing keep it, unlike the mean
    np.testing.assert_allclose(middle, why.mean, atol=0.05)


@pytest.mark.parametrize(
    ("kind", "has_value"), [("ppo", 1), ("shared critic", 1), ("memory", 1), ("sac", 1), ("poca", 0)]
)
def test_a_checkpoint_says_what_the_situation_is_worth_where_it_can(tmp_path, kind, has_value):
    learner, settings = learner_of(kind)
    save(tmp_path / "run", learner, settings, 100)
    player = Run("run", tmp_path / "run").load(LINE, SPEC)
    steps = one_agent(np.random.default_rng(1))
    values = player.explain(steps).values
    assert list(values) == ["extrinsic"] * has_value
    if not has_value:
        return
    policy, networks = learner.snapshot(), learner._trained.networks()
    memory = np.zeros((1, policy.memory_size), np.float32) if policy.memory_size else None
    inputs = policy.inputs(tuple(steps.obs))
    expected = networks.value(inputs)[0] if kind == "sac" else networks.values(inputs, memory)
    assert values["extrinsic"] == pytest.approx(float(jax.device_get(expected)[0, 0]), rel=1e-4)


def test_what_is_remembered_counts_in_explanations(tmp_path):
    learner, settings = learner_of("memory")
    save(tmp_path / "run", learner, settings, 100)
    player, rng = Run("run", tmp_path / "run").load(LINE, SPEC), np.random.default_rng(1)
    steps = one_agent(rng)
    before = player.explain(steps)
    player.act(steps, True, rng)
    after = player.explain(steps)
    assert np.abs(before.mean - after.mean).max() > 1e-6
    player.forget([0])
    np.testing.assert_allclose(player.explain(steps).mean, before.mean)


def test_a_run_is_followed_while_it_goes_on(tmp_path):
    run = Run("run x", tmp_path / "x", is_awaited=True)
    cast = ChosenCast([run, Chance()], {LINE: SPEC})
    assert isinstance(cast.player(LINE), RandomPolicy)
    assert cast.describe(LINE) == "run x, which has no checkpoint yet: random actions"
    assert cast.follow() == []
    learner, settings = learner_of("ppo")
    save(tmp_path / "x", learner, settings, 1000)
    assert cast.follow() == []
    assert cast.describe(LINE) == "run x, step 1,000"
    first = cast.player(LINE)
    cast.follow()
    assert cast.player(LINE) is first  # nothing new
    save(tmp_path / "x", learner, settings, 2000)
    cast.follow()
    assert cast.player(LINE).step == 2000


def test_a_damaged_checkpoint_is_said_once_and_the_last_one_plays_on(tmp_path):
    learner, settings = learner_of("ppo")
    save(tmp_path / "x", learner, settings, 1000)
    cast = ChosenCast([Run("run x", tmp_path / "x")], {LINE: SPEC})
    save(tmp_path / "x", learner, settings, 2000)
    path = Layout("x", tmp_path).checkpoint("Line", 2000, ".safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    (problem,) = cast.follow()
    assert "Line-2000.safetensors" in problem
    assert "damaged" in problem
    assert cast.player(LINE).step == 1000
    assert cast.follow() == []


def test_a_run_of_other_shapes_is_refused_and_who_played_plays_on(tmp_path):
    learner, settings = learner_of("ppo")
    save(tmp_path / "x", learner, settings, 1000)
    cast = ChosenCast([Chance(), Run("run x", tmp_path / "x")], {LINE: behavior(5, branches=(3,))})
    with pytest.raises(ModelMismatch, match=r"run x, behavior Line at step 1000 is for observations \[3\] .*\[5\]"):
        cast.choose(LINE, "run x")
    assert cast.chosen == {LINE: "random actions"}


def test_only_who_knows_a_behavior_is_offered(tmp_path):
    env = LineEnv()
    (tmp_path / "x" / "Other").mkdir(parents=True)
    rule = Rule(env.heuristic, frozenset({LINE}))
    cast = ChosenCast([Run("run x", tmp_path / "x"), rule, Chance()], env.behavior_specs)
    assert cast.options(LINE) == ["the author's rule", "random actions"]
    assert cast.options("Other?team=1") == ["run x", "random actions"]
    with pytest.raises(ModelError, match=r"nobody plays behavior 'Line\?team=0'; there are run x"):
        ChosenCast([Run("run x", tmp_path / "x")], env.behavior_specs)


def test_chance_tells_its_probabilities_and_a_rule_none():
    rng = np.random.default_rng(0)
    why = explain(RandomPolicy(SPEC), one_agent(rng), SPEC.action_spec, rng)
    np.testing.assert_allclose(why.probabilities[0], (0.5, 0.0, 0.5))
    rule = Rule(LineEnv().heuristic, frozenset({LINE})).load(LINE, SPEC)
    assert explain(rule, one_agent(rng), SPEC.action_spec, rng) is None


def test_a_model_that_does_not_tell_is_asked_often_unless_it_remembers():
    rng = np.random.default_rng(0)
    spec = behavior(3, branches=(3,))
    model = Always(2)
    steps = DecisionSteps([np.zeros((1, 3), np.float32)], np.zeros(1), np.zeros(1, np.int32), None)
    why = explain(model, steps, spec.action_spec, rng)
    np.testing.assert_array_equal(why.probabilities[0], (0, 0, 1))
    model.remembers = True
    assert explain(model, steps, spec.action_spec, rng) is None
