"""A complete configuration, damaged at every key in every way, gives a report with key and line, and nothing else.

The places are worked out independently of the parser: each damage puts a unique marker into the text, and the line of
the report must be the line of the marker.
"""

import io
import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from mlagents.settings import SettingsError, parse_run_settings

Path = tuple[Any, ...]

MODERN = """
default_settings:
  trainer_type: poca
  hyperparameters: {batch_size: 512, buffer_size: 2048, beta: 0.01, lambd: 0.9}
behaviors:
  Ppo:
    trainer_type: ppo
    hyperparameters:
      batch_size: 256
      buffer_size: 1024
      learning_rate: 0.001
      learning_rate_schedule: linear
      beta: 0.01
      beta_schedule: constant
      epsilon: 0.3
      epsilon_schedule: constant
      lambd: 0.9
      num_epoch: 4
      shared_critic: true
    max_steps: 1000
    keep_checkpoints: 3
    even_checkpoints: true
    checkpoint_interval: 100
    network_settings:
      normalize: true
      hidden_units: 32
      num_layers: 1
      vis_encode_type: resnet
      memory: {sequence_length: 16, memory_size: 32}
      goal_conditioning_type: none
      deterministic: true
    reward_signals:
      extrinsic: {gamma: 0.9, strength: 2.0}
      curiosity: {gamma: 0.9, strength: 0.1, learning_rate: 0.01, network_settings: {hidden_units: 7}}
      gail: {gamma: 0.9, strength: 0.1, learning_rate: 0.01, demo_path: a.demo, use_actions: true, use_vail: true}
      rnd: {gamma: 0.9, strength: 0.1, learning_rate: 0.01}
    init_path: somewhere
    time_horizon: 32
    summary_freq: 100
    threaded: true
    self_play:
      save_steps: 10
      team_change: 20
      swap_steps: 30
      window: 4
      play_against_latest_model_ratio: 0.25
      initial_elo: 1000.0
    behavioral_cloning:
      demo_path: b.demo
      steps: 10
      strength: 0.5
      samples_per_update: 5
      num_epoch: 2
      batch_size: 16
  Sac:
    trainer_type: sac
    hyperparameters:
      batch_size: 64
      buffer_size: 128
      learning_rate: 0.001
      learning_rate_schedule: constant
      buffer_init_steps: 10
      tau: 0.01
      init_entcoef: 0.5
      steps_per_update: 2.0
      reward_signal_steps_per_update: 3.0
      save_replay_buffer: true
env_settings:
  env_path: 3DBall
  env_args: [--level, two]
  base_port: 6000
  num_envs: 2
  num_areas: 3
  timeout_wait: 10.0
  seed: 7
  max_lifetime_restarts: 1
  restarts_rate_limit_n: 2
  restarts_rate_limit_period_s: 5.0
  bind: 0.0.0.0
engine_settings:
  width: 100
  height: 100
  quality_level: 1
  time_scale: 1.0
  target_frame_rate: 60
  capture_frame_rate: 0
  no_graphics: true
  no_graphics_monitor: true
environment_parameters:
  uniform: {sampler_type: uniform, sampler_parameters: {seed: 1, min_value: 1.0, max_value: 2.0}}
  gaussian: {sampler_type: gaussian, sampler_parameters: {seed: 1, mean: 1.0, st_dev: 2.0}}
  ranges: {sampler_type: multirangeuniform, sampler_parameters: {seed: 1, intervals: [[1.0, 2.0], [3.0, 4.0]]}}
  constant: {sampler_type: constant, sampler_parameters: {seed: 1, value: 1.0}}
  taught:
    curriculum:
      - name: one
        value: 1.0
        completion_criteria:
          behavior: Ppo
          measure: progress
          min_lesson_length: 5
          signal_smoothing: false
          threshold: 0.5
          require_reset: true
      - name: two
        value: {sampler_type: uniform, sampler_parameters: {min_value: 1.0, max_value: 2.0}}
    initial_lesson: 1
checkpoint_settings:
  run_id: a
  initialize_from: b
  load_model: true
  resume: true
  force: true
  train_model: true
  inference: true
  results_dir: c
torch_settings: {device: cpu}
debug: true
"""

