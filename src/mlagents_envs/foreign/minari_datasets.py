"""Demonstrations as Minari datasets and back: the format of offline data around Gymnasium (https://minari.farama.org).

| demonstration | dataset |
|---|---|
| one observation; several | its space; a `Dict` of them by name |
| image of bytes (channels, height, width) | `Box` of uint8, (height, width, channels) |
| other observation | `Box` of float32 |
| continuous actions | `Box` from -1 to 1, without bounds if some lie outside |
| one branch; several | `Discrete`; `MultiDiscrete` |
| both | `Tuple` of the two |
| mask, True = forbidden | `infos["action_mask"]`, int8 [T + 1, choices of all branches], 1 = allowed |
| reward of agent and group | their sum; what came before the first decision is added to the first |
| unfinished episode | truncated |

The other way, observations and actions are read as those of Gymnasium environments are (see `encoding`), so matrices
become vectors, and images with sides below 20 pixels do, too.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mlagents_envs.base_env import ActionSpec, ActionTuple, BehaviorSpec
from mlagents_envs.demonstrations import Demonstration, DemonstrationError, DemonstrationWriter, Episode
from mlagents_envs.foreign.encoding import ActionDecoder, ObservationEncoder
from mlagents_envs.foreign.masks import MASK_KEY

_Array = NDArray[Any]


class MinariNotInstalled(DemonstrationError):
    """The package `minari` is missing."""


def to_minari(demonstration: Demonstration, dataset_id: str) -> Any:
    """Write a demonstration as a dataset into the local store, and return it (`minari.MinariDataset`).

    Args:
      demonstration: to write.
      dataset_id: such as `hallway/expert-v0`.

    Raises:
      DemonstrationError: Minari is not installed, or refuses the id or the data.
    """
    minari = _minari()
    if not demonstration.episodes:
        raise DemonstrationError(f"The demonstration {demonstration.name!r} has no episodes.")
    columns = [
        _ObservationColumn([episode.obs[i] for episode in demonstration.episodes])
        for i in range(len(demonstration.spec.observation_specs))
    ]
    names = _names(demonstration.spec)
    low, high = _bounds(demonstration)
    buffers = [
        _buffer(number, episode, [column.values(number) for column in columns], names)
        for number, episode in enumerate(demonstration.episodes)
    ]
    observation_spaces = [column.space() for column in columns]
    observation_space = (
        spaces.Dict(dict(zip(names, observation_spaces, strict=True))) if len(names) > 1 else observation_spaces[0]
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no author, environment and web page is known
            return minari.create_dataset_from_buffers(
                dataset_id,
                buffers,
                observation_space=observation_space,
                action_space=_action_space(demonstration.spec.action_spec, low, high),
                algorithm_name="recorded",
                description=f"{demonstration.behavior}: {demonstration.name}",
                requirements=[],
                jpeg_encoding=False,
            )
    except (ValueError, AssertionError) as error:
        raise DemonstrationError(f"Minari does not take the demonstration as {dataset_id!r}: {error}") from error


def from_minari(dataset_id: str, path: Path | str, behavior: str) -> int:
    """Write a dataset of the local store as a `.demo` file, and return the number of its episodes.

    Args:
      dataset_id: such as `D4RL/door/human-v2`; it must have been downloaded.
      path: of the file, ends in `.demo`.
      behavior: name of the behavior that is to learn from it.

    Raises:
      DemonstrationError: Minari is not installed or has no such dataset, the dataset has no episode, or a value is NaN.
      UnityObservationException, UnityActionException: its spaces have no fixed size.
    """
    minari = _minari()
    try:
        dataset = minari.load_dataset(dataset_id)
    except (FileNotFoundError, ValueError) as error:
        raise DemonstrationError(
            f"Minari has no dataset {dataset_id!r} here ({error}); `minari list local` shows those that are here, and "
            f"`minari download {dataset_id}` gets one."
        ) from error
    if not dataset.total_episodes:
        raise DemonstrationError(f"The dataset {dataset_id!r} has no episodes.")
    observations = ObservationEncoder(dataset.observation_space)
    actions = _ActionEncoder(dataset.action_space)
    spec = BehaviorSpec(observations.specs, actions.spec)
    episodes = [
        _episode(data, observations, actions, f"{dataset_id}, episode {number}") for number, data in enumerate(dataset)
    ]
    with DemonstrationWriter(path, behavior if "?" in behavior else f"{behavior}?team=0", spec) as writer:
        for episode in episodes:
            writer.write_episode(episode)
    return len(episodes)


class _ObservationColumn:
    """One observation of all episodes, in the form of its space.

    Args:
      columns: float32 [T + 1, *shape] per episode.
    """

    def __init__(self, columns: Sequence[NDArray[np.float32]]) -> None:
        self._columns = columns
        self._is_bytes = columns[0].ndim == 4 and all(
            np.array_equal(np.rint(column * 255) / 255, column) and column.min() >= 0 and column.max() <= 1
            for column in columns
        )

    def space(self) -> spaces.Box:
        shape = self._columns[0].shape[1:]
        if self._is_bytes:
            return spaces.Box(0, 255, (*shape[1:], shape[0]), np.uint8)
        return spaces.Box(-np.inf, np.inf, shape, np.float32)

    def values(self, episode: int) -> _Array:
        column = self._columns[episode]
        return np.rint(np.moveaxis(column, 1, 3) * 255).astype(np.uint8) if self._is_bytes else column


def _buffer(number: int, episode: Episode, observations: list[_Array], names: Sequence[str]) -> Any:
    rewards = (episode.reward + episode.group_reward).astype(np.float64)
    rewards[0] += episode.first_reward
    last = np.arange(len(episode)) == len(episode) - 1
    buffer = _minari().data_collector.EpisodeBuffer(
        id=number,
        observations=dict(zip(names, observations, strict=True)) if len(names) > 1 else observations[0],
        actions=_actions(episode.action),
        rewards=rewards.tolist(),
        terminations=(last & episode.terminated).tolist(),
        truncations=(last & (not episode.terminated)).tolist(),
    )
    if episode.action_mask is not None:
        allowed = ~np.concatenate(episode.action_mask, axis=1)
        return replace(buffer, infos={MASK_KEY: np.vstack([allowed, np.ones_like(allowed[:1])]).astype(np.int8)})
    return buffer


def _actions(action: ActionTuple) -> Any:
    discrete: _Array = action.discrete.astype(np.int64)
    if discrete.shape[1] == 1:
        discrete = discrete[:, 0]
    if not action.continuous.shape[1]:
        return discrete
    return (action.continuous, discrete) if action.discrete.shape[1] else action.continuous


def _action_space(spec: ActionSpec, low: float, high: float) -> spaces.Space[Any]:
    branches = spec.discrete_branches
    box = spaces.Box(low, high, (spec.continuous_size,), np.float32)
    if not branches:
        return box
    discrete = spaces.Discrete(branches[0]) if len(branches) == 1 else spaces.MultiDiscrete(list(branches))
    return spaces.Tuple((box, discrete)) if spec.continuous_size else discrete


def _bounds(demonstration: Demonstration) -> tuple[float, float]:
    outside = any((np.abs(episode.action.continuous) > 1).any() for episode in demonstration.episodes)
    return (-np.inf, np.inf) if outside else (-1.0, 1.0)


def _names(spec: BehaviorSpec) -> list[str]:
    names = [sensor.name or "observation" for sensor in spec.observation_specs]
    return [name if names.count(name) == 1 else f"{name}_{number}" for number, name in enumerate(names)]


class _ActionEncoder:
    """Actions in the form of a space, or of a `Tuple` or `Dict` of a `Box` and choices, as policies give them."""

    def __init__(self, space: spaces.Space[Any]) -> None:
        self._parts = list(_parts(space, ()))
        specs = [ActionDecoder(part).spec for _, part in self._parts]
        branches = tuple(size for spec in specs for size in spec.discrete_branches)
        self.spec = ActionSpec(sum(spec.continuous_size for spec in specs), branches)

    def encode(self, actions: Any) -> ActionTuple:
        numbers, choices = [], []
        for path, space in self._parts:
            value = actions
            for key in path:
                value = value[key]
            rows = np.asarray(value).reshape(len(value), -1)
            if isinstance(space, spaces.Box):
                numbers.append(_unscaled(rows, space))
            else:
                choices.append(rows - np.ravel(getattr(space, "start", 0)))
        n = len(numbers[0] if numbers else choices[0])
        return ActionTuple(
            np.hstack(numbers).astype(np.float32) if numbers else np.zeros((n, 0), np.float32),
            np.hstack(choices).astype(np.int32) if choices else np.zeros((n, 0), np.int32),
        )


def _parts(space: spaces.Space[Any], path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], spaces.Space[Any]]]:
    if isinstance(space, (spaces.Tuple, spaces.Dict)):
        entries = space.spaces.items() if isinstance(space, spaces.Dict) else enumerate(space.spaces)
        for key, inner in entries:
            yield from _parts(inner, (*path, key))
    else:
        yield path, space


def _unscaled(rows: _Array, box: spaces.Box) -> _Array:
    """Return a box's numbers as policies give them: its bounds are -1 and 1; without bounds they stay what they are."""
    low, high = box.low.ravel().astype(np.float64), box.high.ravel().astype(np.float64)
    bounded = np.isfinite(low) & np.isfinite(high) & (high > low)
    middle = np.where(bounded, (np.where(bounded, low, 0) + np.where(bounded, high, 0)) / 2, 0.0)
    half = np.where(bounded, (np.where(bounded, high, 0) - np.where(bounded, low, 0)) / 2, 1.0)
    return (rows - middle) / half


