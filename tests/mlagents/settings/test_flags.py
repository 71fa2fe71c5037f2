"""What is typed wins over the file, and nothing else does."""

import pytest

from mlagents.settings import CurriculumSettings, RunSettings, SettingsError, load_run_settings

FILE = """
behaviors:
  A: {trainer_type: ppo, keep_checkpoints: 7}
  B: {checkpoint_interval: 70}
env_settings: {seed: 3, num_envs: 2, env_path: here}
engine_settings: {time_scale: 3}
checkpoint_settings: {run_id: from-file}
environment_parameters:
  m:
    curriculum:
      - {name: a, value: 1, completion_criteria: {behavior: A}}
      - {name: b, value: 2}
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text: str = FILE, **flags: object) -> RunSettings:
        (tmp_path / "c.yaml").write_text(text)
        return load_run_settings(tmp_path / "c.yaml", flags)

    return load_text


def test_the_file_stands_without_flags(load):
    settings = load()
    assert settings.env_settings.seed == 3
    assert settings.checkpoint_settings.run_id == "from-file"
    assert settings.checkpoint_settings.results_dir is None  # the layout of 2020


@pytest.mark.parametrize(
    ("section", "flag", "value"),
    [
        ("env_settings", "seed", 9),
        ("env_settings", "seed", -1),  # typed, although it is the default
        ("env_settings", "env_path", "there"),
        ("env_settings", "num_envs", 5),
        ("env_settings", "num_areas", 5),
        ("env_settings", "base_port", 6000),
        ("env_settings", "bind", "0.0.0.0"),
        ("env_settings", "tls_cert", "cert.pem"),
        ("env_settings", "tls_ca", "system"),
        ("env_settings", "token_file", "token"),
        ("env_settings", "insecure", True),
        ("env_settings", "timeout_wait", 5.0),
        ("env_settings", "max_lifetime_restarts", -1),
        ("env_settings", "restarts_rate_limit_n", 2),
        ("env_settings", "restarts_rate_limit_period_s", 2.0),
        ("ray_settings", "num_samplers", 4),
        ("ray_settings", "envs_per_sampler", 3),
        ("ray_settings", "max_staleness", 1),
        ("engine_settings", "width", 5),
        ("engine_settings", "height", 5),
        ("engine_settings", "quality_level", 1),
        ("engine_settings", "time_scale", 20.0),
        ("engine_settings", "target_frame_rate", 30),
        ("engine_settings", "capture_frame_rate", 30),
        ("engine_settings", "no_graphics", True),
        ("engine_settings", "no_graphics_monitor", True),
        ("checkpoint_settings", "export_profile", "sentis1"),
        ("checkpoint_settings", "export_format", "both"),
        ("checkpoint_settings", "keep_best", 3),
        ("checkpoint_settings", "run_id", "typed"),
        ("checkpoint_settings", "initialize_from", "x"),
        ("checkpoint_settings", "resume", True),
        ("checkpoint_settings", "force", True),
        ("checkpoint_settings", "inference", True),
        ("checkpoint_settings", "results_dir", "out"),
    ],
)
def test_a_typed_flag_wins(load, section, flag, value):
    plain, typed = load(), load(**{flag: value})
    assert getattr(getattr(typed, section), flag) == value
    changed = getattr(plain, section).model_copy(update={flag: value})
    assert typed == plain.model_copy(update={section: changed})


def test_environment_arguments(load):
    assert load(env_args=["--level", "3"]).env_settings.env_args == ("--level", "3")


def test_flags_for_every_behavior(load):
    settings = load(keep_checkpoints=2, save_freq=1000, deterministic=True)
    for name in "AB":
        behavior = settings.behavior(name)
        assert behavior.keep_checkpoints == 2
        assert behavior.network_settings.deterministic
    assert settings.default_settings is None  # they do not make unlisted behaviors acceptable
    assert settings.checkpoint_settings.save_freq == 1000


def test_flags_reach_the_built_in_defaults(caplog):
    settings = load_run_settings(None, {"deterministic": True, "debug": True})
    assert settings.behavior("Any").network_settings.deterministic
    assert settings.debug
    assert caplog.messages == ["no configuration file: every behavior gets the built-in defaults"]


def test_lesson(load):
    parameter = load(lesson=1).environment_parameters["m"]
    assert isinstance(parameter, CurriculumSettings)
    assert parameter.initial_lesson == 1


@pytest.mark.parametrize(
    ("flags", "device"),
    [
        ({}, "cpu"),
        ({"cpu": True}, "cpu"),
        ({"device": "gpu"}, "gpu"),
        ({"torch_device": "cuda"}, "gpu"),
        ({"torch_device": "cuda:1"}, "gpu:1"),
        ({"torch_device": "cuda", "device": "gpu"}, "gpu"),
    ],
)
def test_devices(load, flags, device):
    assert load(**flags).device == device


@pytest.mark.parametrize("flag", ["docker_target_name", "torch", "tensorflow"])
def test_ignored_flags_warn(load, caplog, flag):
    assert load(**{flag: "x"}) == load()
    assert f"command line: --{flag.replace('_', '-')}: ignored" in caplog.text


@pytest.mark.parametrize(
    ("file", "flags", "resume", "initialize_from"),
    [
        ("resume: true, initialize_from: x", {}, True, None),
        ("resume: true", {"initialize_from": "x"}, False, "x"),
        ("initialize_from: x", {"resume": True}, True, None),
        ("initialize_from: x", {"load_model": True}, True, None),
        ("run_id: y", {"resume": True, "initialize_from": "x"}, True, None),
        ("load_model: true", {}, True, None),
        ("run_id: y", {"load_model": True}, True, None),
        ("run_id: y", {"train_model": True}, False, None),
    ],
)
def test_what_a_run_starts_from(load, caplog, file, flags, resume, initialize_from):
    checkpoints = load(f"checkpoint_settings: {{{file}}}", **flags).checkpoint_settings
    assert (checkpoints.resume, checkpoints.initialize_from) == (resume, initialize_from)
    assert not checkpoints.load_model
    assert not checkpoints.train_model
    assert caplog.messages  # each of these cases is said


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"num_areas": 0}, "command line: --num-areas: out of bounds (got 0, expected a whole number >= 1 or null)"),
        ({"seed": "x"}, "command line: --seed: wrong type (got 'x', expected a whole number >= -1 and <= 2147483647)"),
        ({"keep_checkpoints": "x"}, "command line: --keep-checkpoints: wrong type (got 'x'"),
        ({"save_freq": -1}, "command line: --save-freq: out of bounds (got -1"),
        (
            {"torch_device": "tpu"},
            "command line: --torch-device: unknown value (got 'tpu', expected text or null: cpu, gpu",
        ),
        ({"cpu": True, "device": "gpu"}, "command line: --cpu: names another device than --device (cpu and gpu)"),
        ({"run_idd": "x"}, "command line: --run-idd: unknown flag; did you mean 'run_id'?"),
        ({"lesson": "x"}, "command line: --lesson: wrong type (got 'x', expected a whole number)"),
        ({"curriculum_config_path": "nowhere.yaml"}, "nowhere.yaml: file not found"),
    ],
)
def test_faults_of_flags(load, flags, expected):
    with pytest.raises(SettingsError) as error:
        load(**flags)
    assert expected in str(error.value)


def test_several_environments_need_an_executable(load):
    with pytest.raises(SettingsError, match="command line: --num-envs: num_envs is 2, but there is no env_path"):
        load("behaviors: {}", num_envs=2)
    load("behaviors: {}", num_envs=2, env_path="x")


def test_faults_of_file_and_flags_come_together(load):
    with pytest.raises(SettingsError) as error:
        load("behaviors: {A: {max_steps: 0}}", num_areas=0)
    assert len(error.value.faults) == 2


def test_a_section_of_the_wrong_type_is_one_fault(load):
    with pytest.raises(SettingsError) as error:
        load("env_settings: 3", seed=5)
    assert len(error.value.faults) == 1


FAULTS = {
    "no address": (["game"], {}, r"--attach\[0\]: expected HOST:PORT, got 'game'"),
    "no port": (["a:1", "a:0"], {}, r"--attach\[1\]: expected a port from 1 to 65535, got 'a:0'"),
    "one twice": (["a:1", "b:1", "a:1"], {}, r"--attach\[2\]: a:1 is there twice"),
    "an environment to start": (["a:1"], {"env_path": "x"}, r"--attach: players that run already are attached"),
    "another number of workers": (["a:1"], {"num_envs": 2}, r"--num-envs: num_envs is 2, but 1 players are attached"),
    "samplers": (["a:1"], {"address": "local"}, r"--ray: samplers start their environments themselves"),
}


@pytest.mark.parametrize(("addresses", "others", "said"), FAULTS.values(), ids=FAULTS)
def test_faults_of_attached_players(addresses, others, said):
    with pytest.raises(SettingsError, match=rf"^command line: {said}"):
        load_run_settings(None, {"attach": addresses, **others})


def test_each_attached_player_is_a_worker():
    settings = load_run_settings(None, {"attach": ["a:1", "[::1]:2", "b:1"]})
    assert settings.env_settings.attach == ("a:1", "[::1]:2", "b:1")
    assert settings.workers == 3


def test_a_key_needs_its_certificate():
    with pytest.raises(SettingsError, match="a key without its certificate"):
        load_run_settings(None, {"tls_key": "key.pem"})


def test_environments_on_a_cluster_are_counted_by_samplers(load):
    settings = load(address="local", num_envs=1, num_samplers=4, envs_per_sampler=3)
    assert settings.ray_settings.address == "local"
    assert settings.workers == 12


def test_samplers_without_a_cluster_are_without_effect(load, caplog):
    assert load(num_samplers=4).workers == 2  # as in the file: nobody asked for Ray
    assert "--num-samplers: without effect: everything plays on this machine (expected --ray, too)" in caplog.text
    caplog.clear()
    load(address="local", num_envs=1, num_samplers=4)
    assert "without effect" not in caplog.text


def test_num_envs_and_ray_do_not_go_together(load):
    with pytest.raises(SettingsError, match=r"num_envs is 2, but samplers have environments of their own"):
        load(address="local")
    with pytest.raises(SettingsError, match=r"samplers need an environment that they can start"):
        load("behaviors: {A: {}}", address="auto")
    with pytest.raises(SettingsError, match=r"base_port 65000 leaves no ports for 1000 environments"):
        load(address="auto", num_envs=1, num_samplers=1000, base_port=65000)
    with pytest.raises(SettingsError, match=r"--num-samplers: out of bounds \(got 0, expected a whole number >= 1"):
        load(address="auto", num_envs=1, num_samplers=0)
