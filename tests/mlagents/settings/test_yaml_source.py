"""Files that are no YAML, or no mapping, give one clear line; everything else keeps its line."""

import pytest

from mlagents.settings import SettingsError, load_run_settings, parse_run_settings

GOOD = "behaviors:\n  A:\n    trainer_type: ppo\n"


def failure(text: str) -> str:
    with pytest.raises(SettingsError) as error:
        parse_run_settings(text, "f.yaml")
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "f.yaml: empty file"),
        ("# nothing\n", "f.yaml: empty file"),
        ("- a\n", "f.yaml:1:1: expected a mapping"),
        ("just words", "f.yaml:1:1: expected a mapping"),
        ("behaviors: [1", "f.yaml:1:14: not valid YAML: while parsing a flow sequence"),
        ("behaviors: 1\n bad: 2", "f.yaml:2:5: not valid YAML"),
        ("\tbehaviors: 1", "f.yaml:1:1: not valid YAML"),
        ("behaviors: \x00", "f.yaml: not valid YAML"),
        ("--- {}\n--- {}\n", "not valid YAML: expected a single document"),
        ("behaviors: *nobody\n", "f.yaml:1:12: not valid YAML: found undefined alias"),
        ("[" * 3000, "f.yaml: nested too deeply"),
        ("{a: " * 3000, "f.yaml: nested too deeply"),
        ("behaviors: &a {b: *a}\n", "f.yaml:1:12: behaviors.b: an alias to something that contains it"),
        ("behaviors: !thing {}\ndebug: !thing 3", "f.yaml:2:8: debug: unknown tag '!thing'"),
        ("debug: !!int three", "f.yaml:1:8: debug: 'three' is not of the kind `!!int`"),
        ("debug: true\ndebug: false", "f.yaml:2:1: debug: given twice (first in line 1)"),
        ("? {a: 1}\n: 2", "f.yaml:1:3: a mapping or list cannot be a key"),
        ("<<: 3\nbehaviors: {}", "f.yaml:1:5: `<<:` takes a mapping"),
    ],
)
def test_faults_of_the_text(text, expected):
    assert expected in failure(text)


def test_all_duplicates_are_found_at_once():
    text = GOOD + "    max_steps: 1\n    max_steps: 2\n  A: {}\n"
    assert failure(text).splitlines() == [
        "f.yaml:5:5: behaviors.A.max_steps: given twice (first in line 4); keep one",
        "f.yaml:6:3: behaviors.A: given twice (first in line 2); keep one",
    ]


@pytest.mark.parametrize("written", ["20000", "2e4", "2.0e4", "'2e4'", "+2E4", "20_000", "0x4E20"])
def test_whole_numbers(written):
    assert parse_run_settings(GOOD + f"    max_steps: {written}\n").behavior("A").max_steps == 20000


@pytest.mark.parametrize("written", ["3e-4", "3.0e-4", "0.0003", "'3e-4'", ".0003"])
def test_numbers(written):
    text = GOOD + f"    hyperparameters: {{learning_rate: {written}}}\n"
    assert parse_run_settings(text).behavior("A").hyperparameters.learning_rate == 3e-4


@pytest.mark.parametrize("written", [".inf", ".nan", "-.inf", "1e999", "true", "null", "3.5", "'x'"])
def test_what_is_no_whole_number(written):
    text = GOOD + f"    time_horizon: {written}\n"
    assert failure(text).startswith("f.yaml:4:19: behaviors.A.time_horizon: wrong type")


@pytest.mark.parametrize(("written", "value"), [("yes", True), ("off", False), ("True", True), ("no", False)])
def test_switches_as_yaml_1_1_writes_them(written, value):
    assert parse_run_settings(GOOD + f"debug: {written}\n").debug is value


def test_anchors_and_merge_keys():
    settings = parse_run_settings(
        "behaviors:\n"
        "  A: &a\n    trainer_type: ppo\n    hyperparameters: {batch_size: 64}\n    max_steps: 7\n"
        "  B: *a\n"
        "  C:\n    <<: *a\n    max_steps: 8\n"
    )
    assert settings.behavior("B") == settings.behavior("A")
    assert settings.behavior("C").max_steps == 8
    assert settings.behavior("C").hyperparameters.batch_size == 64


def test_a_fault_in_an_anchor_is_reported_once():
    text = "behaviors:\n  A: &a {trainer_type: ppo, max_step: 3}\n  B: *a\n"
    expected = "f.yaml:2:29: behaviors.A.max_step: unknown key 'max_step'; did you mean 'max_steps'?"
    assert failure(text) == expected


def test_keys_are_text():
    settings = parse_run_settings("behaviors:\n  3: {trainer_type: ppo}\n  on: {}\n  null: {}\n  2020-01-01: {}\n")
    assert list(settings.behaviors) == ["3", "on", "null", "2020-01-01"]


def load_failure(path) -> str:
    with pytest.raises(SettingsError) as error:
        load_run_settings(path)
    return str(error.value)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "3DBall.yaml").write_text(GOOD)
    (tmp_path / "latin.yaml").write_bytes("behaviors: {Bär: {}}".encode("latin-1"))
    missing = load_failure(tmp_path / "3dball.yaml")
    assert missing == f"{tmp_path / '3dball.yaml'}: file not found; did you mean '3DBall.yaml'?"
    assert "there is no folder" in load_failure(tmp_path / "nowhere" / "x.yaml")
    assert "not UTF-8 (byte 13 is 0xe4); save it as UTF-8" in load_failure(tmp_path / "latin.yaml")
    assert "cannot be read" in load_failure(tmp_path)


def test_a_byte_order_mark_is_no_matter(tmp_path):
    (tmp_path / "a.yaml").write_text("\ufeff" + GOOD, encoding="utf-8")
    assert "A" in load_run_settings(tmp_path / "a.yaml").behaviors
