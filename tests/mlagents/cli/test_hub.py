"""`mlagents hub` with the real library, against a server on this machine that stands in for the Hub."""

from __future__ import annotations

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

import mlagents
from mlagents.artifacts.layout import Layout
from mlagents.artifacts.manifest import manifest
from mlagents.artifacts.model_card import TrainedBehavior, model_card
from mlagents.artifacts.state_file import write_state
from mlagents.artifacts.status import Status, listed
from mlagents.cli.main import main
from mlagents.settings import dump, parse_run_settings
from mlagents_envs.registry import default_registry
from toys.hub_server import TOKEN, running_hub

CONFIG = """
behaviors:
  Basic: {trainer_type: sac, max_steps: 3000}
env_settings: {env_path: HOME/games/Basic, seed: 7}
"""
pytestmark = pytest.mark.filterwarnings("default")  # of the library, whose versions differ
needs_library = pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="needs the extra `hub`")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The folder of a run that has ended, in the present folder; the home folder is elsewhere."""
    home = tmp_path / "home of me"
    home.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [f"{home}/bin/mlagents-learn", f"{home}/my.yaml", "--run-id=first"])
    return write_run(Layout("first"), home)


def write_run(layout, home):
    settings = parse_run_settings(CONFIG.replace("HOME", str(home)))
    layout.run.mkdir(parents=True)
    layout.manifest.write_bytes(manifest(settings))
    layout.configuration.write_text(dump(settings))
    shutil.copy(default_registry["Basic"].pretrained, layout.model("Basic"))
    status = Status()
    steps = (1000, 3000)
    for step in steps:
        state = layout.checkpoint("Basic", step, ".safetensors")
        write_state(state, {"tensors": {"w": np.ones(2, np.float32)}, "steps": step, "behavior": "Basic"})
    entries = [listed(step, layout.checkpoint("Basic", step, ".safetensors"), 0.5) for step in steps]
    status.set_checkpoints("Basic", entries)
    status.write(layout.status)
    return layout


@pytest.fixture
def hub(tmp_path, monkeypatch):
    constants = pytest.importorskip("huggingface_hub.constants")
    with running_hub() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = f"{server.url}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield server


def test_a_run_goes_there_and_comes_back_and_plays(hub, run, capsys):
    assert main(["hub", "push", "first", "me/basic", "--private"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{hub.url}/me/basic"
    files = hub.repositories["me/basic"]["main"]
    assert sorted(files) == [
        "Basic.onnx",
        "Basic/Basic-3000.safetensors",
        "README.md",
        "configuration.yaml",
        "run_manifest.json",
    ]
    assert hub.private == {"me/basic"}
    assert hub.messages == ["Run first"]
    assert b"home of me" not in b"".join(files.values())
    assert json.loads(files["run_manifest.json"])["command_line"] == ["mlagents-learn", "~/my.yaml", "--run-id=first"]

    assert main(["hub", "pull", "me/basic"]) == 0
    pulled = Layout("basic")
    assert "mlagents play ENV --model models/basic" in capsys.readouterr().out
    there = {path.relative_to(pulled.run).as_posix() for path in pulled.run.rglob("*") if path.is_file()}
    assert there == set(files)
    assert pulled.model("Basic").read_bytes() == run.model("Basic").read_bytes()
    assert mlagents.load("basic").predict(np.eye(20, dtype=np.float32)[10]).tolist() == [2]  # to the right
    assert sorted(path.name for path in Path("models").iterdir()) == ["basic", "first"]


def test_what_is_published_twice_replaces_what_was_there(hub, run):
    main(["hub", "push", "first", "me/basic", "--no-checkpoints"])
    assert not any(name.endswith(".safetensors") for name in hub.repositories["me/basic"]["main"])
    run.model("Basic").write_bytes(b"newer")
    main(["hub", "push", "first", "me/basic", "--message", "better", "--revision", "trial"])
    branches = hub.repositories["me/basic"]
    assert branches["trial"]["Basic.onnx"] == b"newer"
    assert branches["main"]["Basic.onnx"] != b"newer"
    assert hub.messages == ["Run first", "better"]
    assert main(["hub", "pull", "me/basic", "--revision", "trial", "--results-dir", "results", "--run-id", "b"]) == 0
    assert Path("results/b/Basic.onnx").read_bytes() == b"newer"


def test_only_data_is_fetched(hub, run):
    hub.repositories["me/odd"] = {"main": {"A.onnx": b"a", "setup.py": b"import os", "policy.pt": b"pickle"}}
    assert main(["hub", "pull", "me/odd"]) == 0
    assert [path.name for path in Path("models/odd").iterdir()] == ["A.onnx"]


def test_a_dry_run_sends_nothing(hub, run, capsys):
    assert main(["hub", "push", "first", "me/basic", "--dry-run"]) == 0
    assert "# first: Basic" in capsys.readouterr().out
    assert hub.repositories == {}


@needs_library
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["push", "first", "somebody-else/basic"], "push to somebody-else/basic: 403"),
        (["pull", "me/nothing"], "pull me/nothing: 404"),
        (["pull", "me/empty"], "me/empty has no .onnx or .nn model; it has README.md."),
        (["pull", "me/first"], "models/first exists; choose another name with --run-id."),
        (["pull", "me/empty", "--run-id", "a/b"], "--run-id=a/b: a run id is a name, not a path"),
        (["push", "first", "basic"], "'basic' is no repository; expected USER/NAME"),
        (["push", "second", "me/basic"], "there is no model or run 'second'"),
        (["push", "unfinished", "me/basic"], "models/unfinished has no models yet"),
        (["push", "other", "me/basic"], "models/other/run_manifest.json is not there"),
    ],
)
def test_what_goes_wrong_is_one_message(hub, run, tmp_path, capsys, arguments, told):
    hub.repositories["me/empty"] = {"main": {"README.md": b"hello"}}
    write_run(Layout("unfinished"), tmp_path).model("Basic").unlink()
    Path("models/other").mkdir()
    before = sorted(Path("models").iterdir())
    assert main(["hub", *arguments]) in (1, 2)
    assert told in capsys.readouterr().err
    assert sorted(Path("models").iterdir()) == before


def test_who_is_not_logged_in_is_told_how(hub, run, monkeypatch, capsys):
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    assert main(["hub", "push", "first", "me/basic"]) == 1
    assert "`hf auth login`" in capsys.readouterr().err


def test_without_the_library_one_sentence_says_what_to_install(run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert main(["hub", "push", "first", "me/basic"]) == 2
    assert "pip install 'mlagents-jax[hub]'" in capsys.readouterr().err


def test_the_card_says_what_the_run_was():
    written = {
        "created": "2026-01-02T03:04:05+0000",
        "command_line": ["mlagents-learn", "x.yaml"],
        "seed": 3,
        "git": {"commit": "abc", "modified": True},
        "python": "3.12.1",
        "platform": "Linux",
        "packages": {"jax": "0.7"},
        "configuration": {
            "env_settings": {"env_path": "Builds/Tennis"},
            "behaviors": {"Tennis": {"trainer_type": "poca"}},
            "default_settings": {"trainer_type": "sac"},
        },
    }
    behaviors = [TrainedBehavior("Tennis", 1234567, 1.23456, ["Tennis.onnx"]), TrainedBehavior("Other", 5, None, [])]
    card = model_card("first", "me/tennis", written, "behaviors: {}", behaviors)
    _, front, text = card.split("---\n", 2)
    metadata = YAML(typ="safe").load(front)
    assert metadata["library_name"] == "mlagents-jax"
    assert metadata["tags"][-1] == "Tennis"
    (results,) = metadata["model-index"][0]["results"]
    assert results["metrics"][0]["value"] == 1.235
    assert results["dataset"] == {"name": "Tennis", "type": "Tennis"}
    for line in (
        "# first: Tennis",
        "| Tennis | poca | 1,234,567 | 1.235 | `Tennis.onnx` |",
        "| Other | sac | 5 | unknown | none |",
        "mlagents hub pull me/tennis",
        "mlagents play Tennis --model tennis",
        "| command | `mlagents-learn x.yaml` |",
        "| code of the author | commit abc, with changes |",
        "| packages | jax 0.7 |",
    ):
        assert line in text.splitlines()
