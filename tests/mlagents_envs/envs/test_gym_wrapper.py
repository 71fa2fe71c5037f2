"""`UnityToGymWrapper`: Gymnasium's own checker on every environment, and what the checker cannot know."""

from __future__ import annotations

import logging
import subprocess
import sys

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from scripted_env import NAME, Scripted, decide, end, spec

from mlagents_envs.base_env import ActionSpec, DecisionSteps, TerminalSteps
from mlagents_envs.envs.unity_gym_env import ActionFlattener, UnityGymException, UnityToGymWrapper
from mlagents_envs.registry import default_registry
from toys.environments import environments


@pytest.mark.parametrize("name", environments())
@pytest.mark.filterwarnings("ignore:.*A Box observation space m.* value is -?infinity")
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes")
def test_every_environment_passes_gymnasiums_checker(name):
    def make(seed):
        return default_registry[name].make(seed=seed, num_areas=1)

    with make(0) as env:
        env.reset()
        behaviors = env.behavior_specs
        agents = sum(len(env.get_steps(behavior)[0]) for behavior in behaviors)
        both = any(s.continuous_size and s.discrete_branches for s in (b.action_spec for b in behaviors.values()))
    if len(behaviors) > 1 or agents > 1 or both:
        with pytest.raises(UnityGymException):
            UnityToGymWrapper(make)
    else:
        check_env(UnityToGymWrapper(make))


@pytest.mark.parametrize("uint8", [False, True])
@pytest.mark.filterwarnings("ignore:.*Not able to test alternative render modes")
def test_images_pass_gymnasiums_checker(uint8):
    frames = [([decide(0, value)], []) for value in (0.0, 0.5, 1.0)]
    check_env(UnityToGymWrapper(lambda seed: Scripted(frames, spec(ActionSpec(1, ()), (3, 8, 9))), uint8_visual=uint8))


def wrap(*frames, action=None, shapes=(), **options):
    env = Scripted(frames, spec(action or ActionSpec.create_continuous(1), *shapes))
    return UnityToGymWrapper(env, **options), env


def test_an_episode_from_first_to_last_observation():
    env, inner = wrap(([decide(7, 1.0)], []), ([decide(7, 2.0, 0.5)], []), ([], [end(7, 3.0, -1.0)]))
    observation, info = env.reset()
    np.testing.assert_array_equal(observation, np.float32([1, 1]))
    assert isinstance(info["step"], DecisionSteps)
    observation, reward, terminated, truncated, info = env.step(np.float32([0.25]))
    assert (observation.tolist(), reward, terminated, truncated) == ([2, 2], 0.5, False, False)
    assert type(reward) is float
    assert inner.actions[0][NAME].continuous == np.float32([[0.25]])
    observation, reward, terminated, truncated, info = env.step(np.float32([0.5]))
    assert (observation.tolist(), reward, terminated, truncated) == ([3, 3], -1.0, True, False)
    assert isinstance(info["step"], TerminalSteps)
    assert env.game_over
    with pytest.raises(UnityGymException, match="reset"):
        env.step(np.float32([0.5]))
    env.reset()
    assert not env.game_over


def test_an_interrupted_episode_is_truncated():
    env, _ = wrap(([decide(0)], []), ([], [end(0, interrupted=True)]))
    env.reset()
    assert env.step(np.float32([0]))[2:4] == (False, True)


def test_an_end_and_a_new_beginning_in_one_report_are_the_end():
    env, _ = wrap(([decide(0)], []), ([decide(0, 9.0)], [end(0, 2.0, 5.0)]))
    env.reset()
    observation, reward, terminated, _, _ = env.step(np.float32([0]))
    assert (observation.tolist(), reward, terminated) == ([2, 2], 5.0, True)


def test_reports_without_the_agent_are_stepped_over():
    env, inner = wrap(([], []), ([decide(0, 1.0)], []), ([], []), ([], []), ([decide(0, 4.0, 1.0)], []))
    assert env.reset()[0].tolist() == [1, 1]
    assert env.step(np.float32([1]))[0].tolist() == [4, 4]
    assert [len(actions[NAME].continuous) for actions in inner.actions] == [0, 1, 0, 0]


def test_an_end_in_the_first_report_belongs_to_nobody():
    env, _ = wrap(([decide(0, 1.0)], [end(0, 7.0)]), ([decide(0, 2.0)], []))
    assert env.reset()[0].tolist() == [1, 1]
    assert env.step(np.float32([0]))[0].tolist() == [2, 2]


def test_an_end_alone_in_the_first_report_is_stepped_over():
    env, _ = wrap(([], [end(0, 7.0)]), ([decide(0, 1.0)], []))
    assert env.reset()[0].tolist() == [1, 1]


def test_an_agent_that_comes_back_under_another_id_is_the_agent():
    env, _ = wrap(([decide(0)], []), ([decide(5, 3.0)], [end(0, 2.0)]))
    env.reset()
    assert env.step(np.float32([0]))[0].tolist() == [2, 2]


def test_infos_compare_by_value():
    env, _ = wrap(([decide(0, 1.0)], []), ([decide(0, 2.0)], []))
    first, again, later = env.reset()[1], env.reset()[1], env.step(np.float32([0]))[4]
    assert first == again
    assert first != later