def _episode(data: Any, observations: ObservationEncoder, actions: _ActionEncoder, where: str) -> Episode:
    obs = observations.encode_batch(data.observations)
    action = actions.encode(data.actions)
    count = len(data.rewards)
    for name, values in (("observations", obs), ("actions", [action.continuous])):
        if not all(np.isfinite(column).all() for column in values):
            raise DemonstrationError(f"{where}: its {name} have NaN or infinite values.")
    return Episode(
        obs=obs,
        action=action,
        action_mask=_masks((data.infos or {}).get(MASK_KEY), actions.spec.discrete_branches, count),
        first_reward=0.0,
        reward=np.asarray(data.rewards, np.float32),
        group_reward=np.zeros(count, np.float32),
        terminated=bool(data.terminations[-1]),
        truncated=not data.terminations[-1],
    )


def _masks(allowed: Any, branches: tuple[int, ...], count: int) -> list[NDArray[np.bool_]] | None:
    if not branches:
        return None
    if allowed is None or np.shape(allowed)[1:] != (sum(branches),):
        return [np.zeros((count, size), np.bool_) for size in branches]
    forbidden = np.asarray(allowed)[:count] == 0
    return [np.asarray(part) for part in np.split(forbidden, np.cumsum(branches)[:-1], axis=1)]


def _minari() -> Any:
    try:
        import minari
    except ImportError as error:
        raise MinariNotInstalled(
            "Datasets of Minari need the package minari with HDF5: pip install 'minari[hdf5]'"
        ) from error
    return minari
