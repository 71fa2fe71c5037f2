"""Files of 2020 and of the generation between mean what they meant."""

import pytest

from mlagents.settings import (
    CurriculumSettings,
    GAILSettings,
    MultiRangeUniformParameters,
    PPOSettings,
    SACSettings,
    SamplerSettings,
    SettingsError,
    load_run_settings,
    parse_run_settings,
    upgrade,
)

COMMON = """
  trainer: {trainer}
  batch_size: 128
  buffer_size: 2048
  learning_rate: 1e-3
  normalize: true
  hidden_units: 64
  num_layers: 3
  max_steps: 5e5
  time_horizon: 16
  summary_freq: 1000
  reward_signals:
    extrinsic: {{strength: 1.0, gamma: 0.99}}
"""
PPO = COMMON.format(trainer="ppo") + "  beta: 1e-2\n  epsilon: 0.3\n  lambd: 0.9\n  num_epoch: 4\n"
SAC = COMMON.format(trainer="sac") + "  buffer_init_steps: 10\n  init_entcoef: 0.5\n  tau: 0.01\n"


def behavior(text: str, name: str = "A"):
    return parse_run_settings(text, "old.yaml").behavior(name)


def faults(text: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        parse_run_settings(text, "old.yaml")
    return str(error.value).splitlines()


def test_ppo_decays_epsilon_and_beta_whatever_the_learning_rate_does():
    found = behavior("A:" + PPO + "  learning_rate_schedule: constant\n")
    assert found.hyperparameters == PPOSettings(
        batch_size=128,
        buffer_size=2048,
        learning_rate=1e-3,
        learning_rate_schedule="constant",
        beta=0.01,
        beta_schedule="linear",
        epsilon=0.3,
        epsilon_schedule="linear",
        lambd=0.9,
        num_epoch=4,
    )
    network = found.network_settings
    assert (network.normalize, network.hidden_units, network.num_layers, network.memory) == (True, 64, 3, None)
    assert (found.max_steps, found.time_horizon, found.summary_freq) == (500_000, 16, 1000)


@pytest.mark.parametrize("key", ["vis_encode_type", "vis_encoder_type"])
def test_both_spellings_of_the_encoder(key):
    assert behavior("A:" + PPO + f"  {key}: resnet\n").network_settings.vis_encode_type == "resnet"


def test_both_spellings_at_once_are_a_fault():
    (fault,) = faults("A:" + PPO + "  vis_encode_type: resnet\n  vis_encoder_type: simple\n")
    assert fault.startswith("old.yaml:19:3: A.vis_encoder_type: the same as 'vis_encode_type'")


def test_memory_only_counts_with_use_recurrent():
    memory = "  memory_size: 7\n  sequence_length: 16\n"
    assert behavior("A:" + PPO + memory).network_settings.memory is None
    assert behavior("A:" + PPO + memory + "  use_recurrent: false\n").network_settings.memory is None
    (fault,) = faults("A:" + PPO + memory + "  use_recurrent: yes\n")
    assert fault.startswith("old.yaml:18:16: A.memory_size: out of bounds (got 7")


def test_a_recurrent_behavior_has_the_documented_memory(caplog):
    memory = behavior("A:" + PPO + "  use_recurrent: true\n").network_settings.memory
    assert memory is not None
    assert (memory.memory_size, memory.sequence_length) == (128, 64)
    assert caplog.messages == [
        "old.yaml:1:1: A: lacks sequence_length, memory_size, which trainer ppo required in 2020; there is no `default`"
        " section (the documented defaults count: sequence_length 64, memory_size 128)"
    ]


def test_sections_replace_whole_mappings_of_default():
    text = "default:" + PPO + "A:\n  reward_signals:\n    rnd: {strength: 0.1, gamma: 0.9}\nB: {}\n"
    assert list(behavior(text).reward_signals) == ["rnd"]
    assert list(behavior(text, "B").reward_signals) == ["extrinsic"]
    assert list(behavior(text, "unlisted").reward_signals) == ["extrinsic"]


def test_one_default_serves_several_trainers():
    text = "default:" + PPO + "A:\n  trainer: sac\n  buffer_init_steps: 1\n  init_entcoef: 1\n  tau: 0.1\n"
    text += "  num_update: 1\n"
    sac = behavior(text).hyperparameters
    assert isinstance(sac, SACSettings)
    assert sac.learning_rate_schedule == "constant"


@pytest.mark.parametrize(
    ("updates", "signals", "steps", "signal_steps"),
    [
        ("  steps_per_update: 10\n", "", 10, 10),
        ("  num_update: 1\n", "", 1, 1),
        ("  train_interval: 4\n  num_update: 2\n", "", 2, 2),
        ("  train_interval: 4\n  num_update: 2\n", "    reward_signal_num_update: 8\n", 2, 0.5),
        ("  steps_per_update: 10\n", "    reward_signal_steps_per_update: 5\n", 10, 5),
    ],
)
def test_updates_of_sac(updates, signals, steps, signal_steps):
    head, tail = SAC.split("  buffer_init_steps")
    found = behavior("A:" + head + signals + "  buffer_init_steps" + tail + updates).hyperparameters
    assert (found.steps_per_update, found.reward_signal_steps_per_update) == (steps, signal_steps)


def test_signals_have_the_sizes_of_2020():
    text = """
    gail: {strength: 0.1, gamma: 0.9, demo_path: x.demo}
    curiosity: {strength: 0.1, gamma: 0.9, encoding_size: 32}
"""
    found = behavior("A:" + PPO.replace("    extrinsic", text + "    extrinsic")).reward_signals
    gail = found["gail"]
    assert isinstance(gail, GAILSettings)
    assert gail.network_settings.hidden_units == 64
    assert found["curiosity"].network_settings.hidden_units == 32


def test_self_play_has_the_defaults_of_2020():
    found = behavior("A:" + PPO + "  self_play: {play_against_current_self_ratio: 0.25}\n").self_play
    assert found is not None
    assert (found.save_steps, found.swap_steps, found.team_change, found.window) == (20000, 20000, 100_000, 10)
    assert found.play_against_latest_model_ratio == 0.25


def test_cloning_brings_its_init_path():
    cloning = "  behavioral_cloning: {demo_path: x.demo, strength: 0.5, steps: 10, init_path: models/x}\n"
    found = behavior("A:" + PPO + cloning)
    assert found.init_path == "models/x"
    assert behavior("A:" + PPO + cloning + "  init_path: mine\n").init_path == "mine"
    assert behavior("A:" + PPO + cloning.replace("behavioral", "behavior")).behavioral_cloning is not None


def test_text_names_another_section():
    text = "A:" + PPO + "B: A\nC: B\n"
    assert behavior(text, "C") == behavior(text, "A")


def test_names_may_not_go_in_a_circle_or_nowhere():
    assert faults("A:" + PPO + "B: C\nC: B\nD: Aa\nE: 5\n") == [
        "old.yaml:18:4: B: names go in a circle: C -> B -> C",
        "old.yaml:19:4: C: names go in a circle: B -> C -> B",
        "old.yaml:20:4: D: no section 'Aa' (expected a mapping, or the name of a section); did you mean 'A'?",
        "old.yaml:21:4: E: expected a mapping, or the name of a section (got 5)",
    ]


def test_required_keys_have_their_documented_defaults(caplog):
    text = "default:" + PPO.replace("  beta: 1e-2\n", "").replace("  summary_freq: 1000\n", "")
    text += "A: {}\nB: {beta: 1.0}\nC: {trainer: sac}\n"
    settings = parse_run_settings(text, "old.yaml")
    assert settings.behavior("A").summary_freq == settings.behavior("unlisted").summary_freq == 10_000
    assert settings.behavior("A").hyperparameters.beta == 5e-3
    assert settings.behavior("B").hyperparameters.beta == 1.0
    sac = settings.behavior("C").hyperparameters
    assert isinstance(sac, SACSettings)
    assert (sac.init_entcoef, sac.tau, sac.buffer_init_steps, sac.steps_per_update) == (1.0, 0.005, 0, 1)
    assert [message.split(" (")[0] for message in caplog.messages] == [
        "old.yaml:16:1: A: lacks summary_freq, beta, which trainer ppo required in 2020",
        "old.yaml:17:1: B: lacks summary_freq, which trainer ppo required in 2020",
        "old.yaml:18:1: C: lacks summary_freq, buffer_init_steps, init_entcoef, tau, steps_per_update, which trainer"
        " sac required in 2020",
        "old.yaml:1:1: default: lacks summary_freq, beta, which trainer ppo required in 2020",
    ]
    with pytest.raises(SettingsError, match=r"old.yaml:16:1: A: lacks summary_freq, beta, which trainer ppo required"):
        parse_run_settings(text, "old.yaml", strict=True)


def test_without_rewards_the_extrinsic_one_counts(caplog):
    head, tail = PPO.split("  reward_signals:\n")
    found = behavior("A:" + head + tail.partition("\n")[2])
    assert [(name, s.strength, s.gamma) for name, s in found.reward_signals.items()] == [("extrinsic", 1.0, 0.99)]
    assert "reward_signals extrinsic with strength 1.0 and gamma 0.99" in caplog.text


def test_a_misspelt_default_is_suggested(caplog):
    text = "defualt:" + PPO + "A: {batch_size: 3, buffer_size: 9}\n"
    assert behavior(text).hyperparameters.batch_size == 3
    assert "A: lacks trainer, normalize" in caplog.text
    assert "did you mean 'defualt'?" in caplog.text


def test_trainers_that_do_not_exist():
    (removed,) = faults("A:" + PPO.replace("trainer: ppo", "trainer: offline_bc"))
    assert "use `behavioral_cloning`, or the reward signal `gail`" in removed
    (unknown,) = faults("A:" + PPO.replace("trainer: ppo", "trainer: pop"))
    assert unknown.startswith("old.yaml:2:12: A.trainer: unknown value (got 'pop'")
    assert unknown.endswith("did you mean 'ppo'?")


def test_what_has_no_effect_any_more_is_said(caplog):
    behavior("A:" + PPO + "  model_path: y\n  summary_path: x\n")
    assert [message.split(": ")[1] for message in caplog.messages] == ["A.summary_path", "A.model_path"]


def test_burn_in_belongs_to_memory():
    recurrent = "  use_recurrent: true\n  sequence_length: 8\n  memory_size: 16\n  burn_in_ratio: 0.5\n"
    memory = behavior("A:" + PPO + recurrent).network_settings.memory
    assert memory is not None
    assert memory.burn_in_ratio == 0.5


def test_no_layers_are_one_layer():
    assert behavior("A:" + PPO.replace("num_layers: 3", "num_layers: 0")).network_settings.num_layers == 1


CURRICULUM = """
A:
  measure: reward
  thresholds: [1, 2.5]
  min_lesson_length: 10
  signal_smoothing: true
  parameters:
    size: [1.0, 2.0, 3.0]
    speed: [5, 6, 7]
"""
SAMPLERS = """
resampling-interval: 5000
mass: {sampler-type: uniform, min_value: 0.5, max_value: 10}
size: {sampler-type: gaussian, mean: 1, st_dev: 0.5}
spread: {sampler-type: multirange_uniform, intervals: [[7, 8], [15, 20]]}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Loads a trainer file of 2020 with the given curriculum and sampler files."""
    monkeypatch.chdir(tmp_path)

    def load_files(curriculum: str = CURRICULUM, sampler: str = SAMPLERS, **flags: object):
        paths = {"old.yaml": "A:" + PPO, "curriculum.yaml": curriculum, "sampler.yaml": sampler}
        for name, text in paths.items():
            (tmp_path / name).write_text(text)
        files = {"curriculum_config_path": "curriculum.yaml", "sampler_file_path": "sampler.yaml"}
        return load_run_settings(tmp_path / "old.yaml", {**files, **flags}).environment_parameters

    return load_files


def test_curricula_become_lessons_of_each_parameter(load):
    speed = load()["speed"]
    assert isinstance(speed, CurriculumSettings)
    assert [lesson.name for lesson in speed.curriculum] == ["Lesson0", "Lesson1", "Lesson2"]
    assert [lesson.value.sampler_parameters.model_dump()["value"] for lesson in speed.curriculum] == [5, 6, 7]
    first, second, last = (lesson.completion_criteria for lesson in speed.curriculum)
    assert last is None
    assert first is not None
    assert first.model_dump() == {
        "behavior": "A",
        "measure": "reward",
        "min_lesson_length": 10,
        "signal_smoothing": True,
        "threshold": 1.0,
        "require_reset": False,
    }
    assert second is not None
    assert second.threshold == 2.5


def test_samplers(load, caplog):
    found = load()
    spread = found["spread"]
    assert isinstance(spread, SamplerSettings)
    assert spread.sampler_type == "multirangeuniform"
    assert spread.sampler_parameters == MultiRangeUniformParameters(intervals=((7, 8), (15, 20)))
    assert isinstance(found["size"], CurriculumSettings)  # a curriculum wins over a sampler
    assert any("size: replaces the sampler of the same name" in message for message in caplog.messages)


def test_the_resampling_interval_is_kept(tmp_path):
    (tmp_path / "old.yaml").write_text("A:" + PPO)
    (tmp_path / "sampler.yaml").write_text(SAMPLERS)
    settings = load_run_settings(tmp_path / "old.yaml", {"sampler_file_path": tmp_path / "sampler.yaml"})
    assert settings.env_settings.resampling_interval == 5000


@pytest.mark.parametrize(("lesson", "start"), [(0, 0), (2, 2), (9, 2), (-1, 0)])
def test_the_lesson_flag_is_clamped(load, lesson, start):
    assert load(lesson=lesson)["speed"].initial_lesson == start


def faults_of(load, **files) -> list[str]:
    with pytest.raises(SettingsError) as error:
        load(**files)
    return str(error.value).splitlines()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (("[1, 2.5]", "[1]"), "curriculum.yaml:8:5: A.parameters.size: expected a list of 2 values"),
        (("[1.0, 2.0, 3.0]", "7"), "curriculum.yaml:8:5: A.parameters.size: expected a list of 3 values"),
        (("measure: reward", "measure: rewad"), "curriculum.yaml:3:12: A.measure: unknown value (got 'rewad'"),
        (("measure: reward", "mesure: reward"), "curriculum.yaml:3:3: A.mesure: unknown key 'mesure'; did you mean"),
        (("  measure: reward\n", ""), "curriculum.yaml:2:1: A: missing key 'measure'"),
        (("thresholds: [1, 2.5]", "thresholds: 1"), "curriculum.yaml:4:15: A.thresholds: wrong type (got 1"),
        (("2.5", "x"), "curriculum.yaml:4:19: A.thresholds[1]: wrong type (got 'x', expected a number)"),
        (("measure: reward", "measure: progress"), "curriculum.yaml:4:19: A.thresholds[1]: out of bounds (got 2.5"),
        (("6, 7", "six, 7"), "curriculum.yaml:9:16: A.parameters.speed[1]: wrong type (got 'six'"),
        (("A:", "B:"), "curriculum.yaml:2:1: B: behavior 'B' is not configured"),
        ((CURRICULUM, "A: 5"), "curriculum.yaml:1:4: A: expected a curriculum (got 5)"),
    ],
)
def test_faults_of_a_curriculum(load, damage, expected):
    assert any(fault.startswith(expected) for fault in faults_of(load, curriculum=CURRICULUM.replace(*damage)))


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (("5000", "0"), "sampler.yaml:2:22: resampling-interval: out of bounds (got 0"),
        (("resampling-interval: 5000\n", ""), "sampler.yaml:2:1: missing key 'resampling-interval'"),
        (("resampling-", "resampling_"), "sampler.yaml:2:1: missing key 'resampling-interval'; did you mean"),
        (("sampler-type: uniform", "sampler_type: uniform"), "sampler.yaml:3:8: mass.sampler_type: unknown key"),
        (("type: uniform", "type: unifrm"), "sampler.yaml:3:22: mass.sampler-type: unknown value (got 'unifrm'"),
        (("max_value", "max_valu"), "sampler.yaml:3:47: mass.max_valu: unknown key 'max_valu'; did you mean"),
        ((", max_value: 10", ""), "sampler.yaml:3:1: mass: missing key 'max_value'"),
        (("max_value: 10", "max_value: 0.1"), "sampler.yaml:3:42: mass.min_value: min_value is 0.5, but max_value"),
        (("[7, 8]", "[8, 7]"), "sampler.yaml:5:56: spread.intervals[0]: wrong type"),
        (("[7, 8]", "[7]"), "sampler.yaml:5:56: spread.intervals[0]: wrong type"),
        (("{sampler-type: uniform, min_value: 0.5, max_value: 10}", "3"), "sampler.yaml:3:7: mass: wrong type"),
    ],
)
def test_faults_of_a_sampler_file(load, damage, expected):
    assert any(fault.startswith(expected) for fault in faults_of(load, sampler=SAMPLERS.replace(*damage)))


def test_the_generation_between(caplog):
    text = (
        "behaviors:\n  A: {trainer_type: ppo}\n"
        + "curriculum:"
        + CURRICULUM.replace("\n", "\n  ").rstrip()
        + "\nparameter_randomization:"
        + SAMPLERS.replace("\n", "\n  ").rstrip()
        + "\n"
    )
    found = parse_run_settings(text).environment_parameters
    assert set(found) == {"mass", "size", "speed", "spread"}
    assert isinstance(found["size"], CurriculumSettings)


def test_upgrade_takes_plain_mappings():
    trainer = {"A": {"trainer": "ppo", "batch_siz": 5}}
    with pytest.raises(SettingsError, match=r"trainer configuration: A\.batch_siz: unknown key 'batch_siz'"):
        upgrade(trainer)
    assert trainer == {"A": {"trainer": "ppo", "batch_siz": 5}}
    modern = upgrade(
        {"behaviors": {"A": {}}},
        sampler={"resampling-interval": 1, "x": {"sampler-type": "gaussian", "mean": 1, "st_dev": 2}},
    )
    assert modern["environment_parameters"]["x"] == {
        "sampler_type": "gaussian",
        "sampler_parameters": {"mean": 1, "st_dev": 2},
    }
