"""`mlagents doctor`: what it finds on machines and in runs that are not as they should be."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from mlagents import distribution
from mlagents.cli.main import main
from mlagents.preflight import installation, machine
from mlagents.preflight.advice import advise
from mlagents.preflight.autotune import Choice, Trial, fastest, tune, write_tuned
from mlagents.preflight.findings import Finding, Level, in_words, is_wrong, look
from mlagents.preflight.footprint import footprint, row_bytes
from mlagents.preflight.handshake import examine
from mlagents.preflight.measure import Measurement, MeasurementError
from mlagents.settings import load_run_settings, parse_run_settings
from mlagents.training.build import make_learner
from mlagents_envs.base_env import ActionSpec, BehaviorSpec, DimensionProperty, ObservationSpec, ObservationType
from mlagents_envs.registry import BaseRegistryEntry, default_registry
from toys.contest import Race

CONFIG = """\
# how Basic is learned
behaviors:
  Basic:
    trainer_type: ppo
    hyperparameters: {batch_size: 32, buffer_size: 256}  # small
    network_settings: {hidden_units: 20, num_layers: 1}
    max_steps: 100000000
    time_horizon: 3
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text(CONFIG)
    return tmp_path


def levels(findings, topic):
    return [finding.level for finding in findings if finding.topic == topic]


def the(findings, topic, level):
    (found,) = [finding for finding in findings if (finding.topic, finding.level) == (topic, level)]
    return found


def test_this_installation_is_as_it_should_be():
    found = [*installation.python(), *installation.packages()]
    assert not is_wrong(found)
    assert Level.OK in levels(found, "packages")


def test_packages_that_are_missing_too_old_or_in_the_way_are_errors(monkeypatch):
    versions = {"numpy": "1.20.0", "optax": None, "mlagents": "0.19.0"}

    def version_of(name):
        return versions[name] if name in versions else real(name)

    real = distribution.version_of
    monkeypatch.setattr(installation, "version_of", version_of)
    monkeypatch.setattr(distribution, "version_of", version_of)
    found = [f for f in installation.packages() if f.level is Level.ERROR]
    assert [f.text.split(";")[0] for f in found[:2]] == ["numpy 1.20.0", "optax is not installed"]
    assert found[0].advice == 'pip install "numpy>=1.26"'
    assert found[2].text.startswith("mlagents 0.19.0 beside mlagents-jax")
    assert len(found) == 3


def test_a_cache_that_cannot_be_written_is_a_warning(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path / "file" / "xla"))
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    broken, fine = installation.caches()
    assert broken.level is Level.WARNING
    assert "is not a folder" in broken.text
    assert fine.text == f"numba: {tmp_path}, 1 files, 0 B"


