"""From settings to a run: what a run is made of follows what was asked for."""

from __future__ import annotations

import json

import pytest

from mlagents.artifacts.checkpoints import Checkpoints
from mlagents.artifacts.layout import Layout
from mlagents.settings import parse_run_settings
from mlagents.training.build import _league, build


@pytest.fixture
def make_run(tmp_path, monkeypatch):
    """Build runs that are closed at the end."""
    monkeypatch.chdir(tmp_path)
    runs = []

    def make(text, results_dir=None):
        for run in runs:
            run.close()
        runs.append(build(parse_run_settings(f"default_settings: {{}}\n{text}"), results_dir))
        return runs[-1]

    yield make
    for run in runs:
        run.close()


@pytest.mark.parametrize(("setting", "agents"), [("num_areas: 1", 1), ("num_areas: 3", 3), ("num_areas: null", 12)])
def test_one_area_is_one_area_and_none_given_as_many_as_usual(make_run, setting, agents):
    pool = make_run(f"env_settings: {{env_path: 3DBall, seed: 1, {setting}}}").sampler._pool
    pool.reset({})
    (report,) = pool.receive()
    ((decision, _),) = report.steps.values()
    assert len(decision) == agents


@pytest.mark.parametrize(
    ("results_dir", "file"), [(None, "summaries/ppo.jsonl"), ("results", "results/ppo/statistics.jsonl")]
)
def test_statistics_as_json_lines(make_run, tmp_path, results_dir, file):
    folder = None if results_dir is None else tmp_path / results_dir
    env = "env_settings: {env_path: Basic}\n"
    for switch, expected in (("false", []), ("true", [5000])):
        statistics = make_run(f"{env}checkpoint_settings: {{jsonl: {switch}, force: true}}", folder).statistics
        statistics.add("Basic", "tag", 2.0)
        statistics.write("Basic", 5000)
        path = tmp_path / file
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        assert [line["step"] for line in lines] == expected


def test_a_league_knows_the_environments_of_all_samplers_and_all_attached_players():
    text = "behaviors: {A: {self_play: {}}}\n"
    for more, workers in [
        ("env_settings: {num_envs: 2, env_path: x}", 2),
        ("env_settings: {env_path: x}\nray_settings: {address: auto, num_samplers: 3, envs_per_sampler: 2}", 6),
        ("env_settings: {attach: [a:1, b:1, c:1]}", 3),
    ]:
        settings = parse_run_settings(text + more)
        settings = settings.model_copy(update={"env_settings": settings.env_settings.model_copy(update={"seed": 1})})
        assert _league(settings, Checkpoints(Layout("none")))._workers == workers
