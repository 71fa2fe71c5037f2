"""The tables of docs/environments.md say what the environments are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlagents_envs.registry import default_registry

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "environments.md").read_text()
PROJECT = (DOCS.parent / "pyproject.toml").read_text()
DECLARED = re.search(r'\[project\.entry-points\."mlagents\.environments"\]\n(.+?)\n\n', PROJECT, re.DOTALL)
assert DECLARED
NAMES = sorted(line.partition(" = ")[0] for line in DECLARED[1].splitlines())


def table_row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


def observations_of(spec) -> str:
    return ", ".join(f"`{each.name}` {' x '.join(map(str, each.shape))}" for each in spec.observation_specs)


def actions_of(spec) -> str:
    action = spec.action_spec
    continuous = [f"{action.continuous_size} continuous"] if action.continuous_size else []
    discrete = [f"{' + '.join(map(str, action.discrete_branches))} choices"] if action.discrete_size else []
    return ", ".join(continuous + discrete)


def rows_of(entry) -> list[str]:
    """What the page has to say of an environment."""
    env = entry.make(num_areas=1)
    specs = env.behavior_specs
    players = {batch.behavior: len(batch) for batch in env._world.agents}
    behaviors = [
        table_row(
            entry.identifier,
            behavior.split("?")[0],
            entry._num_areas * players[behavior],
            observations_of(spec),
            actions_of(spec),
            f"{entry.expected_reward:g}",
        )
        for behavior, spec in specs.items()
    ]
    return list(dict.fromkeys(behaviors)) + [
        table_row(entry.identifier, f"`{name}`", text) for name, text in entry.parameters.items()
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_tables_hold_what_is_there(name):
    rows = rows_of(default_registry[name])
    missing = [row for row in rows if row not in PAGE.splitlines()]
    assert not missing, "docs/environments.md should have these rows:\n" + "\n".join(missing)
    told = [line for line in PAGE.splitlines() if line.startswith(f"| {name} |")]
    stale = [line for line in told if line not in rows]
    assert not stale, "docs/environments.md should not have these rows:\n" + "\n".join(stale)


@pytest.mark.parametrize("name", NAMES)
def test_every_environment_has_a_section(name):
    assert re.search(rf"^## (.+, )?{name}(,|$)", PAGE, re.MULTILINE)
