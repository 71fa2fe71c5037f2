"""Environments by name: `default_registry["3DBall"].make()`."""

from mlagents_envs.registry.base_registry_entry import BaseRegistryEntry
from mlagents_envs.registry.unity_env_registry import UnityEnvRegistry

__all__ = ["ENTRY_POINT_GROUP", "BaseRegistryEntry", "UnityEnvRegistry", "default_registry"]

ENTRY_POINT_GROUP = "mlagents.environments"
"""Packages offer environments under it: `NAME = "module:object"`, the object a `BaseRegistryEntry`."""

default_registry = UnityEnvRegistry()
"""The environments that installed packages offer, and what the program registers besides."""

default_registry.register_entry_points(ENTRY_POINT_GROUP)