OLD = """
default:
  trainer: ppo
  batch_size: 128
  buffer_size: 1024
  learning_rate: 0.001
  learning_rate_schedule: linear
  beta: 0.01
  epsilon: 0.2
  lambd: 0.9
  num_epoch: 3
  normalize: false
  hidden_units: 32
  num_layers: 2
  vis_encode_type: simple
  use_recurrent: true
  memory_size: 64
  sequence_length: 32
  time_horizon: 64
  max_steps: 1000
  summary_freq: 100
  init_path: somewhere
  threaded: true
  reward_signals:
    extrinsic: {strength: 1.0, gamma: 0.9}
    curiosity: {strength: 0.1, gamma: 0.9, encoding_size: 32, learning_rate: 0.01}
    gail: {strength: 0.1, gamma: 0.9, demo_path: a.demo, encoding_size: 32, use_actions: true, use_vail: true}
  behavioral_cloning: {demo_path: a.demo, strength: 0.5, steps: 10, batch_size: 4, num_epoch: 2, samples_per_update: 3}
  self_play:
    save_steps: 10
    swap_steps: 20
    team_change: 30
    window: 4
    play_against_latest_model_ratio: 0.5
    initial_elo: 1000.0
Sac:
  trainer: sac
  buffer_init_steps: 10
  init_entcoef: 0.5
  tau: 0.01
  steps_per_update: 2
  save_replay_buffer: true
"""

SOURCES = {"modern": MODERN, "2020": OLD}
TREES: dict[str, Any] = {name: YAML(typ="safe").load(text) for name, text in SOURCES.items()}


def entries(tree: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield (*path, key), value
        if isinstance(value, dict | list):
            yield from entries(value, (*path, key))


def parent(tree: Any, path: Path) -> Any:
    for key in path[:-1]:
        tree = tree[key]
    return tree


def written(tree: Any) -> str:
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 1000
    yaml.dump(tree, stream)
    return stream.getvalue()


def line_of(marker: str, text: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), 1) if marker in line)


def reported(text: str) -> list[str]:
    with pytest.raises(SettingsError) as error:
        parse_run_settings(text, "c.yaml", strict=True)  # else keys that 2020 ignored are only warned of
    return str(error.value).splitlines()


def chosen_names(source: str) -> set[Path]:
    """Below these, keys are names that the author chooses."""
    return {("behaviors",), ("environment_parameters",)} if source == "modern" else {()}


MISSPELT = [
    pytest.param(source, path, id=f"{source}:{'.'.join(map(str, path))}")
    for source, tree in TREES.items()
    for path, _ in entries(tree)
    if isinstance(path[-1], str) and path[:-1] not in chosen_names(source)
]
WRONG = [
    pytest.param(source, path, value, id=f"{source}:{'.'.join(map(str, path))}")
    for source, tree in TREES.items()
    for path, value in entries(tree)
]


def test_there_are_enough_of_them():
    assert len(MISSPELT) > 150
    assert len(WRONG) > 150


@pytest.mark.parametrize("source", SOURCES)
def test_undamaged_it_parses(source):
    parse_run_settings(SOURCES[source])
    parse_run_settings(written(TREES[source]))


@pytest.mark.parametrize(("source", "path"), MISSPELT)
def test_misspelt_key(source, path):
    tree = deepcopy(TREES[source])
    section, key = parent(tree, path), path[-1]
    wrong = f"{key}x"
    value = section.pop(key)
    section[wrong] = value
    text = written(tree)
    # The only line in which a key ends in x.
    line = line_of(f"{wrong}:", text)
    found = [report for report in reported(text) if report.startswith(f"c.yaml:{line}:")]
    assert any(f"unknown key '{wrong}'" in report and f"did you mean '{key}'?" in report for report in found)


@pytest.mark.parametrize(("source", "path", "value"), WRONG)
def test_wrong_type(source, path, value):
    """Text takes a mapping, everything else takes words."""
    tree = deepcopy(TREES[source])
    wrong = {"marker": "marker"} if isinstance(value, str) else "marker"
    parent(tree, path)[path[-1]] = wrong
    text = written(tree)
    line = line_of("marker", text)
    # A mapping is reported where its key is: one line above what it contains.
    starts = (f"c.yaml:{line}:", f"c.yaml:{line - 1}:" if isinstance(value, str) else "-")
    name = re.escape(str(path[-1]) if isinstance(path[-1], str) else f"[{path[-1]}]")
    assert any(report.startswith(starts) and re.search(name, report) for report in reported(text))


NUMBERS = [
    pytest.param(source, path, id=f"{source}:{'.'.join(map(str, path))}")
    for source, tree in TREES.items()
    for path, value in entries(tree)
    if isinstance(value, int | float) and not isinstance(value, bool)
]
UNBOUNDED = {"initial_elo", "mean", "value", "min_value"}
"""Keys that may be any number."""


