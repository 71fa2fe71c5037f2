from __future__ import annotations

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlagents.stats import is_portable, safe_name
from mlagents.stats.names import LONGEST_BYTES


@pytest.mark.parametrize("behavior", ["3DBall", "My Behavior", "Größe_ボール", "a.b-c", "Console", ".hidden"])
def test_an_ordinary_name_stays(behavior):
    assert safe_name(behavior) == behavior


@pytest.mark.parametrize(
    ("behavior", "name"),
    [
        ("team/Striker", "team%2FStriker"),
        ("a\\b:c*d", "a%5Cb%3Ac%2Ad"),
        ("3DBall?team=0", "3DBall%3Fteam=0"),
        ('"<x>|', "%22%3Cx%3E%7C"),
        ("50%", "50%25"),
        ("a\nb", "a%0Ab"),
        (".", "%2E"),
        ("..", ".%2E"),
        ("end ", "end%20"),
        ("con", "%63on"),
        ("NUL.txt", "%4EUL.txt"),
        ("COM1", "%43OM1"),
        ("", "%"),
        ("a.onnx", "a%2Eonnx"),  # the model of a behavior "a"
        ("/.JSON", "%2F%2EJSON"),
        ("run_logs", "%72un_logs"),
        ("run_logs_2", "run_logs_2"),
    ],
)
def test_an_unfit_name_is_escaped(behavior, name):
    assert safe_name(behavior) == name


@given(st.text(alphabet=st.one_of(st.sampled_from('/\\:*?"<>|%. cCoOnN1'), st.characters(exclude_categories=["Cs"]))))
def test_escaping_can_be_undone_so_that_names_do_not_collide(behavior):
    name = safe_name(behavior)
    if len(behavior) < LONGEST_BYTES / 4:
        assert unquote(name) == (behavior or "%")
    assert not set(name) & set('/\\:*?"<>|')
    assert name not in {".", "..", ""}
    assert name[-1] not in ". "


def test_an_escaped_name_makes_a_folder(tmp_path):
    for behavior in ("a/b", "a%2Fb", "..", "x?team=1", "tab\there"):
        (tmp_path / safe_name(behavior)).mkdir()
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("behavior", ["x" * 300, "x" * 299 + "y", "ボ" * 100, "/" * 60])
def test_a_long_name_is_shortened_and_stays_its_own(behavior, tmp_path):
    name = safe_name(behavior)
    assert len(name.encode()) <= LONGEST_BYTES
    assert name != safe_name(behavior + "z")
    assert name.startswith(safe_name(behavior[0]) * 20)
    (tmp_path / f"{'r' * 100}_{name}.csv").write_text("")  # the longest run id


def test_what_a_run_can_be_called():
    assert all(map(is_portable, ("first", "50% more", ".hidden", "a b", "Größe", "a.onnx")))
    assert not any(map(is_portable, ("", "a/b", "a\\b", "..", "a.", "b ", "con", "C:x", "a\nb")))
