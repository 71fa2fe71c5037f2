"""What other packages offer is found by name, and faults name the package."""

from __future__ import annotations

import sys

import pytest

from mlagents import plugins
from mlagents.plugins import PluginError
from toys.packages import on_the_path, write_package

GROUP = "mlagents.test_group"


@pytest.fixture
def offered(tmp_path):
    (tmp_path / "plugin_module_for_test.py").write_text("THING = 42\n")
    (tmp_path / "plugin_broken_for_test.py").write_text("import module_that_nobody_has\n")
    points = {
        "good": "plugin_module_for_test:THING",
        "absent": "plugin_module_for_test:OTHER",
        "broken": "plugin_broken_for_test:THING",
        "twice": "plugin_module_for_test:THING",
    }
    write_package(tmp_path, "one-package", GROUP, points)
    write_package(tmp_path, "other-package", GROUP, {"twice": "elsewhere:THING"})
    with on_the_path(tmp_path):
        yield


def test_a_plug_in_is_found_by_name_and_imported_only_when_it_is_loaded(offered):
    assert sorted(plugins.names(GROUP)) == ["absent", "broken", "good", "twice"]
    found = plugins.find(GROUP, "good")
    assert "plugin_module_for_test" not in sys.modules
    assert plugins.load(found) == 42
    assert plugins.find(GROUP, "nothing") is None
    assert plugins.names("mlagents.no_such_group") == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [("broken", "ModuleNotFoundError: No module named 'module_that_nobody_has'"), ("absent", "AttributeError")],
)
def test_what_cannot_be_loaded_is_named_with_its_package(offered, name, reason):
    found = plugins.find(GROUP, name)
    with pytest.raises(PluginError, match=reason) as caught:
        plugins.load(found)
    message = str(caught.value)
    assert f"'{name} = {found.value}' of one-package (group {GROUP})" in message
    assert "uninstall one-package" in message
    assert caught.value.__cause__ is not None


def test_one_name_in_two_packages(offered):
    with pytest.raises(PluginError, match="have the name 'twice'") as caught:
        plugins.find(GROUP, "twice")
    assert "'plugin_module_for_test:THING' of one-package" in str(caught.value)
    assert "'elsewhere:THING' of other-package" in str(caught.value)
