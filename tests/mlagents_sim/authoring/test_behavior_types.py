"""Agents that act by themselves: by their heuristic, or by a model."""

from __future__ import annotations

import tomllib
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from mlagents_envs.base_env import ActionSpec, ActionTuple
from mlagents_envs.demonstrations import load_demonstration
from mlagents_envs.exception import UnityPolicyException
from mlagents_sim import controllers
from mlagents_sim.authoring import Agent, AgentWorld, BehaviorParameters, BehaviorType, DecisionRequester
from mlagents_sim.controllers import MODEL_LOADERS, load_model
from mlagents_sim.environment import SimEnvironment
from mlagents_sim.examples import ball3d
from mlagents_sim.recorder import record

SPEC = ActionSpec.create_continuous(1)


class Walker(Agent):
    """Observes where it is, goes where its action says, and ends at 1 or beyond with that as its reward."""

    def __init__(self, kind: BehaviorType = BehaviorType.DEFAULT, model=None, **options) -> None:
        behavior = BehaviorParameters("Walker", 1, SPEC, behavior_type=kind, model=model, **options)
        super().__init__(behavior, decision_requester=DecisionRequester(period=2))
        self.position = 0.0
        self.ends = 0

    def on_episode_begin(self):
        self.position = 0.0

    def collect_observations(self, sensor):
        sensor.add_observation(self.position)

    def on_action_received(self, actions):
        self.position += float(actions.continuous[0])
        if self.position >= 1.0:
            self.set_reward(self.position)
            self.end_episode()
            self.ends += 1

    def heuristic(self, actions_out):
        actions_out.continuous[0] = 0.125


class Doubling:
    """A model that acts 0.25 above what it sees, and notes what it is asked."""

    def __init__(self) -> None:
        self.seen: list[list[float]] = []
        self.deterministic: list[bool] = []
        self.forgotten: list[int] = []

    def act(self, decision_steps, deterministic, rng):
        self.seen.append(decision_steps.obs[0][:, 0].tolist())
        self.deterministic.append(deterministic)
        return ActionTuple(decision_steps.obs[0] + 0.25)

    def forget(self, agent_ids):
        self.forgotten += agent_ids


def test_a_heuristic_acts_beside_a_trained_agent_and_is_not_reported():
    """0.125 per step: at 0.25, 0.5, 0.75 when it decides, at the goal in step 8."""
    alone, trained = Walker(BehaviorType.HEURISTIC_ONLY), Walker()
    env = SimEnvironment(AgentWorld([alone, trained]))
    env.reset()
    assert list(env.behavior_specs) == ["Walker?team=0"]
    positions = []
    for _ in range(4):
        decisions, terminals = env.get_steps("Walker?team=0")
        assert decisions.agent_id.tolist() == [1]
        assert decisions.obs[0].tolist() == [[0.0]]
        assert len(terminals) == 0
        env.step()
        positions.append(alone.position)
    assert positions == [0.25, 0.5, 0.75, 0.0]
    assert alone.ends == 1


def test_a_world_without_anybody_to_train_goes_on_step_by_step():
    alone = Walker(BehaviorType.HEURISTIC_ONLY)
    env = SimEnvironment(AgentWorld([alone]), rng=np.random.default_rng(0))
    env.reset()
    assert dict(env.behavior_specs) == {}
    for _ in range(17):
        env.step()
    assert (alone.ends, alone.position) == (2, 0.125)  # ends in steps 8 and 16
    assert env.state_dict() is None


def test_a_model_acts_for_all_its_agents_and_forgets_who_ended():
    """From 0: 0.25 twice makes 0.5; 0.75 more ends the episode in step 3, and step 4 is one without an action."""
    model = Doubling()
    agents = [Walker(BehaviorType.INFERENCE_ONLY, model, deterministic_inference=True) for _ in range(2)]
    env = SimEnvironment(AgentWorld(agents))
    env.reset()
    assert model.forgotten == [0, 1]
    for _ in range(4):
        env.step()
    assert model.seen == [[0.0, 0.0], [0.5, 0.5], [0.0, 0.0]]
    assert model.deterministic == [True, True, True]
    assert [agent.ends for agent in agents] == [1, 1]
    assert model.forgotten == [0, 1, 0, 1]


