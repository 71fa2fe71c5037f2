"""Names that programs import from the trainers of the original: thin aliases of what is here under other names.

| module | has |
|---|---|
| `stats` | `StatsReporter`, `StatsWriter`, `StatsSummary`, `StatsPropertyType` |
| `demo_loader` | `load_demonstration`, `get_demo_files`, `write_delimited`, `write_demo` |
| `learn` | `parse_command_line`, `run_cli`, `main` |
| `settings` | `RunOptions`, `TrainerSettings` |

Importing any other module of the original raises an ImportError that says where to look.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_INSTEAD = {
    "buffer": "mlagents.data",
    "cli_utils": "mlagents.cli.arguments",
    "environment_parameter_manager": "mlagents.curriculum",
    "ghost": "mlagents.self_play",
    "model_saver": "mlagents.artifacts",
    "policy": "mlagents.nn, and mlagents.load for trained models",
    "poca": "mlagents.algorithms",
    "ppo": "mlagents.algorithms.ppo",
    "sac": "mlagents.algorithms.sac",
    "subprocess_env_manager": "mlagents.rollout",
    "torch_entities": "mlagents.nn",
    "trainer": "mlagents.algorithms; a trainer of your own is a plug-in, see docs/plugins.md",
    "trainer_controller": "mlagents.training.loop",
    "upgrade_config": "mlagents config convert",
}


class _Signpost(MetaPathFinder):
    """Asked last, for modules that nobody has found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.startswith(f"{__name__}."):
            name = fullname.removeprefix(f"{__name__}.")
            instead = _INSTEAD.get(name.partition(".")[0], "docs/architecture.md")
            raise ModuleNotFoundError(
                f"{fullname} is a module of another implementation and is not here; look in {instead}. "
                f"{__name__} has stats, demo_loader, learn and settings.",
                name=fullname,
            )
        return None


sys.meta_path.append(_Signpost())
