"""The command line of `mlagents-learn`."""

import subprocess
import sys

import pytest

from mlagents.cli.arguments import GROUPS, parser, typed_flags
from mlagents.settings import explain, load_run_settings

FLAGS = [flag for group in GROUPS.values() for flag in group]
OLD = """
    --env --curriculum --lesson --sampler --keep-checkpoints --save-freq --run-id --initialize-from --resume --force
    --load --train --inference --seed --base-port --num-envs --no-graphics --env-args --debug --cpu
    --docker-target-name --width --height --quality-level --time-scale --target-frame-rate --capture-frame-rate
"""
MODERN = """
    --results-dir --torch-device --deterministic --num-areas --timeout-wait --max-lifetime-restarts
    --restarts-rate-limit-n --restarts-rate-limit-period-s --no-graphics-monitor --torch --tensorflow
"""
OURS = "--device --bind --jsonl --keep-best --export-format --export-profile --ray --num-samplers --envs-per-sampler \
    --max-staleness --attach --tls-cert --tls-key --tls-ca --token-file --insecure --view --track"
EXAMPLES = {str: "text", int: "3", float: "0.5"}


def typed(*words: str) -> dict[str, object]:
    return typed_flags(parser().parse_args(words))


def test_every_flag_of_both_generations_is_there():
    assert {flag.name for flag in FLAGS} == {*OLD.split(), *MODERN.split(), *OURS.split()}


def test_only_what_was_typed_is_reported():
    assert typed() == {}
    assert typed("config.yaml") == {}
    namespace = parser().parse_args([])
    assert (namespace.trainer_config_path, namespace.debug) == (None, False)
    assert parser().parse_args(["a.yaml", "--seed=3"]).trainer_config_path == "a.yaml"
    assert typed("a.yaml", "--seed=-1", "--resume", "--debug") == {"seed": -1, "resume": True, "debug": True}


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.name)
def test_every_flag_is_understood_by_the_settings(flag, tmp_path):
    file = tmp_path / "sampler.yaml"
    file.write_text("A: {measure: reward, thresholds: [], min_lesson_length: 1, signal_smoothing: no, parameters: {}}")
    words = [flag.name]
    if flag.takes is not None:
        words.append(flag.choices[0] if flag.choices else "cpu" if "device" in flag.name else EXAMPLES[flag.takes])
    if flag.name == "--attach":
        words[-1:] = ["game.example:6005", "[::1]:6006"]
    if flag.name == "--sampler":
        file.write_text("resampling-interval: 5")
    if flag.name in ("--sampler", "--curriculum"):
        words[-1] = str(file)
    flags = typed(*words)
    assert len(flags) == 1
    if flag.name in ("--num-envs", "--ray"):
        flags["env_path"] = "x"
    if flag.name == "--tls-key":
        flags["tls_cert"] = "x"
    load_run_settings(None, flags)


def test_environment_arguments_take_the_rest():
    flags = typed("c.yaml", "--env", "x", "--env-args", "--seed", "5", "-v")
    assert flags == {"env_path": "x", "env_args": ["--seed", "5", "-v"]}


def test_defaults_in_the_help_are_those_of_the_settings():
    names = {"--env": "env_path", "--device": "device"}
    for flag in FLAGS:
        if flag.default is not None and flag.name not in ("--lesson", "--device"):
            key = names.get(flag.name, flag.name.removeprefix("--").replace("-", "_"))
            (entry,) = [entry for entry in explain(key) if entry.path[-2] != "sampler_parameters"]
            assert float(entry.default) == flag.default if flag.takes in (int, float) else entry.default.strip('"')


def test_help_and_version(capsys):
    for words in (["--help"], ["--version"]):
        with pytest.raises(SystemExit) as stop:
            parser().parse_args(words)
        assert stop.value.code == 0
    text = capsys.readouterr().out
    assert "number of environment processes (default: 1)" in text
    assert "--load" not in text  # deprecated: understood, but not shown
    assert "mlagents 2" in text


@pytest.mark.parametrize("words", [["--num-envs", "two"], ["--device", "tpu"], ["--nonsense"], ["--run-id"]])
def test_wrong_words_end_with_usage(words, capsys):
    with pytest.raises(SystemExit) as stop:
        parser().parse_args(words)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("mlagents-learn: error: ")


def test_nothing_heavy_is_imported():
    code = (
        "import sys, mlagents.cli.arguments as a; a.parser().format_help();"
        "print([m for m in ('jax', 'numpy', 'pydantic', 'ruamel', 'ruamel.yaml', 'grpc', 'rich') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
