"""Who may import whom in all three packages; and that importing the light packages loads nothing heavy."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src"

TRAINING_LIBRARIES = {"jax", "jaxlib", "equinox", "optax", "jaxtyping", "torch", "tensorflow"}
LIGHT = {"numpy", "grpc", "google", "PIL", "psutil", "ruamel", "gymnasium", "pettingzoo", "minari"}
"""All that `mlagents_envs` may need: for the wire, child processes, manifests and adapters."""

_base = frozenset({"arrays", "distribution", "errors", "files", "process", "plugins"})
_first = _base | {"settings", "data", "returns"}
_learning = _first | {"nn", "learning"}
_running = _learning | {"algorithms", "reward_signals"}
_files = {"export", "inference"}
_beside = _files | {"self_play", "curriculum", "stats"}

ROOMS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_base | {"barracuda"}, frozenset()),
    **dict.fromkeys(("settings", "data", "returns"), _base),
    "nn": _first,
    "learning": _first | {"nn"},
    "algorithms": _learning,
    "reward_signals": _learning,
    "rollout": _running,
    **dict.fromkeys(("curriculum", "stats"), _base | {"settings"}),
    "self_play": _running | {"rollout", "inference"},
    "inference": _base | {"settings", "barracuda"},
    "export": _base | {"settings", "nn", "inference", "barracuda"},
    "artifacts": _running | _beside | {"rollout"},
    "training": _running | _beside | {"rollout", "artifacts"},
    "search": _base | {"settings", "stats", "rollout", "artifacts"},
    "viewing": _running | _beside | {"rollout", "artifacts"},
    "runs": _base | {"settings", "stats", "artifacts"},
    "background": _running | _beside | {"rollout", "artifacts", "training", "predictor"},
    "preflight": _running | _beside | {"rollout", "artifacts", "training"},
    "trainers": _base | {"settings", "stats", "cli"},
    "predictor": _base | {"inference", "stats"},
    "cli": _running | _beside | {"rollout", "artifacts", "training", "viewing", "search", "runs", "preflight"},
}
"""Room of `mlagents` -> the rooms it may import besides itself. `mlagents_envs` is below all of them."""


_names = frozenset({"_imported_names", "behavior_id", "exception", "logging_util", "memory", "timers", "user_errors"})
_contract = _names | {"_actions", "_specs", "_steps", "base_env", "stepped_env"}
_wire = _contract | {"communicator_objects", "rpc", "side_channel"}
_communicators = frozenset({"communicator", "rpc_communicator", "attached_communicator"})
_player = _wire | _communicators | {"diagnosis", "env_utils", "player_process"}
_adapters = _wire | {"demonstrations"}

ENVS_ROOMS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_names, frozenset()),
    **dict.fromkeys(("diagnosis", "communicator_objects", "spectating"), frozenset()),
    "_actions": _names,
    "_specs": _names | {"_actions"},
    "_steps": _names | {"_actions", "_specs"},
    "base_env": _names | {"_actions", "_specs", "_steps"},
    "stepped_env": _names | {"base_env"},
    **dict.fromkeys(("_conformity", "sampler_class"), _contract),
    "testing": _contract | {"_conformity"},
    "rpc": _contract | {"communicator_objects"},
    "rpc_utils": _names | {"rpc"},
    "side_channel": _names | {"communicator_objects"},
    "env_utils": _names,
    "player_process": _names | {"env_utils"},
    "communicator": _wire,
    **dict.fromkeys(("rpc_communicator", "mock_communicator"), _wire | {"communicator"}),
    "attached_communicator": _wire | {"communicator", "rpc_communicator"},
    **dict.fromkeys(("serve", "relay"), _wire),
    "demonstrations": _contract | {"communicator_objects", "rpc"},
    "environment": _player,
    "foreign": _adapters,
    "registry": _player | {"environment", "foreign"},
    "envs": _adapters | {"registry"},
}
"""Room of `mlagents_envs` -> the rooms it may import besides itself: contract < wire < player < registry."""

_plain = frozenset({"controllers", "keys", "parameters", "row_index", "visual_geoms"})
_drawing = _plain | {"physics", "view", "rendering"}
_agents = _drawing | {"sensors", "actuators", "agent"}
_world = _agents | {"academy"}

SIM_ROOMS: dict[str, frozenset[str]] = {
    **dict.fromkeys(_plain, frozenset()),
    "physics": frozenset({"visual_geoms"}),
    "view": frozenset({"visual_geoms"}),
    "repainting": frozenset({"physics", "view", "visual_geoms"}),
    "rendering": frozenset({"physics", "view", "visual_geoms", "repainting"}),
    "scene_geoms": frozenset({"physics", "visual_geoms"}),
    "sensors": frozenset({"row_index", "physics", "view", "rendering", "visual_geoms"}),
    "actuators": frozenset({"row_index"}),
    "agent": frozenset({"actuators", "controllers", "keys", "row_index", "sensors"}),
    "episodes": frozenset({"agent", "physics"}),
    "academy": _agents,
    **dict.fromkeys(("state", "recorder"), _world),
    "environment": _world | {"scene_geoms", "state"},
    "authoring": _world,
    "entry": _world | {"environment"},
    "examples": _world | {"entry", "episodes"},
}
"""Room of `mlagents_sim` -> the rooms it may import besides itself: physics knows no agents, agents no examples."""

ORDERS = {"mlagents": ROOMS, "mlagents_envs": ENVS_ROOMS, "mlagents_sim": SIM_ROOMS}


def module_name(path: Path) -> str:
    parts = path.relative_to(SRC).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """Line and dotted name of each import, wherever it stands; `from a import b` counts as `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                package = module if is_package else module.rpartition(".")[0]
                origin = importlib.util.resolve_name("." * node.level + origin, package)
            yield from ((node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def fault(module: str, imported: str) -> str | None:
    """What rule the import breaks; None if it is allowed."""
    package, target = module.split(".")[0], imported.split(".")[0]
    if package == target:
        return _fault_between_rooms(module, imported)
    if package == "mlagents_envs":
        allowed = target in LIGHT or target in sys.stdlib_module_names
        return None if allowed else f"mlagents_envs needs only {', '.join(sorted(LIGHT))}"
    if package == "mlagents_sim":
        return "mlagents_sim knows nothing of training" if target in TRAINING_LIBRARIES | {"mlagents"} else None
    return "mlagents reaches environments by name, through the registry" if target == "mlagents_sim" else None


def _fault_between_rooms(module: str, imported: str) -> str | None:
    package, rooms = module.split(".")[0], ORDERS.get(module.split(".")[0], {})
    room, other = (name.split(".")[1] if "." in name else "" for name in (module, imported))
    if room and rooms and room not in rooms:
        return f"the room {room} has no place in the order of {package} yet: give it one"
    if other == room or other not in rooms:
        return None  # the own room, or a name of the package itself, such as its version
    allowed = rooms.get(room, frozenset({"predictor", "background"}))  # the package itself shows `load` and `train`
    return None if other in allowed else f"{room or package} may import {', '.join(sorted(allowed)) or 'no room'}"


def faults(module: str, source: str, is_package: bool = False) -> list[str]:
    found = []
    for line, imported in imports_of(source, module, is_package):
        if (rule := fault(module, imported)) is not None:
            found.append(f"{module}:{line} imports {imported}: {rule}")
    return found


def test_every_module_keeps_the_order():
    found = []
    for path in sorted(SRC.rglob("*.py")):
        if path.parts[-2] != "communicator_objects":
            found += faults(module_name(path), path.read_text(encoding="utf-8"), path.name == "__init__.py")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("package", sorted(ORDERS))
def test_the_order_has_no_cycle(package):
    """Rooms can be taken away one by one, each when nothing that is left imports it."""
    left = dict(ORDERS[package])
    while left:
        free = [room for room in left if not any(room in allowed for allowed in left.values())]
        assert free, f"a cycle among {sorted(left)}"
        for room in free:
            del left[room]


@pytest.mark.parametrize("package", sorted(ORDERS))
def test_every_room_of_the_order_exists(package):
    there = {path.stem for path in (SRC / package).iterdir()}
    assert set(ORDERS[package]) <= there


Graph = dict[str, set[str]]


def import_graph(package: str, sources: dict[str, tuple[str, bool]]) -> Graph:
    """Module -> modules of the package that it imports, wherever the import stands.

    Args:
      package: whose imports count.
      sources: module -> its source, and whether it is a package.
    """
    graph: Graph = {}
    for module, (source, is_package) in sources.items():
        graph[module] = set()
        for _, imported in imports_of(source, module, is_package):
            while imported and imported not in sources:
                imported = imported.rpartition(".")[0]
            if imported and imported != module:
                graph[module].add(imported)
    return graph


def folders_of(graph: Graph, sources: dict[str, tuple[str, bool]]) -> Graph:
    """The same for folders; a file at the top of the package counts as a folder of its own."""

    def folder(module: str) -> str:
        outer = module if sources[module][1] else module.rpartition(".")[0]
        return outer if "." in outer else module

    folders: Graph = {}
    for module, imported in graph.items():
        folders.setdefault(folder(module), set()).update(folder(m) for m in imported)
    return {name: others - {name} for name, others in folders.items()}


def circles(graph: Graph) -> list[list[str]]:
    """Groups of two or more nodes that reach each other."""
    reached = {node: _reached(graph, node) for node in graph}
    groups = {frozenset(b for b in reached[a] if a in reached[b]) for a in graph}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def _reached(graph: Graph, start: str) -> set[str]:
    found, left = {start}, [start]
    while left:
        new = graph.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def sources_of(package: str) -> dict[str, tuple[str, bool]]:
    paths = [path for path in sorted((SRC / package).rglob("*.py")) if path.parts[-2] != "communicator_objects"]
    return {module_name(p): (p.read_text(encoding="utf-8"), p.name == "__init__.py") for p in paths}


@pytest.mark.parametrize("package", sorted(ORDERS))
def test_no_files_and_no_folders_import_each_other_in_a_circle(package):
    sources = sources_of(package)
    graph = import_graph(package, sources)
    assert circles(graph) == []
    assert circles(folders_of(graph, sources)) == []


def test_a_circle_of_files_is_found_wherever_the_imports_stand():
    sources = {
        "p": ("", True),
        "p.a": ("from p import b", False),
        "p.b": ("def f():\n    from p.c import thing", False),
        "p.c": ("if TYPE_CHECKING:\n    from p.a import Thing", False),
        "p.d": ("from p import a", False),
    }
    assert circles(import_graph("p", sources)) == [["p.a", "p.b", "p.c"]]


def test_a_circle_of_folders_is_found_where_there_is_none_of_files():
    sources = {
        "p": ("", True),
        "p.x": ("", True),
        "p.x.low": ("", False),
        "p.x.high": ("from p.y.middle import f", False),
        "p.y": ("", True),
        "p.y.middle": ("from p.x import low", False),
        "p.top": ("from p.x import high", False),
    }
    graph = import_graph("p", sources)
    assert circles(graph) == []
    assert circles(folders_of(graph, sources)) == [["p.x", "p.y"]]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mlagents_envs.base_env", "import jax"),
        ("mlagents_envs.base_env", "import mujoco.viewer"),
        ("mlagents_envs.base_env", "from numba import njit"),
        ("mlagents_envs.registry", "def f():\n    import mlagents_sim"),
        ("mlagents_envs.testing", "from mlagents import returns"),
        ("mlagents_envs.environment", "import pandas"),
        ("mlagents_envs.base_env", "from mlagents_envs.environment import UnityEnvironment"),
        ("mlagents_envs.rpc.steps", "from mlagents_envs import side_channel"),
        ("mlagents_envs.foreign.from_gymnasium", "from mlagents_envs.registry import default_registry"),
        ("mlagents_envs.new_room", "import mlagents_envs.rpc"),
        ("mlagents_sim.physics.boxes", "from mlagents_sim.agent import AgentBatch"),
        ("mlagents_sim.sensors.rays", "if TYPE_CHECKING:\n    from mlagents_sim.agent import AgentBatch"),
        ("mlagents_sim.agent", "from . import academy"),
        ("mlagents_sim.academy", "from mlagents_sim.authoring import Agent"),
        ("mlagents_sim.authoring.world", "def f():\n    import mlagents_sim.examples.basic"),
        ("mlagents_sim.academy", "import jax.numpy as jnp"),
        ("mlagents_sim.academy", "from equinox import Module"),
        ("mlagents_sim.examples.basic", "from mlagents.settings import RunOptions"),
        ("mlagents_sim.examples.basic", "import mlagents"),
        ("mlagents.cli.learn", "from mlagents_sim.examples import basic"),
        ("mlagents.training.loop", "if TYPE_CHECKING:\n    import mlagents_sim"),
        ("mlagents.settings.parser", "from mlagents.data.lanes import Lanes"),
        ("mlagents.settings.parser", "from mlagents.nn.policy import Policy"),
        ("mlagents.data.lanes", "from mlagents import returns"),
        ("mlagents.data.lanes", "from ..nn import policy"),
        ("mlagents.returns", "from .data import segments"),
        ("mlagents.nn.policy", "import mlagents.algorithms.ppo"),
        ("mlagents.nn.policy", "from mlagents.export import graph"),
        ("mlagents.algorithms.ppo.learner", "from mlagents.reward_signals.rnd import RND"),
        ("mlagents.algorithms.ppo.learner", "from ...rollout.collector import Collector"),
        ("mlagents.algorithms.sac.learner", "from mlagents.self_play import league"),
        ("mlagents.reward_signals.gail", "from mlagents.rollout import collector"),
        ("mlagents.reward_signals.gail", "from mlagents import self_play"),
        ("mlagents.rollout.collector", "from mlagents.training.loop import run"),
        ("mlagents.rollout.collector", "from mlagents.self_play.league import League"),
        ("mlagents.self_play.league", "from mlagents.training import loop"),
        ("mlagents.curriculum.lessons", "from mlagents.stats import summaries"),
        ("mlagents.stats.console", "from mlagents.data import segments"),
        ("mlagents.export.onnx.writer", "from mlagents.algorithms.ppo import learner"),
        ("mlagents.training.loop", "from mlagents.cli import main"),
        ("mlagents.new_room.thing", "import mlagents.nn"),
    ],
)
def test_each_rule_catches_a_violation(module, source):
    (found,) = faults(module, source)
    assert found.startswith(f"{module}:")


def test_a_package_resolves_its_own_relative_imports():
    assert faults("mlagents.nn", "from . import policy", is_package=True) == []
    assert len(faults("mlagents.nn", "from ..cli import main", is_package=True)) == 1
    assert len(faults("mlagents", "from .nn import policy", is_package=True)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mlagents_envs.environment", "import os, grpc\nfrom mlagents_envs.base_env import BaseEnv"),
        ("mlagents_sim.academy", "import mujoco, numba\nfrom mlagents_envs.base_env import BaseEnv"),
        (
            "mlagents.algorithms.ppo.learner",
            "import jax\nfrom mlagents.nn import policy\nfrom . import losses",
        ),
        ("mlagents.reward_signals.gail", "from mlagents.nn.layers import Linear\nfrom mlagents.learning import adam"),
        ("mlagents.rollout.worker", "from mlagents_envs.registry import default_registry"),
        ("mlagents.stats.run_logs", "from mlagents import __version__\nfrom mlagents.settings import x"),
        ("mlagents.training.build", "from mlagents import self_play, curriculum, export, rollout, stats"),
        ("mlagents.cli.learn", "from mlagents.training import loop"),
    ],
)
def test_what_the_order_allows_passes(module, source):
    assert faults(module, source) == []


def modules_of(package: str, without: tuple[str, ...] = ()) -> list[str]:
    names = [module_name(path) for path in sorted((SRC / package).rglob("*.py"))]
    return [name for name in names if not any(part in without for part in name.split("."))]


def assert_light(modules: list[str], heavy: set[str]) -> None:
    """A fresh interpreter that imports the modules has loaded none of the heavy ones."""
    code = (
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        f"loaded = {heavy!r} & set(sys.modules)\n"
        "sys.exit(f'loaded: {sorted(loaded)}' if loaded else 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert result.returncode == 0, result.stderr


def test_importing_mlagents_envs_loads_nothing_heavy():
    """Left out: the adapters, whose libraries are optional, and the generator of the wire's messages."""
    modules = modules_of("mlagents_envs", without=("envs", "foreign", "communicator_objects"))
    assert {"mlagents_envs", "mlagents_envs.base_env", "mlagents_envs.registry"} <= set(modules)
    assert_light(modules, TRAINING_LIBRARIES | {"mujoco", "numba", "mlagents_sim", "mlagents"})


def test_importing_the_contract_and_the_registry_does_not_even_load_the_wire():
    modules = [f"mlagents_envs.{name}" for name in ("base_env", "registry", "testing", "timers", "logging_util")]
    assert_light(modules, {"grpc", "google.protobuf", "PIL", "ruamel.yaml"})


def test_importing_mlagents_sim_loads_nothing_of_training():
    assert_light(modules_of("mlagents_sim"), TRAINING_LIBRARIES | {"mlagents"})


def test_a_heavy_import_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "heavy_thing.py").write_text("")
    (tmp_path / "light_thing.py").write_text("import heavy_thing\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(AssertionError, match=r"loaded: \['heavy_thing'\]"):
        assert_light(["light_thing"], {"heavy_thing"})
