from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from mlagents_envs.base_env import BaseEnv
from mlagents_envs.registry import UnityEnvRegistry, default_registry
from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.remote_registry_entry import RemoteRegistryEntry


class Entry(BaseRegistryEntry):
    def make(self, **kwargs) -> BaseEnv:
        raise NotImplementedError


def test_an_entry_says_what_it_knows():
    entry = Entry("Walk", 3.5, "walks", pretrained=Path("walk.onnx"), parameters={"mass": "kg, 1 (0.5 to 2)"})
    assert (entry.identifier, entry.expected_reward, entry.description) == ("Walk", 3.5, "walks")
    assert (entry.pretrained, dict(entry.parameters)) == (Path("walk.onnx"), {"mass": "kg, 1 (0.5 to 2)"})
    entry = Entry("Walk", None, None)
    assert (entry.pretrained, dict(entry.parameters)) == (None, {})


def test_the_registry_is_a_mapping_and_the_later_entry_counts():
    registry = UnityEnvRegistry()
    first, second, other = Entry("a", 1, ""), Entry("a", 2, ""), Entry("b", 3, "")
    for entry in (first, other, second):
        registry.register(entry)
    assert len(registry) == 2
    assert list(registry) == ["a", "b"]
    assert registry["a"] is second
    assert "b" in registry
    assert "c" not in registry
    assert registry.get("c") is None
    registry.clear()
    assert len(registry) == 0


def test_an_unknown_name_is_a_key_error_with_the_nearest_names():
    registry = UnityEnvRegistry()
    with pytest.raises(KeyError, match=r"No environment 'x' is registered\. Registered: none"):
        registry["x"]
    for name in ("3DBall", "3DBallHard", "GridWorld", "Basic"):
        registry.register(Entry(name, None, None))
    assert registry.suggest("3dbal") == ["3DBall", "3DBallHard"]
    assert registry.suggest("gridword") == ["GridWorld"]
    assert registry.suggest("zzz") == []
    with pytest.raises(KeyError, match=r"Did you mean GridWorld\?"):
        registry["Gridword"]
    with pytest.raises(KeyError, match="Registered: 3DBall, 3DBallHard, GridWorld, Basic"):
        registry["zzz"]


def test_environments_of_other_libraries_need_no_registration():
    registry = UnityEnvRegistry()
    assert "gym:CartPole-v1" in registry
    assert "pettingzoo:pettingzoo.butterfly.pistonball_v6" in registry
    for name in ("gym", "jim:CartPole-v1", "CartPole-v1"):
        assert name not in registry
    assert list(registry) == []
    entry = registry["gym:CartPole-v1"]
    assert (entry.identifier, entry.description) == ("gym:CartPole-v1", "CartPole-v1 of Gymnasium")
    pytest.importorskip("gymnasium")
    with entry.make(seed=1, num_areas=1, worker_id=5) as env:
        env.reset()
        assert len(env.get_steps("CartPole?team=0")[0]) == 1


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """A registry of one installed package's entry points: one good, three that fail in different ways."""
    info = tmp_path / "offering-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: offering\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[mlagents.test_environments]\nGood = offering_good:ENTRY\nBroken = offering_broken:ENTRY\n"
        "Absent = offering_good:OTHER\nWrong = offering_good:WRONG\n"
    )
    (tmp_path / "offering_good.py").write_text(
        "from mlagents_envs.registry import BaseRegistryEntry\n"
        "class Entry(BaseRegistryEntry):\n    def make(self, **kwargs): ...\n"
        "ENTRY = Entry('Good', 1.0, 'good')\nWRONG = 3\n"
    )
    (tmp_path / "offering_broken.py").write_text("raise KeyError('a missing part')\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry = UnityEnvRegistry()
    registry.register_entry_points("mlagents.test_environments")
    yield registry
    sys.modules.pop("offering_good", None)


def test_names_are_known_before_a_module_is_imported(offered):
    assert sorted(offered) == ["Absent", "Broken", "Good", "Wrong"]
    assert "Good" in offered
    assert offered.suggest("god") == ["Good"]
    assert "offering_good" not in sys.modules
    entry = offered["Good"]
    assert entry.description == "good"
    assert offered["Good"] is entry


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        (
            "Broken",
            ImportError,
            "Broken = 'offering_broken:ENTRY'.*package offering cannot be loaded: KeyError",
        ),
        ("Absent", ImportError, "Absent = 'offering_good:OTHER'.*cannot be loaded: AttributeError"),
        ("Wrong", TypeError, "Wrong = 'offering_good:WRONG'.*should be a BaseRegistryEntry, but is a int"),
    ],
)
def test_an_entry_point_that_fails_is_named_with_its_module(offered, name, error, message):
    with pytest.raises(error, match=message):
        offered[name]
    assert offered["Good"].identifier == "Good"


