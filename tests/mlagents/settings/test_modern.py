"""Modern files: inheritance, computed defaults, known other spellings, rules between fields."""

import pytest
from pydantic import Field

from mlagents.settings import (
    BehaviorSettings,
    HyperparameterSettings,
    PPOSettings,
    RunSettings,
    SACSettings,
    SettingsError,
    parse_run_settings,
    register_trainer_type,
)
from mlagents.settings.schema import TRAINER_TYPES


def behavior(text: str):
    return parse_run_settings(f"behaviors:\n  A: {{{text}}}\n").behavior("A")


def fault(text: str) -> str:
    with pytest.raises(SettingsError) as error:
        parse_run_settings(text, "c.yaml")
    return str(error.value)


def test_built_in_defaults():
    found = BehaviorSettings()
    assert found.hyperparameters == PPOSettings()
    assert (found.checkpoint_interval, found.keep_checkpoints, found.max_steps) == (500_000, 5, 500_000)
    assert (found.time_horizon, found.summary_freq, found.threaded) == (64, 50_000, False)
    assert list(found.reward_signals) == ["extrinsic"]
    sac = BehaviorSettings(trainer_type="sac").hyperparameters
    assert isinstance(sac, SACSettings)
    assert (sac.batch_size, sac.buffer_size, sac.learning_rate_schedule) == (128, 50_000, "constant")
    assert (sac.steps_per_update, sac.reward_signal_steps_per_update) == (1, 1)


@pytest.mark.parametrize(
    ("given", "beta", "epsilon"),
    [
        ("", "linear", "linear"),
        ("learning_rate_schedule: constant", "constant", "constant"),
        ("learning_rate_schedule: constant, beta_schedule: linear", "linear", "constant"),
        ("epsilon_schedule: constant", "linear", "constant"),
    ],
)
def test_schedules_follow_the_learning_rate(given, beta, epsilon):
    found = behavior(f"trainer_type: ppo, hyperparameters: {{{given}}}").hyperparameters
    assert (found.beta_schedule, found.epsilon_schedule) == (beta, epsilon)


def test_defaults_computed_from_other_keys():
    found = behavior("self_play: {save_steps: 7}, even_checkpoints: true, max_steps: 100, keep_checkpoints: 3")
    assert found.self_play is not None
    assert found.self_play.team_change == 35
    assert found.checkpoint_interval == 33
    sac = behavior("trainer_type: sac, hyperparameters: {steps_per_update: 4}").hyperparameters
    assert sac.reward_signal_steps_per_update == 4


def test_behaviors_take_over_defaults_key_by_key():
    settings = parse_run_settings("""
default_settings:
  trainer_type: ppo
  hyperparameters: {batch_size: 32, beta: 0.5}
  network_settings: {memory: {memory_size: 8, sequence_length: 4}}
  self_play: {window: 3}
behaviors:
  A: {hyperparameters: {beta: 0.25}, network_settings: {memory: {sequence_length: 2}}}
  B: {trainer_type: sac, self_play: null}
""")
    a, b = settings.behavior("A"), settings.behavior("B")
    assert isinstance(a.hyperparameters, PPOSettings)
    assert (a.hyperparameters.batch_size, a.hyperparameters.beta) == (32, 0.25)
    assert a.network_settings.memory is not None
    assert (a.network_settings.memory.memory_size, a.network_settings.memory.sequence_length) == (8, 2)
    assert a.self_play is not None
    assert isinstance(b.hyperparameters, SACSettings)  # without the beta that only ppo has
    assert b.hyperparameters.batch_size == 32
    assert b.self_play is None
    assert settings.behavior("C") == settings.default_settings


def test_a_behavior_that_is_not_configured():
    settings = parse_run_settings("behaviors: {3DBall: {}, Walker: {}}")
    with pytest.raises(SettingsError) as error:
        settings.behavior("3DBalls")
    assert str(error.value) == (
        "behavior '3DBalls' is not configured: `behaviors` covers 3DBall, Walker, "
        "and there are no `default_settings` for others; did you mean '3DBall'?"
    )


def test_other_spellings(caplog):
    found = behavior(
        "framework: pytorch, network_settings: {vis_encoder_type: resnet, conditioning_type: none},"
        " self_play: {play_against_current_self_ratio: 0.1},"
        " behavior_cloning: {demo_path: x.demo, init_path: y},"
        " reward_signals: {curiosity: {encoding_size: 9}, rnd: {encoding_size: 9, network_settings: {}}}"
    )
    assert found.network_settings.vis_encode_type == "resnet"
    assert found.network_settings.goal_conditioning_type == "none"
    assert found.self_play is not None
    assert found.self_play.play_against_latest_model_ratio == 0.1
    assert found.init_path == "y"
    assert found.reward_signals["curiosity"].network_settings.hidden_units == 9
    assert found.reward_signals["rnd"].network_settings.hidden_units == 128
    assert len(caplog.messages) == 3