def test_the_limits_of_a_container_count(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    everything = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert machine.usable_cores() == everything
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    (tmp_path / "memory.current").write_text("1000000\n")
    assert machine.usable_cores() == 0.5
    assert machine.usable_memory() == 2_000_000
    (finding,) = [f for f in machine.memory() if "free of" in f.text]
    assert (finding.level, finding.text.split(" free")[0]) == (Level.WARNING, "2 MB")


def test_a_port_that_is_in_use_is_named():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        found = [f for f in machine.ports(port, 1) if str(port) in f.text]
        assert [(f.level, f.text) for f in found] == [(Level.NOTE, f"{port} of worker 0 is in use")]
    assert not [f for f in machine.ports(port, 1) if f"{port} of worker" in f.text]


@pytest.mark.parametrize(
    ("cards", "plugin", "level", "words"),
    [
        (["H"], "0.5", Level.OK, "--device gpu uses it"),
        (["H"], None, Level.WARNING, "jax cannot use"),
        ([], "0.5", Level.WARNING, "without a card"),
        ([], None, Level.NOTE, "none"),
    ],
)
def test_a_gpu_needs_card_and_plug_in(monkeypatch, cards, plugin, level, words):
    monkeypatch.setattr(machine, "_nvidia_cards", lambda: cards)
    monkeypatch.setattr(machine, "version_of", lambda name: plugin if "12" in name else None)
    (found,) = machine.gpu()
    assert found.level is level
    assert words in found.text


def test_a_check_that_fails_hides_no_other():
    def fails():
        raise RuntimeError("no luck")
        yield

    found = list(look([("one", fails), ("two", lambda: [Finding("two", Level.OK, "fine")])]))
    assert [(f.topic, f.level) for f in found] == [("one", Level.WARNING), ("two", Level.OK)]
    assert "RuntimeError: no luck" in found[0].text


def test_the_exit_code_says_whether_something_is_wrong(here, monkeypatch, capsys):
    monkeypatch.setattr(machine, "_OPENGL", "print('drawn')")
    assert main(["doctor", "--env", "Basic", "--no-speed", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)  # although the log warns of built-in defaults
    assert not told["wrong"]
    topics = {finding["topic"] for finding in told["findings"]}
    assert topics >= {"Python", "packages", "caches", "cores", "memory", "GPU", "OpenGL", "display", "ports", "folders"}
    (here / "models").write_text("no folder")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "ERROR   folders: models is not a folder\n" in out
    assert out.splitlines()[-1].startswith("1 error, ")


def test_a_rehearsal_names_behaviors_export_and_memory(here):
    settings = load_run_settings(Path("run.yaml"), {"env_path": "Basic"})
    found = list(examine(settings))
    assert not is_wrong(found)
    assert {f.topic: f.level for f in found} == dict.fromkeys(
        ("environment", "behaviors", "step", "export", "memory"), Level.OK
    )
    assert the(found, "behaviors", Level.OK).text.startswith("Basic: ppo; observes ")
    assert list(here.iterdir()) == [here / "run.yaml"]


def test_sections_that_do_not_fit_are_found(here):
    text = CONFIG.replace("  Basic:", "  Basik:")
    found = list(examine(parse_run_settings(f"{text}env_settings: {{env_path: Basic}}")))
    assert "no section covers Basic" in the(found, "environment", Level.ERROR).text
    assert "did you write 'Basik' for 'Basic'?" in found[-1].text
    text = f"{CONFIG}default_settings: {{}}\n".replace("  Basic:", "  Basik:")
    text += "environment_parameters: {gravity: 3}\nenv_settings: {env_path: Basic}"
    found = list(examine(parse_run_settings(text)))
    assert the(found, "behaviors", Level.WARNING).text == "no agents for the sections Basik"
    assert "the environment has no such parameter" in the(found, "parameters", Level.WARNING).text
    assert not is_wrong(found)


class Broken(BaseRegistryEntry):
    """A race whose agents report numbers that are not finite after a step."""

    def make(self, **ignored):
        env = Race(areas=2)
        seen = env._seen
        env._seen = lambda place, side: [a * (np.nan if hasattr(env, "_won") else 1.0) for a in seen(place, side)]
        return env


def test_numbers_that_are_not_finite_are_an_error(monkeypatch):
    default_registry.register(Broken("BrokenRace", None, None))
    try:
        settings = parse_run_settings("default_settings: {}\nenv_settings: {env_path: BrokenRace}")
        assert "not finite" in the(list(examine(settings)), "step", Level.ERROR).text
    finally:
        default_registry._known.pop("BrokenRace", None)


def test_an_environment_that_is_not_there_is_an_error():
    settings = parse_run_settings("default_settings: {}\nenv_settings: {env_path: Basik}")
    (finding,) = examine(settings)
    assert finding.level is Level.ERROR
    assert "did you mean Basic" in finding.text


def spec(observations=8, continuous=2):
    observation = ObservationSpec((observations,), (DimensionProperty.NONE,), ObservationType.DEFAULT, "vector")
    return BehaviorSpec([observation], ActionSpec.create_continuous(continuous))


def test_the_footprint_is_what_rows_and_networks_take():
    # 8 observed, 2 actions, 2 log-probabilities, then two rewards, group id, group size and tick: 4 bytes each
    assert row_bytes(spec(), 0) == 4 * (8 + 2 + 2 + 5)
    text = (
        "behaviors: {B: {trainer_type: %s, time_horizon: 10, hyperparameters: {buffer_size: 100, batch_size: 10},"
        " network_settings: {hidden_units: 4, num_layers: 1}}}"
    )
    for trainer, part, rows in (("ppo", "buffer", 100 + 3 * 11), ("sac", "replay", 100)):
        settings = parse_run_settings(text % trainer).behaviors["B"]
        learner = make_learner("B", spec(), settings, 0)
        found = footprint(settings, spec(), learner, agents=3)
        assert found[part] == rows * 68
        assert found["trajectories"] == 2 * 3 * 11 * 68
        weights = 8 * 4 + 4 + 4 * 2 + 2  # the policy's, at the very least
        assert found["networks"] >= 4 * 4 * weights
        assert found["networks"] < 1e5


def measurement(environment=1.0, acting=1.0, learning=1.0, updates=4):
    return Measurement(1000.0, 4.0, updates, 2.0, 3.0, 5 * 10**8, environment, acting, learning, 0.0)


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"environment": 9.0}, "--num-envs 4"),
        ({"acting": 9.0}, "More --num-areas"),
        ({"learning": 9.0}, "NPROC=3"),
    ],
)
def test_advice_follows_what_a_run_is_bound_by(shares, words):
    settings = parse_run_settings("default_settings: {}\nenv_settings: {env_path: Basic}")
    found = list(advise(measurement(**shares), settings, cores=4.0))
    bound = the(found, "bound by", Level.OK)
    assert bound.text.startswith(next(iter(shares)))
    assert words in bound.advice
    assert "1,000 steps per second, 4 updates in 4.0 s" in found[0].text


