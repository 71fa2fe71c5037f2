"""Inside `settings` imports go one way: source < schema < legacy, modern < what loads."""

from __future__ import annotations

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[3] / "src" / "mlagents" / "settings"
PREFIX = "mlagents.settings"
RANKS = {"source": 0, "schema": 1, "describe": 2, "legacy": 2, "modern": 2, "parser": 3, "flags": 3, "upgrade": 3}
LOADING = 4


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOM).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports_of(source: str) -> set[str]:
    """Modules of the room that a source imports, by their names in the room; "" is the room itself."""
    modules = {node.module or "" for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)}
    return {module.removeprefix(PREFIX).removeprefix(".") for module in modules if f"{module}.".startswith(PREFIX)}


def rank(module: str) -> int:
    return RANKS.get(module.split(".")[0], LOADING)


def faults(module: str, source: str) -> list[str]:
    if module == "":
        return []
    return [other for other in imports_of(source) if other == "" or rank(other) > rank(module)]


SOURCES = {name_of(path): path.read_text(encoding="utf-8") for path in sorted(ROOM.rglob("*.py"))}


def test_sub_rooms_import_only_what_is_below_them_and_never_the_room_itself():
    assert {"source.scalars", "schema.run", "legacy.behaviors", "loading"} <= set(SOURCES)
    assert {module: found for module, source in SOURCES.items() if (found := faults(module, source))} == {}


def test_no_files_import_each_other_in_a_circle():
    graph = {module: imports_of(source) & set(SOURCES) - {module} for module, source in SOURCES.items()}
    assert len(list(TopologicalSorter(graph).static_order())) == len(SOURCES)


@pytest.mark.parametrize(
    ("module", "imported"),
    [
        ("source.yaml_source", "mlagents.settings.schema.base"),
        ("schema.run", "mlagents.settings.describe"),
        ("legacy.behaviors", "mlagents.settings.upgrade"),
        ("schema.run", "mlagents.settings"),
    ],
)
def test_an_import_upwards_is_noticed(module, imported):
    assert len(faults(module, f"from {imported} import thing")) == 1
