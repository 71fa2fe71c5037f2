"""What is written parses back to equal settings."""

from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mlagents.settings import (
    BehaviorSettings,
    RunSettings,
    SACSettings,
    dump,
    json_schema,
    parse_run_settings,
)

SCHEMA = json_schema()
NUMBER_LIMIT = 10**12


def values(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that a node of the JSON Schema allows (rules between fields may still object)."""
    if "$ref" in node:
        return values(SCHEMA["$defs"][node["$ref"].removeprefix("#/$defs/")])
    if "anyOf" in node:
        return st.one_of([values(form) for form in node["anyOf"]])
    if "enum" in node:
        return st.sampled_from(node["enum"])
    return globals()[f"_{node['type']}"](node)


def _null(node):
    return st.none()


def _boolean(node):
    return st.booleans()


def _integer(node):
    step = node.get("multipleOf", 1)
    low = max(node.get("minimum", -NUMBER_LIMIT), node.get("exclusiveMinimum", -NUMBER_LIMIT) + 1)
    return st.integers(-(-low // step), node.get("maximum", NUMBER_LIMIT) // step).map(lambda n: n * step)


def _number(node):
    return st.floats(
        node.get("minimum", node.get("exclusiveMinimum")),
        node.get("maximum"),
        exclude_min="exclusiveMinimum" in node,
        allow_nan=False,
        allow_infinity=False,
    )


def _string(node):
    if "pattern" in node:
        return st.from_regex(node["pattern"], fullmatch=True)
    return st.text(min_size=node.get("minLength", 0), max_size=8)


def _array(node):
    if "prefixItems" in node:
        return st.tuples(*map(values, node["prefixItems"])).map(sorted)
    return st.lists(values(node["items"]), min_size=node.get("minItems", 0), max_size=3)


def _object(node):
    if isinstance(node.get("additionalProperties"), dict):
        return st.dictionaries(st.text(max_size=6), values(node["additionalProperties"]), max_size=2)
    if "allOf" in node:
        return _chosen(node)
    return _section(node, node.get("properties", {}))


def _section(node, properties):
    required = {key: values(properties[key]) for key in node.get("required", ())}
    optional = {key: values(below) for key, below in properties.items() if key not in required}
    return st.fixed_dictionaries(required, optional=optional)


def _chosen(node):
    """A section in which one key chooses the form of another."""
    rules = [(rule["if"]["properties"], rule["then"]["properties"]) for rule in node["allOf"]]
    sections = []
    for condition, consequence in rules:
        ((key, constant),) = condition.items()
        ((below, form),) = consequence.items()
        properties = {**node["properties"], key: {"enum": [constant["const"]]}, below: form}
        sections.append(_section({"required": [*node.get("required", ()), key]}, properties))
    return st.one_of(sections)


def _without_nulls(behavior: dict[str, Any]) -> dict[str, Any]:
    """Null takes back a signal of default_settings, which these behaviors do not have."""
    signals = {name: signal for name, signal in behavior.get("reward_signals", {}).items() if signal is not None}
    return {**behavior, "reward_signals": signals} if signals else {**behavior, "reward_signals": {"rnd": {}}}


RUNS = values({"$ref": SCHEMA["$ref"]})


@settings(suppress_health_check=list(HealthCheck), max_examples=60, deadline=None)
@given(RUNS)
def test_dump_parses_back(run):
    run["behaviors"] = {name: _without_nulls(each) for name, each in run.get("behaviors", {}).items()}
    if run.get("default_settings"):
        run["default_settings"] = _without_nulls(run["default_settings"])
    for section, key in (("search", None), ("env_settings", "attach")):  # few draws would be what they want
        run.pop(section, None) if key is None else run.get(section, {}).pop(key, None)
    try:
        built = RunSettings.model_validate(run)
    except ValueError:
        assume(False)
    # These are decided when a run is loaded, and so is what it starts from.
    start = {"load_model": False, "train_model": False, "initialize_from": None}
    checkpoints = built.checkpoint_settings.model_copy(update=start)
    built = built.model_copy(update={"checkpoint_settings": checkpoints})
    assert parse_run_settings(dump(built)) == built


def test_a_signal_of_the_defaults_can_be_taken_back():
    text = """
default_settings: {reward_signals: {extrinsic: {gamma: 0.5}}}
behaviors:
  A: {reward_signals: {extrinsic: null, rnd: {}}}
"""
    built = parse_run_settings(text)
    assert list(built.behavior("A").reward_signals) == ["rnd"]
    assert parse_run_settings(dump(built)) == built


def test_behaviors_may_have_another_trainer_than_the_defaults():
    built = RunSettings(
        default_settings=BehaviorSettings(),
        behaviors={"A": BehaviorSettings(trainer_type="sac", hyperparameters=SACSettings(tau=0.5))},
    )
    assert parse_run_settings(dump(built)) == built


def test_the_effective_configuration_is_complete():
    text = dump(parse_run_settings("behaviors: {A: {trainer_type: ppo}}"))
    for line in ("beta_schedule: linear", "timeout_wait: 60.0", "run_id: ppo", "device: null", "time_horizon: 64"):
        assert line in text


def test_odd_names_survive():
    names = ["", " ", "<<", "null", "1", "a: b", "- x", "#", "\n", "ü", "{", "*a", "&a", "!t", "%", "x" * 200, "\u2028"]
    built = RunSettings(behaviors=dict.fromkeys(names, BehaviorSettings()))
    assert parse_run_settings(dump(built)) == built


def test_settings_are_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        RunSettings().debug = True  # type: ignore[misc]
