"""Links between pages lead somewhere, every page is in the navigation, and the site builds without a warning."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import unicodedata
from importlib.util import find_spec
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page: Path) -> set[str]:
    """The ids of a page's headings, as Python-Markdown makes them."""
    found: set[str] = set()
    for title in HEADING.findall(re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)):
        plain = unicodedata.normalize("NFKD", re.sub(r"[`*]", "", title)).encode("ascii", "ignore").decode()
        slug = re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
        number = 1
        unique = slug
        while unique in found:
            unique = f"{slug}_{number}"
            number += 1
        found.add(unique)
    return found


def problem(page: Path, target: str) -> str | None:
    """What is wrong with a link, None if nothing is."""
    if target.startswith(("https://", "http://127.0.0.1")):
        return None
    path, _, anchor = target.partition("#")
    there = page if not path else page.parent / path
    if not there.exists():
        return f"{target}: there is no such file"
    if anchor and anchor not in anchors(there):
        return f"{target}: there is no such heading"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_lead_somewhere(page):
    targets = LINK.findall(CODE.sub("", page.read_text()))
    assert [found for target in targets if (found := problem(page, target))] == []


def test_a_link_that_leads_nowhere_is_found():
    page = DOCS / "install.md"
    assert problem(page, "no-such-page.md") == "no-such-page.md: there is no such file"
    assert problem(page, "unity.md#no-such-part") == "unity.md#no-such-part: there is no such heading"
    assert problem(page, "#beside-the-original") is None
    assert problem(page, "gymnasium-pettingzoo.md#what-changed-since-mlagents_envs-110") is None


def in_navigation(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    values = entry.values() if isinstance(entry, dict) else entry
    return [page for value in values for page in in_navigation(value)]  # type: ignore[union-attr]


def test_every_page_is_in_the_navigation_once():
    navigation = YAML(typ="safe").load(ROOT / "mkdocs.yml")["nav"]
    pages = [page.relative_to(DOCS).as_posix() for page in PAGES[1:]]
    assert sorted(in_navigation(navigation)) == sorted(pages), "give new pages a place in `nav` of mkdocs.yml"


@pytest.mark.slow
@pytest.mark.skipif(find_spec("mkdocstrings") is None, reason="needs the extra `docs`")
def test_the_site_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=3000, env=environment, check=False
    )
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    page = (tmp_path / "site" / "api" / "envs.html").read_text()
    assert 'id="mlagents_envs.base_env.DecisionSteps"' in page
    assert "An agent in <code>decision_steps</code> waits for an action" in page