def test_the_default_registry_offers_the_environments_without_importing_them():
    code = (
        "import sys\n"
        "from mlagents_envs.registry import default_registry\n"
        "names = list(default_registry)\n"
        "heavy = {'mujoco', 'numba', 'mlagents_sim', 'grpc', 'ruamel.yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "assert all(name for name in names), names\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


MANIFEST = """
environments:
  - Walk:
      expected_reward: 3.5
      description: walks
      linux_url: null
      darwin_url: null
      win_url: null
      additional_args: [--fast]
  - Run:
      expected_reward: null
      description: runs
      linux_url: null
      darwin_url: null
      win_url: null
"""


def test_a_manifest_is_read_at_the_first_look(tmp_path):
    file = tmp_path / "manifest.yaml"
    registry = UnityEnvRegistry()
    registry.register_from_yaml(str(file))
    file.write_text(MANIFEST)
    assert list(registry) == ["Walk", "Run"]
    entry = registry["Walk"]
    assert isinstance(entry, RemoteRegistryEntry)
    assert (entry.expected_reward, entry.description) == (3.5, "walks")
    assert registry["Run"].expected_reward is None


def test_order_of_registration_decides_even_when_reading_comes_later(tmp_path):
    file = tmp_path / "manifest.yaml"
    file.write_text(MANIFEST)
    registry = UnityEnvRegistry()
    before, after = Entry("Walk", 0, "before"), Entry("Run", 0, "after")
    registry.register(before)
    registry.register_from_yaml(str(file))
    registry.register(after)
    assert registry["Walk"].description == "walks"
    assert registry["Run"] is after


def test_a_missing_manifest_is_an_error_at_each_look_until_cleared(tmp_path):
    registry = UnityEnvRegistry()
    registry.register_from_yaml(str(tmp_path / "absent.yaml"))
    for _ in range(2):
        with pytest.raises(FileNotFoundError, match=r"absent\.yaml"):
            len(registry)
    registry.clear()
    assert len(registry) == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a list under `environments`|expected a key `environments`"),
        ("environment: []", "`environments`"),
        ("environments: {Walk: {}}", "`environments`"),
        ("environments: [Walk]", "item 1 of `environments` should be one identifier with keys below"),
        (
            MANIFEST + "      linux_ur: x\n",
            "environment Run has an unknown key 'linux_ur'; did you mean linux_url?",
        ),
        (MANIFEST + "      zzz: x\n", "environment Run has an unknown key 'zzz'; known are expected_reward"),
        (MANIFEST.replace("      win_url: null\n", ""), "environment Walk lacks win_url"),
    ],
)
def test_a_manifest_of_another_form_is_refused(tmp_path, text, message):
    file = tmp_path / "manifest.yaml"
    file.write_text(text)
    registry = UnityEnvRegistry()
    registry.register_from_yaml(str(file))
    with pytest.raises(TypeError, match=f"manifest.yaml: .*({message})"):
        len(registry)


def test_a_manifest_of_aliases_of_aliases_is_counted_before_it_is_built(tmp_path):
    """Nine mappings merged nine times each, nine deep: 9**9 entries; and one that contains itself."""
    names = "abcdefghi"
    lines = ["a: &a {x: 1}"]
    lines += [f"{b}: &{b} {{<<: [{', '.join([f'*{a}'] * 9)}]}}" for a, b in pairwise(names)]
    file = tmp_path / "manifest.yaml"
    for text in ("\n".join(lines), "environments: &all [*all]"):
        file.write_text(text)
        registry = UnityEnvRegistry()
        registry.register_from_yaml(str(file))
        with pytest.raises(ValueError, match=r"entries, counted through aliases; a manifest has at most 100,000\."):
            len(registry)


def test_what_registries_and_environments_look_like():
    assert repr(default_registry).startswith("UnityEnvRegistry(3DBall, 3DBallHard, Basic")
    assert repr(UnityEnvRegistry()) == "UnityEnvRegistry(empty)"
    unreadable = UnityEnvRegistry()
    unreadable.register_from_yaml("nowhere.yaml")
    assert "nowhere.yaml" in repr(unreadable)
    assert repr(default_registry["Basic"]).startswith("SimEntry('Basic': ")
    with default_registry["Basic"].make() as env:
        env.reset()
        assert repr(env) == "SimEnvironment(Basic?team=0)"