def takes_any(source: str, path: Path) -> bool:
    if path[-1] == "strength":
        return "behavioral_cloning" not in path
    if (source, path[-1]) == ("2020", "num_layers"):
        return True  # as in 2020, read as 1
    return path[-1] in UNBOUNDED or path[-3:] == ("intervals", 1, 0) or path[-3:] == ("intervals", 0, 0)


@pytest.mark.parametrize(("source", "path"), NUMBERS)
def test_lower_bound(source, path):
    tree = deepcopy(TREES[source])
    parent(tree, path)[path[-1]] = -987654
    text = written(tree)
    if takes_any(source, path):
        parse_run_settings(text)
    else:
        here = f"c.yaml:{line_of('-987654', text)}:"  # rules between fields name the other one, and the value
        assert any(report.startswith(here) or "-987654" in report for report in reported(text))


UPPER = {"gamma", "lambd", "tau", "play_against_latest_model_ratio", "base_port", "batch_size", "sequence_length"}
UPPER |= {"threshold", "initial_lesson", "min_value"}


@pytest.mark.parametrize(("source", "path"), [case for case in NUMBERS if case.values[1][-1] in UPPER])
def test_upper_bound(source, path):
    tree = deepcopy(TREES[source])
    parent(tree, path)[path[-1]] = 987654
    text = written(tree)
    if "behavioral_cloning" in path:
        parse_run_settings(text)  # any batch size
    else:
        here = f"c.yaml:{line_of('987654', text)}:"
        assert any(report.startswith(here) or "987654" in report for report in reported(text))


def test_all_faults_of_a_file_at_once():
    """Faults at three depths, of every kind, and rules beside them."""
    text = """\
default_settings:
  trainer_type: ppo
  hyperparameters: {batchsize: 64}
behaviors:
  A:
    trainer_type: sac
    max_steps: -5
    hyperparameters: {buffer_size: 12, tau: x}
    netwrk_settings:
      hiden_units: 3
      memory: {memory_size: 3}
    reward_signals:
      gail: {gamma: 2}
  B:
    hidden_units: 3
env_settings: {num_envs: 3}
environment_parameters:
  mass: {sampler_type: unifrm, sampler_parameters: {max_valu: 3}}
  length:
    curriculum:
      - {name: a, value: 3}
      - {name: b, value: 3}
      - 4
torch_settings: {device: tpu}
A: {trainer_type: ppo}
"""
    found = [re.sub(r"^c\.yaml:(\d+):\d+: (\S+): .*", r"\1 \2", report) for report in reported(text)]
    assert found == [
        "3 default_settings.hyperparameters.batchsize",
        "7 behaviors.A.max_steps",
        "8 behaviors.A.hyperparameters.buffer_size",  # smaller than the default batch
        "8 behaviors.A.hyperparameters.tau",
        "9 behaviors.A.netwrk_settings",
        "10 behaviors.A.netwrk_settings.hiden_units",
        "11 behaviors.A.netwrk_settings.memory.memory_size",
        "13 behaviors.A.reward_signals.gail.demo_path",
        "13 behaviors.A.reward_signals.gail.gamma",
        "15 behaviors.B.hidden_units",
        "16 env_settings.num_envs",
        "18 environment_parameters.mass.sampler_type",
        "18 environment_parameters.mass.sampler_parameters.max_valu",
        "21 environment_parameters.length.curriculum[0]",
        "23 environment_parameters.length.curriculum[2]",
        "24 torch_settings.device",
        "25 A",
    ]


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.sampled_from(["ppo", "1e9", "yes"])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


def assert_settings_or_report(text: str) -> None:
    try:
        report = repr(parse_run_settings(text))
    except SettingsError as error:
        report = str(error)
    assert report


@given(st.data())
def test_nothing_but_settings_errors_escapes(data):
    """Any value anywhere: settings, or a report."""
    source = data.draw(st.sampled_from(sorted(TREES)))
    tree = deepcopy(TREES[source])
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from([path for path, _ in entries(tree)] or [()]))
        if not path:
            return
        parent(tree, path)[path[-1]] = data.draw(VALUES)
    assert_settings_or_report(written(tree))


@given(st.text(alphabet="ab:-[]{}&*!<>|'\" \n\t#?,%@`1", max_size=40))
def test_any_text_is_settings_or_a_report(text):
    assert_settings_or_report(text)