@pytest.mark.parametrize(
    ("section", "cores", "said"), [("{}", 2.0, True), ("{}", 1.0, False), ("{threaded: true}", 2.0, False)]
)
def test_learning_beside_collecting_is_advised_where_a_core_is_idle(section, cores, said):
    settings = parse_run_settings(f"default_settings: {section}\nenv_settings: {{env_path: Basic}}")
    found = list(advise(measurement(learning=3.0, environment=1.0), settings, cores))
    assert ("threaded: true" in the(found, "bound by", Level.OK).advice) == said


def test_a_run_without_an_update_is_said():
    settings = parse_run_settings("default_settings: {}\nenv_settings: {env_path: Basic}")
    first = next(iter(advise(measurement(updates=0), settings, cores=4.0)))
    assert first.level is Level.NOTE
    assert "without learning" in first.text


def test_tuning_doubles_what_is_worth_it_and_survives_a_failure():
    speeds = {
        Choice(1, None, 1): 100.0,
        Choice(1, 8, 1): 150.0,
        Choice(1, 16, 1): 152.0,
        Choice(2, 8, 1): 240.0,
        Choice(2, 8, 2): 200.0,
    }

    def measure(choice):
        if choice.num_envs == 4:
            raise MeasurementError("out of memory")
        return Measurement(speeds[choice], 1, 1, 1, 1, 1, 1, 1, 1, 1)

    trials = list(tune(Choice(), usual_areas=4, cores=4.0, measure=measure))
    assert [trial.choice for trial in trials] == [*list(speeds)[:4], Choice(4, 8, 1), Choice(2, 8, 2)]
    assert trials[4] == Trial(Choice(4, 8, 1), 0.0, "out of memory")
    assert fastest(trials).choice == Choice(2, 8, 1)
    assert fastest([Trial(Choice(), 100.0), Trial(Choice(2), 103.0)]).choice == Choice()  # noise


def test_a_speed_without_learning_is_none_beside_one_with_it():
    """More areas may fill the seconds that are measured before the buffer is full: that is no gain."""

    def measure(choice):
        updates = {4: 2, 8: 0}[choice.num_areas or 4]
        return Measurement(100.0 if updates else 900.0, 1, updates, 1, 1, 1, 1, 1, 1, 1)

    trials = list(tune(Choice(), usual_areas=4, cores=1.0, measure=measure))
    assert [str(trial) for trial in trials] == [
        "num_envs 1, threads 1: 100 steps per second",
        "num_envs 1, num_areas 8, threads 1: 900 steps per second, without learning: no update came meanwhile",
    ]
    assert fastest(trials) == trials[0]
    assert fastest([Trial(Choice(), 0.0, "out of memory"), trials[1]]) == trials[1]
    assert fastest([trials[1], trials[0]]) == trials[0]
    assert fastest([trials[0], Trial(Choice(2), 0.0, "out of memory")]) == trials[0]