def test_trainers_of_plug_ins():
    class MySettings(HyperparameterSettings):
        """Hyperparameters of a plug-in."""

        zeal: float = 0.5
        """How hard it tries."""

        weights: dict[str, int] = Field(default={})
        """Any names."""

    register_trainer_type("mine", MySettings)
    try:
        register_trainer_type("mine", MySettings)  # again is fine
        with pytest.raises(ValueError, match=r"'mine' already belongs to .*MySettings"):
            register_trainer_type("mine", PPOSettings)
        found = behavior("trainer_type: mine, hyperparameters: {zeal: 0.75}").hyperparameters
        assert isinstance(found, MySettings)
        assert found.zeal == 0.75
        text = "behaviors: {A: {trainer_type: mine, hyperparameters: {zea: 1}}}"
        assert "unknown key 'zea'; did you mean 'zeal'?" in fault(text)
        assert "zeal: wrong type (got 'x', expected a number)" in fault(text.replace("zea: 1", "zeal: x"))
        assert "weights.a: wrong type (got 'x', expected a whole" in fault(text.replace("zea: 1", "weights: {a: x}"))
    finally:
        del TRAINER_TYPES["mine"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A: {hyperparameters: {tau: 3}}", "hyperparameters without trainer_type (expected trainer_type beside them"),
        ("A: {reward_signals: {}}", "reward_signals: empty"),
        ("A: {reward_signals: {extrinsik: {}}}", "unknown key 'extrinsik'; did you mean 'extrinsic'?"),
        ("A: {network_settings: {memory: {sequence_length: 2000}}}", "sequence_length is 2000, but batch_size is 1024"),
        (
            "A: {trainer_type: ppo, hyperparameters: {batch_size: 20000}}",
            "batch_size is 20000, but buffer_size is 10240",
        ),
        ("A: {even_checkpoints: true, keep_checkpoints: 0}", "even_checkpoints with keep_checkpoints 0"),
        ("A: {hidden_units: 3}", "unknown key 'hidden_units'; it belongs under network_settings"),
        (
            "A: {trainer_type: 3}",
            "trainer_type: wrong type (got 3, expected one of ppo, sac, poca, bc); put it in quotes",
        ),
        ("A: 5", "behaviors.A: wrong type (got 5, expected a mapping)"),
    ],
)
def test_faults_of_behaviors(text, expected):
    assert expected in fault("behaviors:\n  " + text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("behaviours: {}", "c.yaml:1:1: behaviours: unknown key 'behaviours'; did you mean 'behaviors'?"),
        ("A: {trainer_type: ppo}", "A: unknown key 'A'; a behavior belongs under `behaviors`: behaviors.A"),
        ("behaviors: 3", "c.yaml:1:12: behaviors: wrong type (got 3, expected a mapping)"),
        ("env_settings: {num_areas: 0}", "num_areas: out of bounds (got 0, expected a whole number >= 1 or null)"),
        ("env_settings: {num_envs: 2}", "num_envs is 2, but there is no env_path"),
        ("env_settings: {base_port: 65535, num_envs: 2, env_path: x}", "leaves no ports for 2 environments"),
        ("env_settings: {env_args: [1]}", "env_args[0]: wrong type (got 1, expected text); put it in quotes"),
        ("environment_parameters: {m: {sampler_type: uniform}}", "m.sampler_parameters: missing key"),
        ("environment_parameters: {m: {sampler_parameters: {}}}", "m.sampler_type: missing key"),
        ("environment_parameters: {m: {curriculum: []}}", "m.curriculum: empty (expected a list)"),
        (
            "environment_parameters: {m: {curriculum: [{name: a, value: 1}, {name: b, value: 2}]}}",
            "curriculum[0]: lesson 'a' is not the last and would never end (expected completion_criteria)",
        ),
        (
            "environment_parameters: {m: {curriculum: [{name: a, value: 1}], initial_lesson: 1}}",
            "initial_lesson: out of bounds (got 1, expected at most 0",
        ),
        (
            "{behaviors: {A: {}}, environment_parameters: "
            "{m: {curriculum: [{name: a, value: 1, completion_criteria: {behavior: B}}]}}}",
            "behavior 'B' is not configured: `behaviors` covers A",
        ),
    ],
)
def test_faults_of_other_sections(text, expected):
    assert expected in fault(text)


def test_rules_are_silent_about_what_was_never_meant():
    """A misspelt batch_size must not be judged as the default batch_size of 1024."""
    text = "behaviors: {A: {trainer_type: ppo, hyperparameters: {size_of_batch: 64, buffer_size: 256}}}"
    assert "unknown key 'size_of_batch'" in fault(text)
    text = "behaviors: {A: {trainer_type: ppo, hyperparameters: {batch_size: 6k, buffer_size: 256}}}"
    assert len(fault(text).splitlines()) == 1


def test_rules_name_the_behavior_when_the_defaults_are_part_of_it():
    text = (
        "default_settings: {network_settings: {memory: {sequence_length: 64}}}\n"
        "behaviors: {A: {trainer_type: ppo, hyperparameters: {batch_size: 32}}}"
    )
    assert fault(text) == (
        "c.yaml:1:65: default_settings.network_settings.memory.sequence_length: sequence_length is 64, "
        "but batch_size is 32 (expected sequence_length <= batch_size), in behavior 'A'"
    )


@pytest.mark.parametrize(
    ("written", "device"),
    [("cpu", "cpu"), ("cuda", "gpu"), ("cuda:1", "gpu:1"), ("gpu", "gpu"), ("null", "cpu")],
)
def test_devices(written, device):
    assert parse_run_settings(f"torch_settings: {{device: {written}}}").device == device


def test_warnings_of_what_has_no_effect(caplog):
    parse_run_settings("""
behaviors:
  A: {reward_signals: {rnd: {network_settings: {memory: {}}}}}
environment_parameters:
  m:
    curriculum:
      - {name: a, value: 1, completion_criteria: {behavior: A}}
""")
    assert len(caplog.messages) == 2
    assert "m.curriculum[0].completion_criteria: without effect: this is the last lesson" in caplog.messages[0]
    assert "memory: ignored" in caplog.messages[1]


def test_settings_made_in_python_obey_the_same_rules():
    with pytest.raises(ValueError, match="batch_size is 64, but buffer_size is 32"):
        PPOSettings(batch_size=64, buffer_size=32)
    with pytest.raises(ValueError, match="unknown keys"):
        RunSettings.model_validate({"behaviour": {}})
