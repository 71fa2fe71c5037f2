"""How much memory settings ask for at least, before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterator

import psutil

from mlagents.settings.schema import BehaviorSettings, NetworkSettings, RunSettings
from mlagents.settings.source.faults import KeyPath

_FLOAT = 4
_COPIES = 4
"""Of each weight: itself, its gradient and the two averages of Adam."""
_ROW = 16
"""Bytes of an experience at the very least: one number observed, one action, a reward and a log-probability."""


def oversized(settings: RunSettings) -> Iterator[tuple[KeyPath, str]]:
    """Yield where settings ask for more memory than this machine has, and how much that is."""
    there = psutil.virtual_memory().total
    sections: dict[KeyPath, BehaviorSettings] = {("behaviors", name): each for name, each in settings.behaviors.items()}
    if settings.default_settings is not None:
        sections[("default_settings",)] = settings.default_settings
    for path, behavior in sections.items():
        for below, needed in _needs(behavior):
            if needed > there:
                yield (
                    (*path, *below),
                    f"needs at least {_in_words(needed)} of memory; this machine has {_in_words(there)}",
                )


def _needs(behavior: BehaviorSettings) -> Iterator[tuple[KeyPath, int]]:
    """Yield a key, and the bytes that its value takes whatever the environment is like."""
    yield ("network_settings", "hidden_units"), _weights(behavior.network_settings)
    for name, signal in behavior.reward_signals.items():
        if name != "extrinsic":
            yield ("reward_signals", name, "network_settings", "hidden_units"), _weights(signal.network_settings)
    yield ("hyperparameters", "buffer_size"), behavior.hyperparameters.buffer_size * _ROW
    yield ("time_horizon",), behavior.time_horizon * _ROW
    if behavior.network_settings.memory is not None:
        memory = behavior.network_settings.memory
        half = memory.memory_size // 2
        yield ("network_settings", "memory", "memory_size"), 4 * half * half * _FLOAT * _COPIES
        yield ("network_settings", "memory", "sequence_length"), memory.sequence_length * _ROW


def _weights(network: NetworkSettings) -> int:
    """Return the bytes of the dense layers: one number observed, then layers of equal width."""
    width, layers = network.hidden_units, network.num_layers
    return (width + (layers - 1) * width * width + layers * width) * _FLOAT * _COPIES


def _in_words(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} EB"
