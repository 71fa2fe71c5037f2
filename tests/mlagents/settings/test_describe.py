"""The schema describes itself."""

import json

import pytest

from mlagents.settings import SettingsError, explain, json_schema


def test_every_key_is_described():
    schema = json_schema()
    for name, section in schema["$defs"].items():
        for key, node in section.get("properties", {}).items():
            text = node.get("description") or schema["$defs"][node["$ref"].split("/")[-1]]["description"]
            assert text.endswith("."), f"{name}.{key}"


def test_json_schema_is_plain_json_and_complete():
    schema = json.loads(json.dumps(json_schema()))
    assert schema["$ref"] == "#/$defs/RunSettings"

    def references(node):
        if isinstance(node, dict):
            yield from [node["$ref"]] if "$ref" in node else []
            for value in node.values():
                yield from references(value)
        elif isinstance(node, list):
            for value in node:
                yield from references(value)

    assert {reference.removeprefix("#/$defs/") for reference in references(schema)} <= set(schema["$defs"])
    behavior = schema["$defs"]["BehaviorSettings"]
    assert behavior["properties"]["trainer_type"]["enum"] == ["ppo", "sac", "poca", "bc"]
    assert behavior["properties"]["max_steps"]["minimum"] == 1
    assert behavior["additionalProperties"] is False
    assert "default" not in schema["$defs"]["SelfPlaySettings"]["properties"]["team_change"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (
            "tau",
            ["behaviors.<behavior>.hyperparameters.tau (sac): a number > 0 and <= 1, default 0.005. Share of the new"],
        ),
        (
            "memory.memory_size",
            ["behaviors.<behavior>.network_settings.memory.memory_size: a whole number > 0, a mul"] * 1,
        ),
        ("curriculum.value", ["environment_parameters.<parameter>.curriculum[0].value: a number or a mapping. What t"]),
        (
            "torch_settings.device",
            ["torch_settings.device: text or null, default null. cpu, gpu or gpu:N (also written"],
        ),
        (
            "demo_path",
            [
                "behaviors.<behavior>.reward_signals.gail.demo_path: text. A `.demo` file or a folder",
                "behaviors.<behavior>.behavioral_cloning.demo_path: text. A `.demo` file or a folder",
            ],
        ),
    ],
)
def test_explain(key, expected):
    found = [str(entry) for entry in explain(key)]
    assert all(any(line.startswith(start) for line in found) for start in expected), found


def test_defaults_of_each_trainer():
    defaults = {entry.choice: entry.default for entry in explain("hyperparameters.batch_size")}
    assert defaults == {"ppo": "1024", "sac": "128", "poca": "1024", "bc": "256"}


def test_explain_suggests():
    with pytest.raises(SettingsError, match="no key 'batchsize'; did you mean 'batch_size'"):
        explain("batchsize")
