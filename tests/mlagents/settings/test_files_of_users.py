"""What real configuration files have in them: empty sections, keys that were ignored, old forms, trainers not here."""

from __future__ import annotations

from itertools import pairwise

import pytest

from mlagents.settings import SettingsError, load_run_settings, parse_run_settings

OLD = """A:
  trainer: ppo
  batch_size: 128
  beta: 1e-2
  buffer_size: 2048
  epsilon: 0.2
  hidden_units: 64
  lambd: 0.95
  learning_rate: 1e-3
  max_steps: 5e5
  normalize: true
  num_epoch: 3
  num_layers: 2
  time_horizon: 16
  summary_freq: 1000
  reward_signals:
    extrinsic: {strength: 1.0, gamma: 0.9}
"""
BEFORE_0_9 = OLD.partition("  reward_signals")[0]


def faults(text: str, **options) -> list[str]:
    with pytest.raises(SettingsError) as error:
        parse_run_settings(text, "c.yaml", **options)
    return list(error.value.faults)


EMPTY_SECTIONS = """
default_settings: {max_steps: 7, network_settings: {hidden_units: 32}, reward_signals: {rnd: {strength: 0.5}}}
behaviors:
  A:
  B:
    network_settings:
    reward_signals:
  C: {reward_signals: {rnd: , extrinsic: }, hyperparameters: , self_play: , network_settings: {memory: }}
env_settings:
engine_settings:
environment_parameters:
checkpoint_settings:
torch_settings:
"""


def test_an_empty_section_is_as_one_that_is_not_there():
    settings = parse_run_settings(EMPTY_SECTIONS)
    same = parse_run_settings(
        EMPTY_SECTIONS.replace("    network_settings:\n    reward_signals:\n", "    max_steps: 7\n")
    )
    assert settings == same
    for name in "AB":
        assert settings.behavior(name) == settings.behavior("unlisted")
        assert settings.behavior(name).network_settings.hidden_units == 32
    assert list(settings.behavior("C").reward_signals) == ["extrinsic"]  # under `rnd` it takes back the default's
    assert settings.env_settings.base_port == 5005


def test_empty_sections_below_parameters():
    text = "environment_parameters:\n  mass:\n    sampler_type: uniform\n    sampler_parameters:\n"
    sampler = parse_run_settings(text).environment_parameters["mass"]
    assert sampler.model_dump()["sampler_parameters"] == {"seed": -1, "min_value": 0.0, "max_value": 1.0}
    assert faults("environment_parameters: {mass: }")[0].startswith(
        "c.yaml:1:31: environment_parameters.mass: wrong type"
    )


def test_flags_go_into_empty_sections(tmp_path):
    (tmp_path / "c.yaml").write_text("default_settings:\nenv_settings:\nbehaviors: {A: {network_settings: }}\n")
    settings = load_run_settings(tmp_path / "c.yaml", {"env_path": "3DBall", "deterministic": True})
    assert settings.env_settings.env_path == "3DBall"
    assert settings.behavior("A").network_settings.deterministic


def test_empty_sections_of_2020():
    settings = parse_run_settings("default:\n" + OLD + "  self_play:\n  behavioral_cloning:\n" + "B: A\n")
    assert settings.behavior("B").self_play is None


def test_keys_that_2020_ignored_are_ignored_and_said(caplog):
    text = (
        OLD + "  gamma: 0.99\n  pretraining: {strength: 1}\n  max_step: 5\n  max_steps: 7e5\n  self_play: {widnow: 3}\n"
    )
    found = parse_run_settings(text, "c.yaml").behavior("A")
    assert found.max_steps == 700_000
    assert found.self_play is not None
    assert found.self_play.window == 10
    assert caplog.messages == [
        "c.yaml:21:3: A.max_steps: given twice (first in line 10) (the last one counts, as in 2020)",
        "c.yaml:18:3: A.gamma: unknown key 'gamma'; each signal in `reward_signals` has its own (ignored, as in 2020)",
        "c.yaml:19:3: A.pretraining: unknown key 'pretraining'; it became `behavioral_cloning` (ignored, as in 2020)",
        "c.yaml:20:3: A.max_step: unknown key 'max_step'; did you mean 'max_steps'? (ignored, as in 2020)",
        "c.yaml:22:15: A.self_play.widnow: unknown key 'widnow'; did you mean 'window'? (ignored, as in 2020)",
    ]
    places = [fault.partition(": ")[0] for fault in faults(text, strict=True)]
    assert places == ["c.yaml:18:3", "c.yaml:19:3", "c.yaml:20:3", "c.yaml:21:3", "c.yaml:22:15"]


def test_a_slip_in_a_key_that_is_then_missing_was_refused_and_is():
    assert faults(OLD.replace("batch_size", "batch_siz")) == [
        "c.yaml:3:3: A.batch_siz: unknown key 'batch_siz'; did you mean 'batch_size'?"
    ]


