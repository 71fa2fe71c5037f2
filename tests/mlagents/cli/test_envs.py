"""`mlagents envs`."""

from __future__ import annotations

import io
import json
import sys

from mlagents.cli.main import main


def test_a_list_for_programs(registry, capsys):
    assert main(["envs"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "environment\tbehavior\tobservations\tactions\tparameters\tbenchmark",
        "Broken\tRuntimeError: no physics today\t\t\t\tunknown",
        "TwoBehaviors\tWalker?team=0\tposition 2\t2 continuous\tspeed\t2.5",
        "TwoBehaviors\tChooser?team=1\t3, camera 1x4x5\tdiscrete 3+2\tspeed\t2.5",
    ]


def test_a_table_on_terminals(registry, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "140")
    assert main(["envs"]) == 0
    assert "Walker?team=0" in terminal.getvalue()
    assert "\t" not in terminal.getvalue()


def test_one_environment(registry, capsys):
    assert main(["envs", "TwoBehaviors"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "TwoBehaviors: Walk, or choose.",
        "benchmark: 2.5",
        "trained model: no",
        "behavior Walker?team=0",
        "  observations: position 2",
        "  actions: 2 continuous",
        "behavior Chooser?team=1",
        "  observations: 3, camera 1x4x5",
        "  actions: discrete 3+2",
        "parameter speed: how fast; 1 (0-2)",
    ]
    assert registry["TwoBehaviors"].made.closed


def test_json(registry, capsys):
    assert main(["envs", "--json"]) == 0
    broken, two = json.loads(capsys.readouterr().out)
    assert broken["behaviors"] is None
    assert broken["problem"] == "RuntimeError: no physics today"
    assert two["parameters"] == {"speed": "how fast; 1 (0-2)"}
    assert two["behaviors"]["Chooser?team=1"] == {
        "observations": [{"name": "", "shape": [3]}, {"name": "camera", "shape": [1, 4, 5]}],
        "continuous_actions": 0,
        "discrete_branches": [3, 2],
        "keys": {},
    }


def test_an_executable_is_not_downloaded_for_a_list(registry, capsys):
    from mlagents_envs.registry.remote_registry_entry import RemoteRegistryEntry

    url = "http://localhost:1/never.zip"
    registry.register(RemoteRegistryEntry("Far", 1.0, "Far away.", url, url, url))
    assert main(["envs"]) == 0
    assert "Far\tknown once it is downloaded; `mlagents play` does that\t\t\t\t1\n" in capsys.readouterr().out


def test_unknown_name(registry, capsys):
    assert main(["envs", "twobehavior"]) == 2
    assert "did you mean TwoBehaviors?" in capsys.readouterr().err
