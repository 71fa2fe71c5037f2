"""How much memory settings ask for at least, before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterator

from mlagents.process import memory_bytes
from mlagents.settings.schema import BehaviorSettings, NetworkSettings, RunSettings
from mlagents.settings.source.faults import KeyPath

_FLOAT = 4
_INDEX = 4
COPIES = 4
"""Of each weight: itself, its gradient and the two averages of Adam."""
_ROW = 16
"""Bytes of an experience at the very least: one number observed, one action, a reward and a log-probability."""
_PROCESS = 20_000_000
"""Bytes of a process with an environment at the very least."""


def oversized(settings: RunSettings) -> Iterator[tuple[KeyPath, str]]:
    """Yield where settings ask for more memory than this machine has, and how much that is."""
    sections: dict[KeyPath, BehaviorSettings] = {("behaviors", name): each for name, each in settings.behaviors.items()}
    if settings.default_settings is not None:
        sections[("default_settings",)] = settings.default_settings
    for path, behavior in sections.items():
        for below, needed in _needs(behavior):
            yield from lacks_memory((*path, *below), needed)
    if settings.ray_settings.address is None:
        yield from lacks_memory(("env_settings", "num_envs"), settings.env_settings.num_envs * _PROCESS)


def lacks_memory(path: KeyPath, needed: int, why: str = "") -> Iterator[tuple[KeyPath, str]]:
    """Yield the path and what is wrong with it if this machine has less memory than is needed.

    Args:
      path: of the key that asks for it.
      needed: bytes.
      why: what makes it so much, as a clause in brackets.
    """
    there = memory_bytes()
    if needed > there:
        because = f" ({why})" if why else ""
        yield (
            path,
            f"needs at least {_in_words(needed)} of memory{because}; this machine has {_in_words(there)}: choose a"
            " smaller value",
        )


def _needs(behavior: BehaviorSettings) -> Iterator[tuple[KeyPath, int]]:
    """Yield a key, and the bytes that its value takes whatever the environment is like."""
    network, hyperparameters = behavior.network_settings, behavior.hyperparameters
    yield ("network_settings", "hidden_units"), COPIES * _weights(network)
    for name, signal in behavior.reward_signals.items():
        if name != "extrinsic":
            yield (
                ("reward_signals", name, "network_settings", "hidden_units"),
                COPIES * _weights(signal.network_settings),
            )
    if behavior.trainer_type != "bc":
        yield ("hyperparameters", "buffer_size"), hyperparameters.buffer_size * _ROW
        epochs = int(getattr(hyperparameters, "num_epoch", 0))  # each has an order of its own
        yield ("hyperparameters", "num_epoch"), epochs * hyperparameters.buffer_size * _INDEX
    yield ("time_horizon",), behavior.time_horizon * _ROW
    if network.memory is not None:
        half = network.memory.memory_size // 2
        yield ("network_settings", "memory", "memory_size"), COPIES * 4 * half * half * _FLOAT
        yield ("network_settings", "memory", "sequence_length"), network.memory.sequence_length * _ROW
    if behavior.behavioral_cloning is not None:
        yield ("behavioral_cloning", "num_epoch"), (behavior.behavioral_cloning.num_epoch or 0) * _INDEX
    if (self_play := behavior.self_play) is not None:
        snapshots = min(self_play.window, 1 + behavior.max_steps // self_play.save_steps)
        yield ("self_play", "window"), snapshots * _weights(network)


def _weights(network: NetworkSettings) -> int:
    """Return the bytes of the dense layers: one number observed, then layers of equal width."""
    width, layers = network.hidden_units, network.num_layers
    return (width + (layers - 1) * width * width + layers * width) * _FLOAT


def _in_words(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} EB"