def test_keys_twice_in_a_modern_file_are_a_fault():
    assert faults("debug: true\ndebug: true\n") == ["c.yaml:2:1: debug: given twice (first in line 1); keep one"]


def test_files_from_before_0_9_get_one_line():
    text = (
        "default:\n" + BEFORE_0_9.partition("\n")[2] + "  gamma: 0.99\n  use_curiosity: true\n  curiosity_strength: 1\n"
    )
    text += "".join(f"{name}:\n  gamma: 0.9\n  max_steps: 1\n" for name in "ABCDEFGH")
    (fault,) = faults(text)
    assert fault == (
        "c.yaml:16:3: default.gamma: a file from before 0.9: move gamma, use_curiosity, curiosity_strength into"
        " `reward_signals`, in this and every other section, as in"
        " `reward_signals: {extrinsic: {strength: 1.0, gamma: 0.99}}`"
    )


CURRICULUM = """A:
  measure: reward
  thresholds: [1]
  min_lesson_length: 2
  signal_smoothing: true
  parameters: {size: [1, 2]}
"""
SAMPLER = "resampling-interval: 5\nmass: {sampler-type: uniform, min_value: 1, max_value: 2}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [(CURRICULUM, "a curriculum file; pass it with --curriculum"), (SAMPLER, "a sampler file; pass it with --sampler")],
)
def test_a_curriculum_is_no_trainer_file(tmp_path, text, expected):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(SettingsError, match=expected):
        load_run_settings(tmp_path / "c.yaml")


@pytest.fixture
def load_curriculum(tmp_path):
    def load(path):
        (tmp_path / "trainer.yaml").write_text(OLD)
        with pytest.raises(SettingsError) as error:
            load_run_settings(tmp_path / "trainer.yaml", {"curriculum_config_path": path})
        return str(error.value)

    return load


def test_the_forms_of_curricula_before_0_15_are_named(tmp_path, load_curriculum):
    folder = tmp_path / "wall-jump"
    folder.mkdir()
    (folder / "BigWall.json").write_text('{"measure": "reward", "thresholds": [1], "parameters": {"size": [1, 2]}}')
    message = load_curriculum(folder)
    assert "a folder; curricula before 0.15 were folders of one JSON file per behavior (here BigWall.json)" in message
    message = load_curriculum(folder / "BigWall.json")
    assert "the curriculum of one behavior, in the form before 0.15" in message
    assert "`BigWall:`" in message


@pytest.mark.parametrize("text", ["behaviors: {A: {trainer_type: a2c, hyperparameters: {value_coefficient: 1}}}", OLD])
def test_a_trainer_that_is_not_installed_is_one_fault(text):
    (fault,) = faults(text.replace("trainer: ppo", "trainer: a2c"))
    assert "trainer: no trainer 'a2c' is installed" in fault.replace("trainer_type", "trainer")
    assert "with an entry point 'a2c' in the group 'mlagents.trainer_type'; is its package installed?" in fault


@pytest.mark.parametrize(("typed", "meant"), [("pop", "ppo"), ("PPO", "ppo"), ("sca", "sac"), ("pocaa", "poca")])
def test_a_slip_in_a_trainers_name_is_seen(typed, meant):
    (fault,) = faults(f"behaviors: {{A: {{trainer_type: {typed}}}}}")
    assert fault.endswith(f"did you mean '{meant}'?")


def test_inference_with_random_weights_is_said(tmp_path, caplog):
    for flags, said in (({"inference": True}, True), ({"inference": True, "resume": True}, False), ({}, False)):
        caplog.clear()
        load_run_settings(None, flags)
        assert ("act with random weights (add --resume)" in caplog.text) == said


def test_warnings_say_that_they_are(capsys):
    load_run_settings(None, {"load_model": True})
    lines = capsys.readouterr().out.splitlines()
    assert any("load_model (--load) is deprecated" in line for line in lines)
    assert all(line.startswith("[WARNING] ") for line in lines)


def test_a_sampler_of_ones_own_in_a_file_of_2020_is_answered_in_its_words(tmp_path):
    (tmp_path / "trainer.yaml").write_text(OLD)
    (tmp_path / "s.yaml").write_text("resampling-interval: 5\nmass:\n  sampler-type: custom-sampler\n  argA: 1\n")
    with pytest.raises(SettingsError) as error:
        load_run_settings(tmp_path / "trainer.yaml", {"sampler_file_path": tmp_path / "s.yaml"})
    (fault,) = error.value.faults
    assert "s.yaml:3:17: mass.sampler-type: no sampler 'custom-sampler' is registered" in fault
    assert "SamplerFactory.register_sampler(name, class)" in fault


