"""Every configuration that is shipped parses, and says what it should."""

from pathlib import Path

import pytest

from mlagents.settings import (
    CurriculumSettings,
    GAILSettings,
    PPOSettings,
    RunSettings,
    SACSettings,
    SettingsError,
    dump,
    load_run_settings,
    parse_run_settings,
)

CONFIG = Path(__file__).resolve().parents[3] / "config"
BESIDE = ("wall_jump.yaml", "3dball_randomize.yaml")
"""A curriculum and a sampler file, at the places that the guide of 2020 names."""
SHIPPED = sorted(path for path in CONFIG.rglob("*.yaml") if path.name not in BESIDE)


def shipped(name: str, **flags: object) -> RunSettings:
    return load_run_settings(CONFIG / name, flags, check_files=False)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(CONFIG)))
def test_parses_and_survives_a_round_trip(path):
    settings = load_run_settings(path, check_files=False)
    assert settings.behaviors
    assert parse_run_settings(dump(settings)) == settings


def test_both_generations_agree_where_the_references_do():
    old, sac = shipped("trainer_config.yaml"), shipped("sac_trainer_config.yaml")
    bodies = ("CrawlerStatic", "CrawlerDynamic", "Reacher", "WormStatic", "WormDynamic")
    for name in ("3DBall", "Basic", "PushBlock", "Pyramids", "Bouncer", "FoodCollector", *bodies):
        assert old.behavior(name) == shipped(f"ppo/{name}.yaml").behavior(name)
    for name in ("BigWallJump", "SmallWallJump"):
        assert old.behavior(name) == shipped("ppo/WallJump.yaml").behavior(name)
    assert old.behavior("Walker") == shipped("ppo/Walker_2020.yaml").behavior("Walker")
    for name in ("Tennis", "SoccerTwos"):
        assert old.behavior(name) == shipped(f"ppo/{name}.yaml").behavior(name)
    for name in ("Striker", "Goalie"):
        assert old.behavior(name) == shipped("ppo/StrikersVsGoalie.yaml").behavior(name)
        assert sac.behavior(name) == shipped("sac/StrikersVsGoalie.yaml").behavior(name)
    for name in ("Basic", "GridWorld", "PushBlock", "Bouncer", "FoodCollector", "Tennis", *bodies):
        assert sac.behavior(name) == shipped(f"sac/{name}.yaml").behavior(name)


def test_ppo_of_2020():
    settings = shipped("trainer_config.yaml")
    assert len(settings.behaviors) == 24
    ball = settings.behavior("3DBall")
    assert ball.hyperparameters == PPOSettings(
        batch_size=64, buffer_size=12000, learning_rate=3e-4, beta=0.001, epsilon=0.2, lambd=0.99, num_epoch=3
    )
    assert (ball.max_steps, ball.time_horizon, ball.summary_freq) == (500_000, 1000, 12000)
    assert ball.network_settings.normalize
    hallway = settings.behavior("Hallway").network_settings.memory
    assert hallway is not None
    assert (hallway.memory_size, hallway.sequence_length) == (128, 64)
    pyramids = settings.behavior("Pyramids").reward_signals
    assert (pyramids["curiosity"].strength, pyramids["curiosity"].network_settings.hidden_units) == (0.02, 256)
    striker = settings.behavior("Striker").self_play
    assert striker is not None
    assert (striker.save_steps, striker.swap_steps, striker.team_change) == (50_000, 100_000, 200_000)
    # A behavior without a section gets `default`.
    unknown = settings.behavior("SomethingElse")
    assert (unknown.hyperparameters.batch_size, unknown.summary_freq) == (1024, 10000)


def test_sac_of_2020():
    settings = shipped("sac_trainer_config.yaml")
    assert len(settings.behaviors) == 23
    walker = settings.behavior("Walker").hyperparameters
    assert isinstance(walker, SACSettings)
    assert (walker.steps_per_update, walker.reward_signal_steps_per_update) == (30, 30)
    assert settings.behavior("Striker").hyperparameters.learning_rate == 1e-3
    tennis = settings.behavior("Tennis").self_play
    assert tennis is not None
    assert tennis.team_change == 100_000  # the default of 2020, not five snapshots


def test_imitation():
    old = shipped("gail_config.yaml").behavior("Pyramids")
    gail = old.reward_signals["gail"]
    assert isinstance(gail, GAILSettings)
    assert (gail.demo_path, gail.network_settings.hidden_units) == ("demos/ExpertPyramid.demo", 128)
    assert old.behavioral_cloning is not None
    assert (old.behavioral_cloning.strength, old.behavioral_cloning.steps) == (0.5, 150_000)
    crawler = shipped("gail_config.yaml").behavior("CrawlerStatic")
    assert list(crawler.reward_signals) == ["gail"]  # replaces the signals of `default`


def test_match3_serves_unlisted_behaviors():
    settings = shipped("ppo/Match3.yaml")
    assert settings.behavior("Match3VectorObs").network_settings.hidden_units == 256
    heuristic = settings.behavior("Match3SmartHeuristic")
    assert (heuristic.network_settings.hidden_units, heuristic.network_settings.num_layers) == (4, 1)
    assert heuristic.hyperparameters.batch_size == 16


def test_curriculum_of_2020_and_modern():
    old = shipped(
        "trainer_config.yaml", curriculum_config_path=CONFIG / "curricula" / "wall_jump.yaml"
    ).environment_parameters["small_wall_height"]
    new = shipped("ppo/WallJump_curriculum.yaml").environment_parameters["small_wall_height"]
    assert isinstance(old, CurriculumSettings)
    assert isinstance(new, CurriculumSettings)
    assert [lesson.value for lesson in old.curriculum] == [lesson.value for lesson in new.curriculum]
    criteria = [lesson.completion_criteria for lesson in old.curriculum]
    assert criteria == [lesson.completion_criteria for lesson in new.curriculum]
    assert [c.threshold for c in criteria if c] == [0.1, 0.3, 0.5]


def test_samplers_of_2020_and_modern():
    sampler = CONFIG / "3dball_randomize.yaml"
    old = shipped("trainer_config.yaml", sampler_file_path=sampler).environment_parameters
    new = shipped("ppo/3DBall_randomize.yaml").environment_parameters
    assert set(old) == {"mass", "gravity", "scale"}
    assert (old["mass"], old["scale"]) == (new["mass"], new["scale"])


def test_missing_demonstrations_are_faults_of_a_modern_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SettingsError) as error:
        load_run_settings(CONFIG / "imitation" / "Hallway.yaml")
    line = 1 + (CONFIG / "imitation" / "Hallway.yaml").read_text().split("demo_path")[0].count("\n")
    assert f"Hallway.yaml:{line}:" in str(error.value)
    assert str(tmp_path / "demos" / "ExpertHallway.demo") in str(error.value)
    (tmp_path / "demos").mkdir()
    (tmp_path / "demos" / "ExpertHallway.demo").touch()
    load_run_settings(CONFIG / "imitation" / "Hallway.yaml")


def test_missing_demonstrations_are_warnings_of_a_file_of_2020(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    load_run_settings(CONFIG / "gail_config.yaml")
    assert sum("demonstration not found" in message for message in caplog.messages) == 8
