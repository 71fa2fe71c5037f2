"""Which model files a run writes, and what it notes of them."""

from __future__ import annotations

import json
import logging

import equinox as eqx
import numpy as np
import onnx
import pytest

from mlagents.artifacts.exports import ExportedPolicy, Exports
from mlagents.artifacts.layout import Layout
from mlagents.export import PROFILES, ExportError
from mlagents.inference import load_model
from mlagents.settings import CheckpointSettings
from toys.policies import KINDS, seasoned_policy


def behavior_of(kind, steps=10):
    """What is exported of a behavior."""
    spec, network = KINDS[kind]
    return ExportedPolicy("Ball/1", spec, seasoned_policy(spec, **network), steps)


@pytest.fixture
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("results_dir", "wanted", "suffixes"),
    [
        (None, None, [".nn", ".onnx"]),
        ("results", None, [".onnx"]),
        (None, "onnx", [".onnx"]),
        ("results", "both", [".nn", ".onnx"]),
    ],
)
def test_formats_by_layout_and_setting(in_tmp, results_dir, wanted, suffixes):
    layout = Layout("run", None if results_dir is None else in_tmp / results_dir)
    exports = Exports(layout, CheckpointSettings(export_format=wanted))
    behavior = behavior_of("squashed")
    exports.dry_run(behavior)
    assert not layout.run.exists()
    assert exports.checkpoint(behavior) == layout.checkpoint("Ball/1", 10, ".onnx")
    paths = exports.final(behavior)
    assert sorted(path.suffix for path in paths) == suffixes
    assert {path.stem for path in paths} == {"Ball%2F1"}
    for path in (*paths, layout.checkpoint("Ball/1", 10, ".onnx")):
        load_model(path, behavior.spec)


def test_reports_are_kept_as_long_as_their_models(in_tmp):
    layout = Layout("run")
    exports = Exports(layout, CheckpointSettings())
    behavior = behavior_of("squashed")
    first = exports.checkpoint(behavior)
    behavior = behavior._replace(step=20)
    exports.checkpoint(behavior)
    exports.final(behavior)
    first.unlink()
    exports.checkpoint(behavior)
    noted = json.loads(layout.exports.read_text())
    assert set(noted) == {"Ball%2F1/Ball%2F1-20.onnx", "Ball%2F1.onnx", "Ball%2F1.nn"}
    report = noted["Ball%2F1.onnx"]
    assert 0 < report.pop("max_error")["deterministic_continuous_actions"] <= 3e-5
    assert report.pop("allowed") == {"deterministic_continuous_actions": pytest.approx(3e-5)}
    assert report == {"rows": 64, "steps": 1, "format": "onnx", "api_version": 3, "opset": 9}
    assert noted["Ball%2F1.nn"]["format"] == "nn"


@pytest.mark.parametrize("asked_for", [True, False])
def test_what_nn_cannot_express_is_said_once(in_tmp, caplog, asked_for):
    exports = Exports(Layout("run"), CheckpointSettings(export_format="both" if asked_for else None))
    behavior = behavior_of("entities")
    with caplog.at_level(logging.INFO):
        exports.dry_run(behavior)
        exports.checkpoint(behavior)
        assert [path.suffix for path in exports.final(behavior)] == [".onnx"]
    (record,) = (r for r in caplog.records if ".nn" in r.message)
    assert record.levelno == (logging.WARNING if asked_for else logging.INFO)
    assert "no .nn model is written, only .onnx: a .nn model cannot observe entities" in record.message


@pytest.mark.parametrize("profile", PROFILES)
def test_settings_know_the_profiles(in_tmp, profile):
    exports = Exports(Layout("run"), CheckpointSettings(export_profile=profile))
    model = onnx.load(exports.checkpoint(behavior_of("squashed")))
    assert model.opset_import[0].version == PROFILES[profile].opset
    names = [item.name for item in model.graph.input]
    assert names == (["vector_observation"] if profile == "barracuda1" else ["obs_0"])


def test_a_policy_that_cannot_be_exported_is_told_at_once(in_tmp):
    behavior = behavior_of("squashed")
    nan = np.full(3, np.nan, np.float32)
    behavior = behavior._replace(policy=eqx.tree_at(lambda p: p.head.mean.bias, behavior.policy, nan))
    with pytest.raises(ExportError, match="differs from the policy by nan"):
        Exports(Layout("run"), CheckpointSettings()).dry_run(behavior)