@pytest.mark.parametrize(
    ("behavior", "key"),
    [
        ("network_settings: {hidden_units: 100000000}", "network_settings.hidden_units"),
        ("network_settings: {num_layers: 100, hidden_units: 1000000}", "network_settings.hidden_units"),
        ("hyperparameters: {num_epoch: 1e12}", "hyperparameters.num_epoch"),
        ("self_play: {window: 1e9, save_steps: 1}, max_steps: 1e9", "self_play.window"),
        ("behavioral_cloning: {demo_path: x.demo, num_epoch: 1e14}", "behavioral_cloning.num_epoch"),
        (
            "network_settings: {memory: {sequence_length: 1e13}}, hyperparameters: {batch_size: 1e14,"
            " buffer_size: 1e14}",
            "memory.sequence_length",
        ),
        ("hyperparameters: {buffer_size: 1e14}", "hyperparameters.buffer_size"),
        ("time_horizon: 1e14", "time_horizon"),
        ("network_settings: {memory: {memory_size: 100000000}}", "memory.memory_size"),
        ("reward_signals: {rnd: {network_settings: {hidden_units: 100000000}}}", "rnd.network_settings.hidden_units"),
    ],
)
def test_what_no_machine_has_is_refused_before_it_is_taken(tmp_path, behavior, key):
    (tmp_path / "c.yaml").write_text(f"behaviors:\n  A: {{trainer_type: ppo, {behavior}}}\n")
    with pytest.raises(SettingsError) as error:
        load_run_settings(tmp_path / "c.yaml")
    assert all(fault.startswith(str(tmp_path / "c.yaml:2:")) for fault in error.value.faults)
    assert any(f"{key}: needs at least" in fault for fault in error.value.faults)
    needs = next(fault for fault in error.value.faults if "needs at least" in fault)
    assert "of memory; this machine has" in needs
    assert needs.endswith(": choose a smaller value")


@pytest.mark.parametrize(
    "text",
    [
        "behaviors: {A: {max_steps: 1e29}}",
        "behaviors: {A: {max_steps: 1" + 400 * "0" + "}}",
        "behaviors: {A: {max_steps: 0x1" + 5000 * "0" + "}}",
        "behaviors: {A: {network_settings: {num_layers: 101}}}",
        "env_settings: {num_areas: 10001}",
        "env_settings: {num_areas: 2147483648}",
        "env_settings: {seed: 2147483648}",
        "engine_settings: {width: 16385}",
        "engine_settings: {height: 1e9}",
        "engine_settings: {quality_level: 2147483648}",
        "engine_settings: {target_frame_rate: 2147483648}",
        "engine_settings: {capture_frame_rate: 2147483648}",
        "environment_parameters: {x: {sampler_type: uniform, sampler_parameters: {seed: 2147483648}}}",
        "environment_parameters: {x: {sampler_type: gaussian, sampler_parameters: {mean: 1e39}}}",
    ],
)
def test_counts_have_an_end(text):
    (fault,) = faults(text)
    assert fault.startswith("c.yaml:1:")
    assert "out of bounds" in fault
    assert "expected " in fault
    assert len(fault) < 250


@pytest.mark.parametrize("value", ["1e39", "-1e39", ".inf", ".nan", "0x1" + 5000 * "0"])
def test_parameters_fit_what_environments_get(value):
    (fault,) = faults(f"environment_parameters: {{x: {value}}}")
    assert fault.startswith("c.yaml:1:29: environment_parameters.x: wrong type (got ")
    assert "expected a number from -3.4e+38 to 3.4e+38, or a mapping" in fault


def test_the_largest_values_are_accepted():
    settings = parse_run_settings(
        "behaviors: {A: {max_steps: 1e15, network_settings: {num_layers: 100}}}\n"
        "env_settings: {num_areas: 10000, seed: 2147483647}\n"
        "engine_settings: {width: 16384, height: 16384, quality_level: 2147483647}\n"
        "environment_parameters: {x: 3e38}\n"
    )
    assert settings.behaviors["A"].max_steps == 10**15
    assert settings.env_settings.num_areas == 10_000


def test_more_environments_than_there_is_memory_for_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("mlagents.settings.sizes.memory_bytes", lambda: 10**9)
    text = "behaviors: {A: {}}\nenv_settings: {env_path: x, num_envs: 50}\n"
    (tmp_path / "c.yaml").write_text(text)
    load_run_settings(tmp_path / "c.yaml")
    (tmp_path / "c.yaml").write_text(text.replace("50", "51"))
    with pytest.raises(SettingsError) as error:
        load_run_settings(tmp_path / "c.yaml")
    assert error.value.faults == (
        f"{tmp_path / 'c.yaml'}:2:39: env_settings.num_envs: needs at least 1.02 GB of memory; this machine has 1 GB:"
        " choose a smaller value",
    )


def test_aliases_of_aliases_are_counted_before_they_are_copied():
    """Nine lists of nine aliases each: 9**9 entries in ten lines."""
    names = "abcdefghi"
    lines = ['a: &a ["x", "x", "x", "x", "x", "x", "x", "x", "x"]']
    lines += [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise(names)]
    found = faults("\n".join(lines))
    assert any("entries, counted through aliases (expected at most 100,000)" in each for each in found)