def test_the_tuned_copy_keeps_comments_and_is_valid(here):
    settings = load_run_settings(Path("run.yaml"), {"env_path": "Basic"})
    write_tuned(Path("run.yaml"), settings, Trial(Choice(2, 8, 3), 240.0), Path("tuned.yaml"))
    text = Path("tuned.yaml").read_text()
    assert text.startswith("# Tuned: num_envs 2, num_areas 8, threads 3: 240 steps per second; start it with NPROC=3\n")
    assert "# how Basic is learned" in text
    assert "# small" in text
    tuned = load_run_settings(Path("tuned.yaml"), {"env_path": "Basic"})
    assert (tuned.env_settings.num_envs, tuned.env_settings.num_areas) == (2, 8)
    assert tuned.behaviors == settings.behaviors
    assert Path("run.yaml").read_text() == CONFIG


def test_a_tuned_copy_of_a_file_of_2020_is_modern(here):
    Path("old.yaml").write_text("default: {trainer: ppo, max_steps: 5000}\nBasic: {batch_size: 16}\n")
    settings = load_run_settings(Path("old.yaml"), {"env_path": "Basic"})
    write_tuned(Path("old.yaml"), settings, Trial(Choice(3), 240.0), Path("tuned.yaml"))
    tuned = load_run_settings(Path("tuned.yaml"))
    assert tuned.env_settings.num_envs == 3
    assert tuned.behaviors == settings.behaviors


def test_sizes_in_words():
    assert [in_words(n) for n in (12, 1234, 5.6e6, 7.89e9, 2e12)] == ["12 B", "1.23 kB", "5.6 MB", "7.89 GB", "2 TB"]


@pytest.mark.timeout(900)  # it is a process of its own, which must not fail on a machine that is busy
def test_a_rehearsal_measures_a_run_of_some_seconds(here, monkeypatch, capsys):
    monkeypatch.setattr(machine, "_OPENGL", "print('drawn')")
    assert main(["doctor", "run.yaml", "--env", "Basic", "--seconds", "0.5", "--json"]) == 0
    found = {finding["topic"]: finding for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert "compiled its updates in" in found["speed"]["text"]
    assert found["bound by"]["text"].split(" ")[0] in ("environment", "acting", "learning")
    assert found["bound by"]["advice"]
    assert sorted(path.name for path in here.iterdir()) == ["run.yaml"]


@pytest.mark.slow
def test_autotune_writes_what_it_has_measured(here, monkeypatch, capsys):
    monkeypatch.setattr(machine, "_OPENGL", "print('drawn')")
    assert main(["doctor", "run.yaml", "--env", "Basic", "--seconds", "1", "--autotune"]) == 0
    out = capsys.readouterr().out
    assert out.count("note    autotune: num_envs") >= 3
    assert "written to run.tuned.yaml" in out
    tuned = load_run_settings(Path("run.tuned.yaml"), {"env_path": "Basic"})
    assert f"num_envs {tuned.env_settings.num_envs}" in out
    assert tuned.behaviors == load_run_settings(Path("run.yaml")).behaviors


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--autotune", "run.yaml"], "--autotune=run.yaml is the configuration itself"),
        (["--autotune", "no/such.yaml"], "nothing can be written into the folder no;"),
        (["--autotune", "."], "--autotune=.: it is a folder"),
        (["--autotune", "--no-speed"], "leave one of them out"),
        (["--seconds=-3"], "expected seconds above 0, got '-3'"),
    ],
)
def test_what_cannot_be_measured_or_written_is_told_before_minutes_have_passed(here, capsys, flags, words):
    with suppress(SystemExit):  # of argparse
        assert main(["doctor", "run.yaml", "--env", "Basic", *flags]) == 2
    assert words in capsys.readouterr().err
    assert Path("run.yaml").read_text() == CONFIG


def test_autotune_writes_nothing_where_nothing_could_be_measured(here, monkeypatch, capsys):
    def fail(*_, **__):
        raise MeasurementError("out of memory")

    monkeypatch.setattr("mlagents.preflight.measure.measure", fail)
    monkeypatch.setattr(machine, "_OPENGL", "print('drawn')")
    assert main(["doctor", "run.yaml", "--env", "Basic", "--autotune"]) == 1
    out = capsys.readouterr().out
    assert "note    autotune: num_envs 1, threads 1: out of memory" in out
    assert "ERROR   autotune: nothing could be measured, so nothing was written" in out
    assert sorted(path.name for path in here.iterdir()) == ["run.yaml"]


def test_autotune_without_an_environment_is_refused(here, capsys):
    assert main(["doctor", "--autotune"]) == 2
    assert main(["doctor", "run.yaml"]) == 2
    assert "which environment?" in capsys.readouterr().err