@pytest.mark.parametrize(
    ("action", "space"),
    [
        (ActionSpec(3, ()), gymnasium.spaces.Box(-1, 1, (3,), np.float32)),
        (ActionSpec(0, (4,)), gymnasium.spaces.Discrete(4)),
        (ActionSpec(0, (4, 2)), gymnasium.spaces.MultiDiscrete([4, 2])),
    ],
)
def test_spaces_of_actions(action, space):
    env, inner = wrap(([decide(0)], []), action=action)
    assert env.action_space == space
    assert env.action_size == (action.continuous_size or action.discrete_size)
    sample = env.action_space.sample()
    env.step(sample)
    sent = inner.actions[-1][NAME]
    np.testing.assert_array_equal(np.ravel(sample), (sent.discrete if action.discrete_size else sent.continuous)[0])


def test_branches_as_one_list():
    env, inner = wrap(([decide(0)], []), action=ActionSpec(0, (3, 2)), flatten_branched=True)
    assert env.action_space == gymnasium.spaces.Discrete(6)
    env.step(3)
    assert inner.actions[-1][NAME].discrete.tolist() == [[1, 1]]


def test_the_last_branch_varies_fastest():
    flattener = ActionFlattener([2, 3])
    expected = [[0, 0], [0, 1], [0, 2], [1, 0], [1, 1], [1, 2]]
    assert [flattener.lookup_action(i) for i in range(6)] == expected
    assert flattener.action_lookup == dict(enumerate(expected))
    assert flattener.action_space.n == 6


def test_the_seed_of_the_action_space():
    samples = [wrap(([decide(0)], []), action_space_seed=3)[0].action_space.sample() for _ in range(2)]
    assert samples[0] == samples[1]


MIXED = ((2,), (1, 4, 5), (3, 2), (3,), (3, 4, 5))


def test_one_observation_is_the_first_image_and_the_rest_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        env, _ = wrap(([decide(0, 0.5)], []), shapes=MIXED)
    assert env.observation_space == gymnasium.spaces.Box(0, 1, (1, 4, 5), np.float32)
    assert env.reset()[0].shape == (1, 4, 5)
    assert "4 observations, of which only the first image" in caplog.text
    assert "1 observations are neither vectors nor images" in caplog.text


def test_all_observations_as_a_tuple():
    env, _ = wrap(([decide(0, 0.5)], []), shapes=MIXED, allow_multiple_obs=True, uint8_visual=True)
    observation, _ = env.reset()
    assert [part.shape for part in observation] == [(1, 4, 5), (3, 4, 5), (5,)]
    assert [part.dtype for part in observation] == [np.uint8, np.uint8, np.float32]
    assert (observation[1] == 128).all()
    assert observation in env.observation_space


def test_every_byte_survives_the_way_over_floats():
    for byte in range(256):
        env, _ = wrap(([decide(0, np.float32(byte) / np.float32(255))], []), shapes=[(1, 1, 1)], uint8_visual=True)
        assert env.reset()[0].item() == byte


def test_vectors_are_one_vector_and_uint8_visual_is_known_without_images():
    env, _ = wrap(([decide(0, 0.5)], []), shapes=[(2,), (3,)], uint8_visual=True)
    assert env.observation_space == gymnasium.spaces.Box(-np.inf, np.inf, (5,), np.float32)
    assert env.uint8_visual is True
    assert env.visual_obs is None
    assert env.render() is None


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_rendering_shows_the_first_image(channels):
    env, _ = wrap(([decide(0, 0.2)], []), shapes=[(channels, 4, 5)])
    env.reset()
    picture = env.render()
    assert picture.shape == (4, 5, 3)
    assert (picture == 51).all()


@pytest.mark.parametrize(
    ("frames", "specs", "reason"),
    [
        ([([decide(0), decide(1)], [])], spec(), "num_areas=1"),
        ([([decide(0)], [])], {"A?team=0": spec(), "B?team=0": spec()}, "one behavior"),
        ([([decide(0)], [])], spec(ActionSpec(1, (2,))), "continuous and discrete"),
        ([([decide(0)], [])], spec(ActionSpec(1, ()), (3, 2)), "a vector or an image"),
    ],
)
def test_what_does_not_fit_is_refused(frames, specs, reason):
    frames = [dict.fromkeys(specs, frame) for frame in frames] if isinstance(specs, dict) else frames
    with pytest.raises(UnityGymException, match=reason) as caught:
        UnityToGymWrapper(Scripted(frames, specs))
    assert isinstance(caught.value, gymnasium.error.Error)


def test_a_seed_makes_the_environment_anew():
    made = []

    def make(seed):
        made.append(Scripted([([decide(0, seed)], [])]))
        return made[-1]

    env = UnityToGymWrapper(make)
    assert env.reset(seed=5)[0].tolist() == [5, 5]
    assert env.reset()[0].tolist() == [5, 5]
    assert [inner.closed for inner in made] == [1, 0]
    env.close()
    env.close()
    assert [inner.closed for inner in made] == [1, 1]


def test_a_seed_without_effect_is_told_once(caplog):
    env, _ = wrap(([decide(0)], []))
    with caplog.at_level(logging.WARNING):
        env.reset(seed=5)
        env.reset(seed=6)
    assert [record.message for record in caplog.records if "reset(seed=5) changes nothing" in record.message]
    assert "seed=6" not in caplog.text


def test_the_wrapper_needs_no_pettingzoo_and_the_package_needs_neither():
    code = (
        "import sys; sys.modules['pettingzoo'] = None\n"
        "import mlagents_envs.envs, mlagents_envs.foreign.by_name, mlagents_envs.envs.env_helpers\n"
        "assert 'gymnasium' not in sys.modules\n"
        "import mlagents_envs.envs.unity_gym_env, mlagents_envs.foreign.from_gymnasium\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
