"""Our environments as those of the two libraries that users know; nothing is imported before it is asked for.

| from | to | class |
|---|---|---|
| any `BaseEnv` | Gymnasium | `unity_gym_env.UnityToGymWrapper` |
| any `BaseEnv` | PettingZoo | `unity_parallel_env.UnityParallelEnv`, `unity_aec_env.UnityAECEnv` |

The other direction is in `mlagents_envs.foreign`.

Each registered environment is an attribute too, a `PettingZooEnvFactory`; a leading 3 is spelled out:

```
from mlagents_envs.envs import ThreeDBall

env = ThreeDBall.env(seed=1)
```
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mlagents_envs.registry import default_registry


def _attribute(name: str) -> str:
    """Return the Python name of a registered environment."""
    return f"Three{name[1:]}" if name.startswith("3") else name


def __getattr__(name: str) -> Any:
    if name == "PettingZooEnvFactory":
        return import_module("mlagents_envs.envs.pettingzoo_env_factory").PettingZooEnvFactory
    if not name.startswith("_"):  # what the import system asks for costs no look into the registry
        for registered in default_registry:
            if _attribute(registered) == name:
                return import_module("mlagents_envs.envs.pettingzoo_env_factory").PettingZooEnvFactory(registered)
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}, and no environment of that name is registered"
    )


def __dir__() -> list[str]:
    return sorted({*globals(), *map(_attribute, default_registry)})