def test_a_model_file_is_loaded_by_what_is_installed_for_its_kind(monkeypatch, tmp_path):
    loaded = []

    def load(path, spec):
        loaded.append((path, spec.observation_shapes, spec.action_spec))
        return Doubling()

    point = EntryPoint("onnx", f"{__name__}:load", MODEL_LOADERS)
    monkeypatch.setattr(EntryPoint, "load", lambda self: load)
    monkeypatch.setattr(controllers, "entry_points", lambda group: [point] if group == MODEL_LOADERS else [])
    AgentWorld([Walker(BehaviorType.INFERENCE_ONLY, str(tmp_path / "walker.onnx"))])
    assert loaded == [(tmp_path / "walker.onnx", [(1,)], SPEC)]
    with pytest.raises(UnityPolicyException, match=r"walker\.pt: no installed package runs .* known are \.onnx"):
        AgentWorld([Walker(BehaviorType.INFERENCE_ONLY, tmp_path / "walker.pt")])


def test_a_model_of_other_observations_is_refused():
    model = Path(ball3d.__file__).with_name("models") / "3DBall.onnx"  # takes 8 numbers
    kind, actions = BehaviorType.INFERENCE_ONLY, ActionSpec.create_continuous(2)
    agent = Agent(BehaviorParameters("Ball", 7, actions, behavior_type=kind, model=model))
    with pytest.raises(UnityPolicyException, match=r"^Behavior 'Ball\?team=0': .*expects shape \[8\].*gives \[7\]"):
        AgentWorld([agent])


def test_the_package_registers_its_loader():
    project = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text(encoding="utf-8"))
    offers = project["project"]["entry-points"][MODEL_LOADERS]
    assert set(offers) == {"onnx", "nn"}
    for target in offers.values():
        module, name = target.split(":")
        assert callable(getattr(import_module(module), name))


def test_a_real_model_plays(shared_data):
    """The trained policy of Basic, as an agent of its own kind would use it."""
    from mlagents_sim.examples.basic import ENTRY

    model = load_model(shared_data / "onnx" / "Basic.onnx", ENTRY.make().behavior_specs["Basic?team=0"])

    class Basic(Agent):
        def __init__(self) -> None:
            behavior = BehaviorParameters(
                "Basic",
                20,
                ActionSpec.create_discrete((3,)),
                behavior_type=BehaviorType.INFERENCE_ONLY,
                model=model,
                deterministic_inference=True,
            )
            super().__init__(behavior, decision_requester=DecisionRequester(1))

        def on_episode_begin(self):
            self.position = 10

        def collect_observations(self, sensor):
            sensor.add_one_hot_observation(self.position, 20)

        def on_action_received(self, actions):
            self.position += (0, -1, 1)[actions.discrete[0]]
            if self.position == 17:
                self.end_episode()

    agent = Basic()
    env = SimEnvironment(AgentWorld([agent]))
    env.reset()
    for _ in range(21):
        env.step()
    assert agent.completed_episodes == 3


def test_who_acts_alone_can_be_recorded(tmp_path):
    """8 steps to the end, decisions every 2: four decisions an episode, two episodes and a half."""
    world = AgentWorld([Walker(BehaviorType.HEURISTIC_ONLY)])
    env = SimEnvironment(world)
    with record(world, tmp_path / "walk.demo"):
        env.reset()
        for _ in range(20):
            env.step()
    env.step()  # not recorded any more
    first, second, rest = load_demonstration(tmp_path / "walk.demo").episodes
    for episode in (first, second):
        np.testing.assert_allclose(episode.obs[0][:, 0], [0, 0.25, 0.5, 0.75, 1.0])
        np.testing.assert_allclose(episode.action.continuous, 4 * [[0.125]])
        np.testing.assert_allclose(episode.reward, [0, 0, 0, 1.0])
        assert episode.is_whole
    assert not rest.is_whole


def test_a_recording_survives_an_error(tmp_path):
    world = AgentWorld([Walker(BehaviorType.HEURISTIC_ONLY)])
    env = SimEnvironment(world)

    def play_and_fail():
        with record(world, tmp_path / "walk.demo"):
            env.reset()
            for _ in range(5):
                env.step()
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        play_and_fail()
    assert load_demonstration(tmp_path / "walk.demo").decisions == 2


def test_what_to_record_must_be_clear(tmp_path):
    world = AgentWorld([Walker()])
    with pytest.raises(ValueError, match="Expected one behavior that acts by itself; asked for any, there: none"):
        record(world, tmp_path / "walk.demo").__enter__()
