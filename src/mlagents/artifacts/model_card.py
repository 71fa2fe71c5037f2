"""The README of a published run, made from what the run wrote about itself."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml import YAML

from mlagents.distribution import NAME

_TAGS: Final = ("reinforcement-learning", "deep-reinforcement-learning", "ml-agents")


@dataclass(frozen=True)
class TrainedBehavior:
    """What a card says of a behavior.

    Attributes:
      name: of the behavior.
      steps: agent decisions that it has learned from.
      reward: mean return of its last episodes in training; None if none had ended.
      models: names of its model files.
    """

    name: str
    steps: int
    reward: float | None
    models: Sequence[str]


def model_card(
    run_id: str, repo_id: str, manifest: Mapping[str, Any], configuration: str, behaviors: Sequence[TrainedBehavior]
) -> str:
    """Return the README of a run as Markdown, behind its metadata as YAML.

    Args:
      run_id: of the run.
      repo_id: where it is published, `user/name`.
      manifest: content of `run_manifest.json`.
      configuration: content of `configuration.yaml`.
      behaviors: that were trained.
    """
    environment = _environment(manifest)
    parts = [
        f"---\n{_metadata(run_id, environment, behaviors)}---",
        f"# {run_id}: {environment}",
        f"Agents that were trained with [{NAME}](https://pypi.org/project/{NAME}/) in the environment `{environment}`.",
        _table(manifest, behaviors),
        "## Play",
        f"```\n{_commands(repo_id, environment)}\n```",
        "The `.onnx` and `.nn` files also run in Unity, without Python. They are data: nothing of them is executed.",
        "## How it was trained",
        _origin(manifest),
        f"```yaml\n{configuration.strip()}\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _environment(manifest: Mapping[str, Any]) -> str:
    """Return the environment as it was named, without folders; a scene in the Unity Editor has no name."""
    path = manifest.get("configuration", {}).get("env_settings", {}).get("env_path") or "Unity Editor"
    return str(path).replace("\\", "/").rstrip("/").rpartition("/")[2]


def _metadata(run_id: str, environment: str, behaviors: Sequence[TrainedBehavior]) -> str:
    dataset = {"name": environment, "type": environment}
    results = [
        {
            "task": {"type": "reinforcement-learning", "name": each.name},
            "dataset": dataset,
            "metrics": [
                {
                    "type": "mean_reward",
                    "name": "mean reward of the last episodes in training",
                    "value": round(each.reward, 3),
                    "verified": False,
                }
            ],
        }
        for each in behaviors
        if each.reward is not None
    ]
    content = {
        "library_name": NAME,
        "pipeline_tag": "reinforcement-learning",
        "tags": [*_TAGS, environment],
        **({"model-index": [{"name": run_id, "results": results}]} if results else {}),
    }
    text = io.StringIO()
    yaml = YAML(typ="safe")
    yaml.default_flow_style = False
    yaml.dump(content, text)
    return text.getvalue()


def _table(manifest: Mapping[str, Any], behaviors: Sequence[TrainedBehavior]) -> str:
    rows = ["| behavior | trainer | decisions | mean reward at the end | models |", "|---|---|---|---|---|"]
    for each in behaviors:
        reward = "unknown" if each.reward is None else f"{each.reward:.3f}"
        models = ", ".join(f"`{name}`" for name in each.models) or "none"
        rows.append(f"| {each.name} | {_trainer(manifest, each.name)} | {each.steps:,} | {reward} | {models} |")
    return "\n".join(rows)


def _trainer(manifest: Mapping[str, Any], behavior: str) -> str:
    configuration = manifest.get("configuration", {})
    section = configuration.get("behaviors", {}).get(behavior) or configuration.get("default_settings") or {}
    return str(section.get("trainer_type", "unknown"))


def _commands(repo_id: str, environment: str) -> str:
    name = repo_id.rpartition("/")[2]
    lines = [
        f"pip install '{NAME}[hub]'",
        f"mlagents hub pull {repo_id}",
        f"mlagents play {environment} --model {name}",
    ]
    return "\n".join(lines)


def _origin(manifest: Mapping[str, Any]) -> str:
    packages = ", ".join(f"{name} {version}" for name, version in manifest.get("packages", {}).items())
    git = manifest.get("git")
    code = f"commit {git['commit']}{', with changes' * bool(git['modified'])}" if git else "not in a git repository"
    rows = {
        "started": manifest.get("created", "unknown"),
        "command": f"`{' '.join(map(str, manifest.get('command_line', [])))}`",
        "seed": manifest.get("seed", "unknown"),
        "code of the author": code,
        "Python": f"{manifest.get('python', 'unknown')} on {manifest.get('platform', 'unknown')}",
        "packages": packages or "unknown",
    }
    return "\n".join(["| what | |", "|---|---|", *(f"| {key} | {value} |" for key, value in rows.items())])
